#include "promtail-agent/client/spool.h"

#include <fmt/format.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "common/log.h"
#include "common/number.h"

namespace kvasir::agent {

namespace {

inline constexpr std::string_view kMagic = "KVSPOOL1";
inline constexpr std::string_view kSuffix = ".batch";
inline constexpr std::string_view kUnfinished = ".tmp";
inline constexpr std::string_view kDamaged = ".damaged";
inline constexpr std::uint64_t kRecordBytesMax = 1ULL << 30;

}  // namespace

std::string encode_spool_record(const SpoolRecord& record) {
  std::string content;
  content.reserve(record.body.size() + 256);
  ByteWriter writer(content);
  writer.sized(record.origin);
  writer.varint(record.sequence);
  writer.sized(record.tenant);
  writer.varint(record.entries);
  writer.varint(record.raw_bytes);
  writer.varint(record.positions.size());
  for (const auto& [key, offset] : record.positions) {
    writer.sized(key);
    writer.varint(offset);
  }
  writer.sized(record.body);
  std::string out(kMagic);
  ByteWriter(out).fixed(crc32c(content));
  out += content;
  return out;
}

Result<SpoolRecord> decode_spool_record(std::string_view bytes) {
  ByteReader reader(bytes);
  const std::string_view magic = reader.raw(kMagic.size());
  const auto checksum = reader.fixed<std::uint32_t>();
  if (!reader.ok() || magic.substr(0, 7) != kMagic.substr(0, 7)) {
    return fail(ErrorCode::kCorruption, "spool record has no header");
  }
  if (magic != kMagic) return fail(ErrorCode::kUnsupported, "spool record has a newer format");
  if (crc32c(reader.rest()) != checksum) return fail(ErrorCode::kCorruption, "spool record has a wrong checksum");
  SpoolRecord record;
  record.origin = reader.sized();
  record.sequence = reader.varint();
  record.tenant = reader.sized();
  record.entries = reader.varint();
  record.raw_bytes = reader.varint();
  const std::uint64_t count = reader.count(2);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string key(reader.sized());
    record.positions.emplace_back(std::move(key), reader.varint());
  }
  record.body = reader.sized();
  if (!reader.ok() || !reader.at_end()) return fail(ErrorCode::kCorruption, "spool record has a wrong length");
  return record;
}

Path Spool::path_of(std::uint64_t number) const {
  return join_path(directory_, fmt::format("{:020}{}", number, kSuffix));
}

Result<std::unique_ptr<Spool>> Spool::open(Filesystem& filesystem, Path directory, SpoolOptions options) {
  std::unique_ptr<Spool> spool(new Spool(filesystem, std::move(directory), options));
  KVASIR_CHECK_OK(filesystem.make_directories(spool->directory_));
  KVASIR_TRY(const auto names, filesystem.list(spool->directory_));
  const MutexLock lock(spool->mutex_);
  for (const std::string& name : names) {
    const Path path = join_path(spool->directory_, name);
    if (name.ends_with(kUnfinished)) (void)filesystem.remove(path);  // nobody was told of it
    if (!name.ends_with(kSuffix)) continue;
    const auto number = parse_uint64(name.substr(0, name.size() - kSuffix.size()));
    if (!number) continue;
    KVASIR_TRY(const std::string bytes, filesystem.read_all(path, kRecordBytesMax));
    spool->next_ = std::max(spool->next_, *number + 1);
    auto record = decode_spool_record(bytes);
    if (!record && record.error().code() == ErrorCode::kUnsupported) {
      log::warn("spool", "left for the version that wrote it", {{"path", path}, {"reason", record.error().message()}});
      continue;
    }
    if (!record) {
      ++spool->damaged_;
      log::error("spool", "a batch on disk is damaged and put aside, its lines are read again from their files",
                 {{"path", path}, {"error", record.error().message()}});
      KVASIR_CHECK_OK(filesystem.rename(path, path + std::string(kDamaged)));
      continue;
    }
    record->body = {};
    spool->sizes_[*number] = bytes.size();
    spool->bytes_ += bytes.size();
    spool->found_.push_back({*number, std::move(*record)});
  }
  return spool;
}

Result<void> Spool::write(const Path& path, const std::string& bytes) {
  const Path unfinished = path + std::string(kUnfinished);
  KVASIR_TRY(const auto file, filesystem_.create(unfinished));
  Result<void> written = file->append(bytes);
  if (written && options_.fsync) written = file->sync();
  if (written) written = file->close();
  if (written) written = filesystem_.rename(unfinished, path);
  if (!written) {
    (void)filesystem_.remove(unfinished);
    return written;
  }
  if (options_.fsync) return filesystem_.sync_dir(directory_);
  return {};
}

Result<std::uint64_t> Spool::append(const SpoolRecord& record) {
  const std::string bytes = encode_spool_record(record);
  std::uint64_t number = 0;
  {
    const MutexLock lock(mutex_);
    if (bytes_ + bytes.size() > options_.bytes_max) {
      return fail(ErrorCode::kLimitExceeded, fmt::format("spool is full, {} of {} bytes", bytes_, options_.bytes_max));
    }
    number = next_++;
    bytes_ += bytes.size();
    sizes_[number] = bytes.size();
  }
  if (auto written = write(path_of(number), bytes); !written) {
    (void)filesystem_.remove(path_of(number));
    const MutexLock lock(mutex_);
    bytes_ -= bytes.size();
    sizes_.erase(number);
    return fail(written.error().with_context("write spool"));
  }
  return number;
}

Result<SpoolRecord> Spool::read(std::uint64_t number) {
  KVASIR_TRY(const std::string bytes, filesystem_.read_all(path_of(number), kRecordBytesMax));
  return decode_spool_record(bytes);
}

void Spool::remove(std::uint64_t number) {
  const MutexLock lock(mutex_);
  const auto found = sizes_.find(number);
  if (found == sizes_.end()) return;
  bytes_ -= found->second;
  sizes_.erase(found);
  removed_.push_back(number);
}

std::vector<std::uint64_t> Spool::take_removed() {
  const MutexLock lock(mutex_);
  return std::exchange(removed_, {});
}

void Spool::purge(const std::vector<std::uint64_t>& numbers) {
  for (const std::uint64_t number : numbers) (void)filesystem_.remove(path_of(number));
}

void Spool::put_back(const std::vector<std::uint64_t>& numbers) {
  const MutexLock lock(mutex_);
  removed_.insert(removed_.begin(), numbers.begin(), numbers.end());
}

std::uint64_t Spool::bytes() const {
  const MutexLock lock(mutex_);
  return bytes_;
}

}  // namespace kvasir::agent
