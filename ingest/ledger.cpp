#include "ingest/ledger.h"

#include <algorithm>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "common/log.h"

namespace kvasir::ingest {
namespace {

constexpr std::string_view kMagic = "KVLG";
constexpr std::uint16_t kMajor = 1;
constexpr std::uint64_t kFileBytesMax = std::uint64_t{4} << 30;

Unexpected damaged(std::string_view what) {
  return fail(ErrorCode::kCorruption, "ledger: " + std::string(what));
}

FileCover as_cover(const LedgerFile& file) {
  return {file.file, file.identity, file.entries, file.settled, file.left_out};
}

bool has_inode(const LedgerFile& file, const LedgerQuery& query) {
  return query.inode != 0 && file.identity.inode == query.inode && file.identity.device == query.device;
}

bool has_path(const LedgerFile& file, const LedgerQuery& query) {
  return std::find(query.paths.begin(), query.paths.end(), file.identity.path) != query.paths.end();
}

std::size_t ranges_of(const LedgerFile& file) {
  std::size_t count = file.settled.size() + file.again.size();
  for (const LeftOut& left : file.left_out) count += left.ranges.size();
  return count;
}

/// The files that were not used for the longest time, until `keep` are left.
template <class Files>
std::size_t forget(Files& files, std::size_t keep) {
  if (files.size() <= keep) return 0;
  std::vector<std::uint64_t> ticks;
  for (const auto& [name, file] : files) ticks.push_back(file.touched);
  const auto middle = ticks.begin() + static_cast<std::ptrdiff_t>(ticks.size() - keep);
  std::nth_element(ticks.begin(), middle, ticks.end());
  return std::erase_if(files, [&](const auto& item) { return item.second.touched < *middle; });
}

}  // namespace

Result<std::unique_ptr<Ledger>> Ledger::open(Filesystem& filesystem, Path path) {
  std::unique_ptr<Ledger> ledger(new Ledger(filesystem, std::move(path)));
  KVASIR_TRY(const auto status, filesystem.status(ledger->path_));
  if (!status) return ledger;
  KVASIR_TRY(const std::string bytes, filesystem.read_all(ledger->path_, kFileBytesMax));
  const auto loaded = ledger->load(bytes);
  if (loaded) return ledger;
  // No line depends on it: what is lost is the proof of what was stored before.
  const Path aside = ledger->path_ + ".damaged";
  log::error("ledger", "cannot be read and is set aside", {{"reason", loaded.error().message()}, {"path", aside}});
  KVASIR_CHECK_OK(filesystem.rename(ledger->path_, aside));
  return std::unique_ptr<Ledger>(new Ledger(filesystem, ledger->path_));
}

Result<void> Ledger::load(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.raw(kMagic.size()) != kMagic) return damaged("no header");
  const auto major = reader.fixed<std::uint16_t>();
  (void)reader.fixed<std::uint16_t>();
  if (major != kMajor) return fail(ErrorCode::kUnsupported, "ledger: version " + std::to_string(major));
  if (reader.remaining() < sizeof(std::uint32_t)) return damaged("too short");
  const std::string_view content = bytes.substr(0, bytes.size() - sizeof(std::uint32_t));
  ByteReader tail(bytes.substr(content.size()));
  if (tail.fixed<std::uint32_t>() != crc32c(content)) return damaged("wrong checksum");
  const MutexLock lock(mutex_);
  reader = ByteReader(content.substr(kMagic.size() + 2 * sizeof(std::uint16_t)));
  next_sequence_ = saved_sequence_ = reader.varint();
  for (std::uint64_t tenants = reader.count(2); tenants > 0; --tenants) {
    Files& files = tenants_[std::string(reader.sized())];
    for (std::uint64_t count = reader.count(3); count > 0; --count) {
      const std::string_view cover_bytes = reader.sized();
      const std::string_view again = reader.sized();
      KVASIR_TRY(auto covers, decode_covers(cover_bytes));
      if (covers.size() != 1) return damaged("file");
      FileCover& cover = covers.front();
      LedgerFile file{cover.file, cover.identity, cover.entries, cover.stored, {}, cover.left_out, reader.varint()};
      KVASIR_TRY(file.again, ByteRanges::read(again));
      ticks_ = std::max(ticks_, file.touched);
      files[file.file] = std::move(file);
      ++files_;
    }
  }
  if (!reader.ok() || !reader.at_end()) return damaged("wrong length");
  return {};
}

std::string Ledger::encode() const {
  std::string out(kMagic);
  ByteWriter writer(out);
  writer.fixed(kMajor);
  writer.fixed(std::uint16_t{0});
  writer.varint(next_sequence_);
  writer.varint(tenants_.size());
  for (const auto& [tenant, files] : tenants_) {
    writer.sized(tenant);
    writer.varint(files.size());
    for (const auto& [name, file] : files) {
      writer.sized(encode_covers({as_cover(file)}));
      std::string again;
      file.again.append_to(again);
      writer.sized(again);
      writer.varint(file.touched);
    }
  }
  writer.fixed(crc32c(out));
  return out;
}

void Ledger::add(std::string_view tenant, std::string_view covers, std::uint64_t sequence) {
  const auto read = decode_covers(covers);
  if (!read) return log::warn("ledger", "covers of a push cannot be read", {{"reason", read.error().message()}});
  const MutexLock lock(mutex_);
  if (sequence < next_sequence_) return;
  next_sequence_ = sequence + 1;
  auto found = tenants_.find(tenant);
  if (found == tenants_.end()) found = tenants_.emplace(std::string(tenant), Files()).first;
  const std::size_t before = found->second.size();
  for (const FileCover& cover : *read) add_cover(found->second, cover);
  files_ += found->second.size() - before;
  if (found->second.size() > kLedgerTenantFilesMax) {
    files_ -= forget(found->second, kLedgerTenantFilesMax / 8 * 7);
  }
  if (files_ > kLedgerFilesMax) forget_oldest();
}

void Ledger::add_cover(Files& files, const FileCover& cover) {
  auto found = files.find(cover.file);
  if (found == files.end()) found = files.emplace(cover.file, LedgerFile{.file = cover.file}).first;
  LedgerFile& file = found->second;
  file.identity = cover.identity;
  file.entries += cover.entries;
  file.touched = ++ticks_;
  const auto settle = [&](const ByteRanges& ranges) {
    file.again.add(file.settled.common_with(ranges));
    file.settled.add(ranges);
  };
  settle(cover.stored);
  for (const LeftOut& left : cover.left_out) {
    settle(left.ranges);
    auto known = std::find_if(file.left_out.begin(), file.left_out.end(),
                              [&](const LeftOut& other) { return other.reason == left.reason; });
    if (known == file.left_out.end()) {
      if (file.left_out.size() >= kCoverReasonsMax) continue;
      known = file.left_out.insert(known, {left.reason, 0, {}});
    }
    known->lines += left.lines;
    if (known->ranges.size() < kLeftOutRangesMax) known->ranges.add(left.ranges);
    known->ranges.forget_smallest(kLeftOutRangesMax);
  }
  file.settled.forget_smallest(kLedgerRangesMax);
  file.again.forget_smallest(kLedgerRangesMax);
}

/// Every tenant gives of its own in proportion, so that one with many files does not push out the others'.
void Ledger::forget_oldest() {
  for (auto& [tenant, files] : tenants_) files_ -= forget(files, files.size() / 8 * 7);
}

std::uint64_t Ledger::covered_below() const {
  const MutexLock lock(mutex_);
  return next_sequence_;
}

std::vector<LedgerFile> Ledger::find(std::string_view tenant, const LedgerQuery& query) const {
  std::vector<LedgerFile> out;
  const MutexLock lock(mutex_);
  const auto found = tenants_.find(tenant);
  if (found == tenants_.end()) return out;
  std::vector<const LedgerFile*> meant, of_path;
  for (const auto& [name, file] : found->second) {
    if (has_inode(file, query)) meant.push_back(&file);
    else if (has_path(file, query)) of_path.push_back(&file);
  }
  const auto is_later = [](const LedgerFile* a, const LedgerFile* b) { return a->touched > b->touched; };
  std::sort(meant.begin(), meant.end(), is_later);
  std::sort(of_path.begin(), of_path.end(), is_later);
  meant.insert(meant.end(), of_path.begin(), of_path.end());
  std::size_t ranges = 0;
  for (const LedgerFile* file : meant) {
    ranges += ranges_of(*file);
    if (ranges > kLedgerFoundRangesMax && !out.empty()) break;
    out.push_back(*file);
  }
  return out;
}

Result<void> Ledger::save() {
  const MutexLock saving(save_mutex_);
  std::string bytes;
  std::uint64_t sequence = 0;
  {
    const MutexLock lock(mutex_);
    if (next_sequence_ == saved_sequence_) return {};
    sequence = next_sequence_;
    bytes = encode();
  }
  KVASIR_CHECK_OK(write_atomically(filesystem_, path_, bytes));
  const MutexLock lock(mutex_);
  saved_sequence_ = sequence;
  return {};
}

std::size_t Ledger::files() const {
  const MutexLock lock(mutex_);
  return files_;
}

}  // namespace kvasir::ingest
