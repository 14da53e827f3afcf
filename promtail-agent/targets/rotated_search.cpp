#include "promtail-agent/targets/rotated_search.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/filesystem.h"
#include "promtail-agent/discovery/glob.h"
#include "promtail-agent/targets/compressed_file.h"

namespace kvasir::agent {

namespace {

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

bool looks_compressed(std::string_view name) {
  return name.ends_with(".gz") || name.ends_with(".bz2") || name.ends_with(".zst") || name.ends_with(".z");
}

}  // namespace

bool continues_record(int fd, std::uint64_t size, const FileRecord& record) {
  if (record.head.length == 0 || size < record.offset || size < record.anchor.end) return false;
  const auto head = read_fingerprint(fd, record.head.length, record.head.length);
  if (!head || head->hash != record.head.hash) return false;
  const auto anchor = read_fingerprint(fd, record.anchor.end, record.anchor.length);
  return anchor && anchor->hash == record.anchor.hash;
}

bool compressed_from_record(const std::string& path, const FileRecord& record) {
  if (record.head.length == 0) return false;
  const OpenFd fd(path);
  char bytes[16 << 10];
  const ssize_t got = fd.get() < 0 ? -1 : ::pread(fd.get(), bytes, sizeof bytes, 0);
  if (got < 4) return false;
  const std::string_view front(bytes, static_cast<std::size_t>(got));
  const auto format = detect_compression_format(front);
  if (!format) return false;
  std::string plain;
  (void)make_decompressor(*format)->feed(front, plain);
  if (plain.size() < record.head.length) return false;
  return fingerprint_of(std::string_view(plain).substr(0, record.head.length), record.head.length).hash == record.head.hash;
}

std::optional<RotatedFile> find_rotated(const FileRecord& record) {
  DirectoryCache cache;
  const std::string directory = parent_directory(record.path);
  const std::string name = record.path.substr(record.path.rfind('/') + 1);
  const std::string stem = name.substr(0, name.rfind('.') == 0 ? std::string::npos : name.rfind('.'));
  int looked_at = 0;
  std::optional<RotatedFile> copy;
  for (const auto& item : cache.list(directory)) {
    if (item.directory || ++looked_at > kCandidatesMax) continue;
    const std::string path = directory + "/" + item.name;
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const auto size = static_cast<std::uint64_t>(status.st_size);
    const bool same_inode = status.st_dev == record.device && status.st_ino == record.inode;
    const bool related = item.name.starts_with(stem) && path != record.path;
    if (!same_inode && !related) continue;
    if (looks_compressed(item.name)) {
      if (related && compressed_from_record(path, record)) copy = RotatedFile{path, true};
      continue;
    }
    const bool was_empty = record.head.length == 0 && record.offset == 0;
    if (was_empty && same_inode && related && size > 0) return RotatedFile{path, false};
    const OpenFd fd(path);
    if (fd.get() < 0 || size <= record.offset || !continues_record(fd.get(), size, record)) continue;
    if (same_inode) return RotatedFile{path, false};
    copy = RotatedFile{path, false};
  }
  return copy;
}

}  // namespace kvasir::agent
