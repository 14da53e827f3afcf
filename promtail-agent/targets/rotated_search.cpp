#include "promtail-agent/targets/rotated_search.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <climits>
#include <cstdlib>
#include <set>
#include <tuple>

#include "common/filesystem.h"
#include "promtail-agent/discovery/glob.h"
#include "promtail-agent/targets/compressed_file.h"

namespace kvasir::agent {

namespace {

inline constexpr std::size_t kDateDigitsMin = 6;  // shorter runs of digits are counters, which grow

class OpenFd {
 public:
  explicit OpenFd(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~OpenFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string_view without_compression(std::string_view name) {
  for (const std::string_view suffix : {".gz", ".bz2", ".zst", ".z"}) {
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  }
  return name;
}

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// `rest` with every counter as `#` and every date as so many `0`.
std::string shape_of(std::string_view rest) {
  std::string shape;
  for (std::size_t at = 0; at < rest.size();) {
    std::size_t end = at;
    while (end < rest.size() && std::isdigit(static_cast<unsigned char>(rest[end])) != 0) ++end;
    const std::size_t digits = end - at;
    if (digits == 0) shape += rest[at++];
    else if (digits < kDateDigitsMin) shape += '#';
    else shape.append(digits, '0');
    at = std::max(at, end);
  }
  return shape;
}

struct Candidate {
  RotatedFile file;
  std::string_view base;  // the name that it goes with; empty: none
};

std::optional<Candidate> look_at(const std::string& path) {
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS | STATX_BTIME, &status) != 0 || !S_ISREG(status.stx_mode)) {
    return std::nullopt;
  }
  Candidate found{};
  found.file.path = path;
  found.file.compressed = without_compression(path).size() != path.size();
  found.file.device = makedev(status.stx_dev_major, status.stx_dev_minor);
  found.file.inode = status.stx_ino;
  found.file.modified_ns = status.stx_mtime.tv_sec * 1'000'000'000LL + status.stx_mtime.tv_nsec;
  if ((status.stx_mask & STATX_BTIME) != 0)
    found.file.born_ns = status.stx_btime.tv_sec * 1'000'000'000LL + status.stx_btime.tv_nsec;
  found.file.size = status.stx_size;
  return found;
}

bool same_inode(const RotatedFile& file, const FileRecord& record) {
  return file.device == record.device && file.inode == record.inode;
}

/// What lies beside the record's path, and beside what it leads to if it is a link; without these two.
class Surroundings {
 public:
  explicit Surroundings(const FileRecord& record) : record_(record), paths_{record.path} {
    char resolved[PATH_MAX];
    if (::realpath(record.path.c_str(), resolved) != nullptr) paths_.insert(resolved);
  }

  /// Regular files: the one with the record's inode, then those that go with the path by their name, the newest first.
  std::vector<Candidate> files() const {
    std::vector<Candidate> found;
    std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
    DirectoryCache cache;
    for (const std::string& path : paths_) {
      const std::string directory = parent_directory(path);
      const std::string_view base = file_name(path);
      for (const auto& item : cache.list(directory)) {
        const std::string full = join_path(directory, item.name);
        if (item.directory || paths_.contains(full)) continue;
        auto candidate = look_at(full);
        if (!candidate || !seen.emplace(candidate->file.device, candidate->file.inode).second) continue;
        if (item.name.starts_with(stem_of(base))) candidate->base = base;
        found.push_back(std::move(*candidate));
      }
    }
    const auto rank = [&](const Candidate& candidate) {
      return std::tuple(same_inode(candidate.file, record_), !candidate.base.empty(), candidate.file.modified_ns);
    };
    std::stable_sort(found.begin(), found.end(), [&](const auto& a, const auto& b) { return rank(a) > rank(b); });
    if (found.size() > kCandidatesMax) found.resize(kCandidatesMax);
    return found;
  }

 private:
  const FileRecord& record_;
  std::set<std::string> paths_;
};

/// The front of a compressed file, decompressed; "" if that does not work.
std::string decompressed_front(const std::string& path) {
  const OpenFd fd(path);
  char bytes[16 << 10];
  const ssize_t got = fd.get() < 0 ? -1 : ::pread(fd.get(), bytes, sizeof bytes, 0);
  if (got < 4) return "";
  const std::string_view front(bytes, static_cast<std::size_t>(got));
  const auto format = detect_compression_format(front);
  if (!format) return "";
  std::string plain;
  (void)make_decompressor(*format)->feed(front, plain);
  return plain;
}

/// Whether this file holds the content that the record describes.
bool holds_content(const Candidate& candidate, const FileRecord& record) {
  const RotatedFile& file = candidate.file;
  if (file.compressed) return !candidate.base.empty() && compressed_from_record(file.path, record);
  const bool same = same_inode(file, record);
  if (record.head.length == 0) return same && !candidate.base.empty() && candidate.file.size >= record.offset;
  if (!same && candidate.base.empty()) return false;
  const OpenFd fd(file.path);
  return fd.get() >= 0 && continues_record(fd.get(), candidate.file.size, record);
}

/// The file itself before a copy, a copy before a compressed one, the newest of several.
auto rank(const RotatedFile& file, const FileRecord& record) {
  return std::tuple(same_inode(file, record), !file.compressed, file.modified_ns);
}

/// Whether a file got the name after the rotated one did not have it any more, as far as its times tell.
bool came_after(const RotatedFile& file, const RotatedFile& rotated) {
  const bool births_tell = file.born_ns != 0 && rotated.born_ns != 0 && !file.compressed && !rotated.compressed;
  return file.modified_ns >= rotated.modified_ns && (!births_tell || file.born_ns >= rotated.born_ns);
}

}  // namespace

std::string_view stem_of(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == 0 ? name : name.substr(0, dot);
}

FileFront::FileFront(int fd) : bytes_(kFingerprintBytes, '\0') {
  const ssize_t got = ::pread(fd, bytes_.data(), bytes_.size(), 0);
  bytes_.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
}

bool FileFront::starts_as(const Fingerprint1K& head) {
  if (head.length == 0 || head.length > bytes_.size()) return false;
  if (last_.length != head.length) last_ = fingerprint_of(std::string_view(bytes_).substr(0, head.length), head.length);
  return last_.hash == head.hash;
}

bool FileFront::may_be_of(const Fingerprint1K& head, std::string_view front) {
  const std::size_t common = std::min(front.size(), bytes_.size());
  if (common == 0 || front.substr(0, common) != std::string_view(bytes_).substr(0, common)) return false;
  return bytes_.size() < head.length || starts_as(head);
}

bool continues_record(int fd, std::uint64_t size, const FileRecord& record) {
  if (record.head.length == 0 || size < record.offset || size < record.anchor.end) return false;
  const auto head = read_fingerprint(fd, record.head.length, record.head.length);
  if (!head || head->hash != record.head.hash) return false;
  if (record.anchor.length == 0) return true;  // nothing was read of it yet
  const auto anchor = read_fingerprint(fd, record.anchor.end, record.anchor.length);
  return anchor && anchor->hash == record.anchor.hash;
}

bool compressed_from_record(const std::string& path, const FileRecord& record) {
  if (record.head.length == 0) return false;
  const std::string front = decompressed_front(path).substr(0, record.head.length);
  return front.size() == record.head.length && fingerprint_of(front, front.size()).hash == record.head.hash;
}

std::optional<Fingerprint1K> compressed_head(const std::string& path) {
  const std::string front = decompressed_front(path).substr(0, kFingerprintBytes);
  if (front.empty()) return std::nullopt;
  return fingerprint_of(front, front.size());
}

bool is_same_content(const RotatedFile& file, const FileRecord& record) {
  if (file.compressed) return record.head.length >= kCopyBytesMin && compressed_from_record(file.path, record);
  const bool same = same_inode(file, record);
  if (same && record.head.length == 0) return true;
  // A short front may be what every file of this program starts with; then the copy must also be as long as what was
  // read.
  if (!same && record.head.length < kFingerprintBytes && file.size != record.offset) return false;
  const OpenFd fd(file.path);
  return fd.get() >= 0 && continues_record(fd.get(), file.size, record);
}

std::optional<RotatedFile> find_rotated(const FileRecord& record) {
  const Surroundings around(record);
  std::optional<RotatedFile> best;
  for (const Candidate& candidate : around.files()) {
    if (!holds_content(candidate, record)) continue;
    if (best && rank(candidate.file, record) <= rank(*best, record)) continue;
    best = candidate.file;
    best->has_more = best->compressed ? !record.finished : candidate.file.size > record.offset;
    if (same_inode(*best, record)) break;  // none can be better
  }
  return best;
}

std::optional<RotatedFile> find_renamed(const FileRecord& record) {
  const Surroundings around(record);
  for (const Candidate& candidate : around.files()) {
    if (same_inode(candidate.file, record)) return candidate.file;
  }
  return std::nullopt;
}

bool rotated_alike(std::string_view name, std::string_view first, std::string_view second) {
  const std::string_view stem = stem_of(name);
  first = without_compression(first);
  second = without_compression(second);
  if (!first.starts_with(stem) || !second.starts_with(stem)) return false;
  return shape_of(first.substr(stem.size())) == shape_of(second.substr(stem.size()));
}

std::vector<RotatedFile> find_successors(const FileRecord& record, const RotatedFile& rotated,
                                         const std::function<bool(const RotatedFile&)>& known) {
  const Surroundings around(record);
  const std::vector<Candidate> all = around.files();
  std::set<std::string_view> names;
  for (const Candidate& candidate : all) names.insert(candidate.file.path);
  std::vector<RotatedFile> found;
  for (const auto& [file, base] : all) {
    if (file.path == rotated.path || base.empty() || file.size == 0) continue;
    if (!rotated_alike(base, file_name(rotated.path), file_name(file.path)) || !came_after(file, rotated)) continue;
    const bool being_compressed = file.compressed && names.contains(without_compression(file.path));
    if (!being_compressed && !known(file)) found.push_back(file);
  }
  std::sort(found.begin(), found.end(), [](const RotatedFile& a, const RotatedFile& b) {
    return std::tie(a.modified_ns, a.path) < std::tie(b.modified_ns, b.path);
  });
  return found;
}

}  // namespace kvasir::agent
