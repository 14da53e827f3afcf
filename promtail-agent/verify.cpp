#include "promtail-agent/verify.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <simdjson.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "common/number.h"
#include "promtail-agent/client/http_sender.h"
#include "promtail-agent/targets/compressed_file.h"
#include "promtail-agent/targets/rotated_search.h"
#include "promtail-agent/verify_lines.h"

namespace kvasir::agent {

namespace {

inline constexpr std::size_t kRangesShown = 5;
inline constexpr std::string_view kStagePrefix = "stage:";
inline constexpr std::string_view kPushPath = "/loki/api/v1/push";

/// The file as it is now.
class CheckedFile {
 public:
  static Result<CheckedFile> open(const std::string& path) {
    CheckedFile file;
    file.path_ = path;
    file.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (file.fd_ < 0 || ::fstat(file.fd_, &status) != 0)
      return fail(ErrorCode::kIo, path + ": " + std::strerror(errno));
    file.device_ = status.st_dev;
    file.inode_ = status.st_ino;
    file.size_ = static_cast<std::uint64_t>(status.st_size);
    char front[4];
    file.compressed_ = ::pread(file.fd_, front, sizeof front, 0) == sizeof front &&
                       detect_compression_format({front, sizeof front}).has_value();
    return file;
  }
  CheckedFile(CheckedFile&& other) noexcept
      : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), device_(other.device_), inode_(other.inode_),
        size_(other.size_), compressed_(other.compressed_) {}
  CheckedFile& operator=(CheckedFile&&) = delete;
  ~CheckedFile() {
    if (fd_ >= 0) ::close(fd_);
  }

  std::uint64_t device() const { return device_; }
  std::uint64_t inode() const { return inode_; }
  bool is_inode(const ingest::FileIdentity& file) const { return file.device == device_ && file.inode == inode_; }

  bool begins_as(const ingest::FileIdentity& file) const {
    FileRecord record;
    record.head = {file.head_length, file.head_length, file.head_hash};
    if (compressed_) return compressed_from_record(path_, record);
    const auto head = read_fingerprint(fd_, file.head_length, file.head_length);
    return head && head->hash == file.head_hash;
  }

  /// Up to and with the last newline, and what is behind it.
  Result<std::pair<std::uint64_t, std::uint64_t>> length(bool counts_lines) const {
    if (compressed_) return decompressed_length(counts_lines);
    char buffer[64 << 10];
    for (std::uint64_t end = size_; end > 0;) {
      const std::size_t part = std::min<std::uint64_t>(end, sizeof buffer);
      const ssize_t got = ::pread(fd_, buffer, part, static_cast<off_t>(end - part));
      if (got != static_cast<ssize_t>(part)) return fail(ErrorCode::kIo, path_ + ": cannot be read");
      const void* newline = ::memrchr(buffer, '\n', part);
      end -= part;
      if (newline == nullptr) continue;
      const std::uint64_t complete = end + static_cast<std::uint64_t>(static_cast<const char*>(newline) - buffer) + 1;
      return std::pair(complete, size_ - complete);
    }
    return std::pair<std::uint64_t, std::uint64_t>(0, size_);
  }

 private:
  CheckedFile() = default;

  Result<std::pair<std::uint64_t, std::uint64_t>> decompressed_length(bool counts_lines) const {
    struct Nobody final : LineSink {
      bool line(std::string_view, std::uint64_t, std::uint64_t) override { return true; }
    } nobody;
    const auto unit = counts_lines ? CompressedFile::Unit::kLines : CompressedFile::Unit::kBytes;
    CompressedFile file(::fcntl(fd_, F_DUPFD_CLOEXEC, 0), std::nullopt, unit, 0, {});
    ReadBuffer buffer;
    for (;;) {
      KVASIR_TRY(const ReadOutcome outcome, file.read(nobody, buffer, 1 << 20));
      if (outcome.at_end) return std::pair<std::uint64_t, std::uint64_t>(file.offset(), 0);
    }
  }

  std::string path_;
  int fd_ = -1;
  std::uint64_t device_ = 0, inode_ = 0, size_ = 0;
  bool compressed_ = false;
};

/// One file of a ledger's answer.
struct Entry {
  ingest::FileIdentity identity;
  std::uint64_t entries = 0;
  ingest::ByteRanges settled, again;
  std::vector<ingest::LeftOut> left_out;
};

using simdjson::dom::element;

std::uint64_t number_at(const element& object, const char* pointer) {
  std::uint64_t value = 0;
  return object.at_pointer(pointer).get(value) == simdjson::SUCCESS ? value : 0;
}

std::string text_at(const element& object, const char* pointer) {
  std::string_view value;
  return object.at_pointer(pointer).get(value) == simdjson::SUCCESS ? std::string(value) : "";
}

ingest::ByteRanges ranges_at(const element& object, const char* pointer) {
  ingest::ByteRanges ranges;
  simdjson::dom::array all;
  if (object.at_pointer(pointer).get(all) != simdjson::SUCCESS) return ranges;
  for (const element range : all) ranges.add({number_at(range, "/0"), number_at(range, "/1")});
  return ranges;
}

Entry read_entry(const element& object) {
  Entry entry;
  ingest::FileIdentity& identity = entry.identity;
  identity.path = text_at(object, "/path");
  identity.device = number_at(object, "/device");
  identity.inode = number_at(object, "/inode");
  identity.counts_lines = text_at(object, "/unit") == "lines";
  identity.head_length = static_cast<std::uint32_t>(std::min<std::uint64_t>(number_at(object, "/head/length"), 1024));
  identity.head_hash = parse_uint64(text_at(object, "/head/hash")).value_or(0);
  entry.entries = number_at(object, "/entries");
  entry.settled = ranges_at(object, "/settled");
  entry.again = ranges_at(object, "/again");
  simdjson::dom::array reasons;
  if (object.at_pointer("/left_out").get(reasons) != simdjson::SUCCESS) return entry;
  for (const element left : reasons)
    entry.left_out.push_back({text_at(left, "/reason"), number_at(left, "/lines"), ranges_at(left, "/ranges")});
  return entry;
}

Result<std::vector<Entry>> read_answer(const std::string& body) {
  simdjson::dom::parser parser;
  element root;
  simdjson::dom::array data;
  if (parser.parse(body).get(root) != simdjson::SUCCESS || root.at_pointer("/data").get(data) != simdjson::SUCCESS)
    return fail(ErrorCode::kUnavailable, "the server's answer is no ledger");
  std::vector<Entry> entries;
  for (const element object : data) entries.push_back(read_entry(object));
  return entries;
}

void take(FileProof& proof, const Entry& entry) {
  proof.known = true;
  proof.counts_lines = entry.identity.counts_lines;
  proof.entries += entry.entries;
  proof.again.add(proof.settled.common_with(entry.settled));
  proof.again.add(entry.again);
  proof.settled.add(entry.settled);
  proof.left_out.insert(proof.left_out.end(), entry.left_out.begin(), entry.left_out.end());
}

/// Whether the entry is about the content of this file; a content that is not here any more is told.
bool is_about(const CheckedFile& file, const std::vector<std::string>& names, const Entry& entry,
              std::string& changed) {
  const ingest::FileIdentity& identity = entry.identity;
  const bool named = std::find(names.begin(), names.end(), identity.path) != names.end();
  if (identity.head_length == 0) return file.is_inode(identity);
  if (!named && !file.is_inode(identity)) return false;
  if (file.begins_as(identity)) return true;
  if (file.is_inode(identity) && identity.path == names.front())
    changed = "its first bytes are not those that were sent";
  return false;
}

class LedgerClient {
 public:
  static Result<LedgerClient> create(const ClientConfig& client) {
    LedgerClient made;
    KVASIR_TRY(made.http_, HttpSender::create(client.http, {}, system_clock()));
    const std::size_t path = client.url.rfind(kPushPath);
    if (path == std::string::npos)
      return fail(ErrorCode::kInvalidArgument, fmt::format("the client's URL does not end in {}", kPushPath));
    made.url_ = client.url.substr(0, path) + "/api/v1/ledger";
    return made;
  }

  /// An empty optional: the server keeps no ledger.
  Result<std::optional<std::string>> ask(const CheckedFile& file, const std::vector<std::string>& names,
                                         const std::string& tenant) const {
    net::HttpCall call;
    call.url = fmt::format("{}?device={}&inode={}", url_, file.device(), file.inode());
    for (const std::string& name : names) call.url += "&path=" + net::percent_encode(name);
    if (!tenant.empty()) call.headers.set("X-Scope-OrgID", tenant);
    KVASIR_TRY(net::HttpResponse response, http_->send(std::move(call)));
    if (response.status == 404) return std::nullopt;
    if (response.status != 200) {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("server returned HTTP status {}: {}", response.status, response.body));
    }
    return std::optional(std::move(response.body));
  }

 private:
  std::unique_ptr<HttpSender> http_;
  std::string url_;
};

/// An empty optional: the server keeps no ledger.
Result<std::optional<FileProof>> ask_server(const Config& config, const ClientConfig& client, const std::string& path) {
  KVASIR_TRY(const CheckedFile file, CheckedFile::open(path));
  KVASIR_TRY(const LedgerClient server, LedgerClient::create(client));
  const std::vector<std::string> names = earlier_names(path);
  KVASIR_TRY(auto answer, server.ask(file, names, client.tenant_id));
  if (!answer) return std::nullopt;
  std::vector<std::string> answers{std::move(*answer)};
  KVASIR_TRY(FileProof proof, prove(path, answers));
  if (proof.gaps().empty()) return std::optional(std::move(proof));
  const auto tenants = tenants_of(config, path);  // a tenant stage may have sent lines elsewhere
  for (const std::string& tenant : tenants.value_or(std::set<std::string>())) {
    if (tenant == client.tenant_id) continue;
    KVASIR_TRY(answer, server.ask(file, names, tenant));
    if (answer) answers.push_back(std::move(*answer));
  }
  KVASIR_TRY(proof, prove(path, answers));
  return std::optional(std::move(proof));
}

void print_ranges(std::string_view what, const ingest::ByteRanges& ranges, bool lines) {
  if (ranges.empty()) return;
  std::string text;
  for (std::size_t i = 0; i < std::min(ranges.size(), kRangesShown); ++i)
    text += fmt::format(" {}-{}", ranges.ranges()[i].begin, ranges.ranges()[i].end);
  if (ranges.size() > kRangesShown) text += fmt::format(" and {} more ranges", ranges.size() - kRangesShown);
  fmt::print("  {}: {} {}:{}\n", what, ranges.bytes(), lines ? "lines" : "bytes", text);
}

void print_proof(const std::string& path, const FileProof& proof) {
  const char* unit = proof.counts_lines ? "lines" : "bytes";
  const std::uint64_t missing = proof.gaps().bytes();
  fmt::print("{}: {}: {} of {} {} are settled, {} entries are stored\n", path, proof.whole() ? "whole" : "NOT WHOLE",
             proof.size - missing, proof.size, unit, proof.entries);
  if (!proof.known) fmt::print("  the ledger does not know this file\n");
  if (!proof.changed.empty()) fmt::print("  changed since: {}\n", proof.changed);
  print_ranges("never acknowledged", proof.gaps(), proof.counts_lines);
  for (const ingest::LeftOut& left : proof.left_out) {
    const bool meant = left.reason.starts_with(kStagePrefix);
    const std::string what = meant ? fmt::format("left out by stage {}", left.reason.substr(kStagePrefix.size()))
                                   : fmt::format("lost ({})", left.reason);
    print_ranges(fmt::format("{}, {} entries", what, left.lines), left.ranges, proof.counts_lines);
  }
  print_ranges("sent more than once", proof.again, proof.counts_lines);
  if (proof.rest > 0) fmt::print("  the last {} bytes have no newline: no line yet\n", proof.rest);
}

/// Exit code.
int look_up_lines(const Config& config, const std::string& path) {
  const auto report = verify_lines(config, path);
  if (!report) {
    fmt::print(stderr, "cannot verify {}: {}\n", path, report.error().message());
    return 2;
  }
  if (report->unchecked > 0) fmt::print("{} lines cannot be looked up: too long or not UTF-8\n", report->unchecked);
  for (const std::string& line : report->examples) fmt::print("missing: {}\n", line);
  fmt::print("{}: {} of {} lines are stored\n", path, report->lines - report->missing, report->lines);
  return report->whole() ? 0 : 1;
}

}  // namespace

bool FileProof::whole() const {
  const bool lost = std::any_of(left_out.begin(), left_out.end(),
                                [](const auto& left) { return !left.reason.starts_with(kStagePrefix); });
  return changed.empty() && !lost && gaps().empty();
}

Result<FileProof> prove(const std::string& path, const std::vector<std::string>& answers) {
  KVASIR_TRY(const CheckedFile file, CheckedFile::open(path));
  const std::vector<std::string> names = earlier_names(path);
  FileProof proof;
  std::string changed;
  for (const std::string& answer : answers) {
    KVASIR_TRY(const auto entries, read_answer(answer));
    for (const Entry& entry : entries) {
      if (is_about(file, names, entry, changed)) take(proof, entry);
    }
  }
  KVASIR_TRY(const auto length, file.length(proof.counts_lines));
  std::tie(proof.size, proof.rest) = length;
  if (!proof.known) proof.changed = changed;
  if (proof.settled.end() > proof.size + proof.rest) proof.changed = "it is shorter than what was sent";
  return proof;
}

int run_verify(const Config& config, const std::string& path, bool lines) {
  if (config.clients.empty()) return fmt::print(stderr, "no client is configured\n"), 2;
  int code = 0;
  for (const ClientConfig& client : config.clients) {
    if (config.clients.size() > 1) fmt::print("client {}:\n", client.name);
    const auto proof = ask_server(config, client, path);
    if (!proof) {
      fmt::print(stderr, "cannot verify {}: {}\n", path, proof.error().message());
      code = 2;
    } else if (*proof) {
      print_proof(path, **proof);
      if (!(*proof)->whole()) code = std::max(code, 1);
    } else {
      fmt::print("this server keeps no ledger: looking up the lines instead\n");
      lines = true;
    }
  }
  return lines ? std::max(code, look_up_lines(config, path)) : code;
}

}  // namespace kvasir::agent
