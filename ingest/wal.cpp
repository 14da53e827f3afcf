#include "ingest/wal.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "common/assert.h"
#include "common/log.h"
#include "ingest/ledger.h"

namespace kvasir::ingest {
namespace {

constexpr std::string_view kSuffix = ".wal";
constexpr std::size_t kGroupBytesMax = 16 << 20;    // written and synced at once
constexpr std::size_t kBufferBytes = 256 << 10;     // small records are gathered up to this before a write
constexpr std::size_t kOriginsMax = 65536;

}  // namespace

Path wal_file_path(const Path& directory, std::uint64_t number) {
  return join_path(directory, fmt::format("{:016x}{}", number, kSuffix));
}

Result<std::vector<std::uint64_t>> list_wal_files(Filesystem& filesystem, const Path& directory) {
  KVASIR_TRY(const auto names, filesystem.list(directory));
  std::vector<std::uint64_t> numbers;
  for (const std::string_view name : names) {
    if (!name.ends_with(kSuffix)) continue;
    const auto digits = name.substr(0, name.size() - kSuffix.size());
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
    if (parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size()) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Wal::Wal(WalOptions options, WalStart start, Filesystem& filesystem, const Clock& clock, Done done)
    : options_(std::move(options)),
      filesystem_(filesystem),
      clock_(clock),
      done_(std::move(done)),
      next_file_(start.next_file),
      next_sequence_(start.next_sequence),
      last_sync_(clock.steady()),
      files_(start.files.begin(), start.files.end()) {
  for (const auto& mark : start.origins) origins_[{mark.tenant, mark.source}] = {mark.end_offset, ++origin_ticks_};
  thread_ = std::thread([this] { run(); });
}

Wal::~Wal() { close(); }

Result<void> Wal::enqueue(std::unique_ptr<WalBatch> batch) {
  MutexLock lock(mutex_);
  if (closing_) return fail(ErrorCode::kUnavailable, "the server is shutting down");
  if (queue_bytes_ + batch->record.size() > options_.queue_bytes_max && queue_bytes_ > 0) {
    return fail(ErrorCode::kUnavailable,
                "write-ahead log is behind: " + std::to_string(queue_bytes_) + " bytes waiting");
  }
  queue_bytes_ += batch->record.size();
  queue_.push_back(std::move(batch));
  work_.notify_one();
  return {};
}

void Wal::release_queue(std::uint64_t bytes) {
  MutexLock lock(mutex_);
  queue_bytes_ -= bytes;
}

void Wal::close() {
  {
    MutexLock lock(mutex_);
    if (closing_ && !thread_.joinable()) return;
    closing_ = true;
    work_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

std::uint64_t Wal::bytes() const {
  MutexLock lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& file : files_) sum += file.bytes;
  return sum;
}

std::uint64_t Wal::queue_bytes() const {
  MutexLock lock(mutex_);
  return queue_bytes_;
}

std::pair<std::uint64_t, std::uint64_t> Wal::files_not_needed(std::uint64_t floor) const {
  MutexLock lock(mutex_);
  if (files_.empty()) return {0, 0};
  const auto needed = std::find_if(files_.begin(), std::prev(files_.end()),
                                   [&](const WalOldFile& file) { return file.last_sequence >= floor; });
  return {files_.front().number, needed->number};
}

std::optional<std::uint64_t> Wal::oldest_file_last_sequence() const {
  MutexLock lock(mutex_);
  if (files_.size() < 2) return std::nullopt;
  return files_.front().last_sequence;
}

std::uint64_t Wal::origin_end(const std::string& tenant, const std::string& source) const {
  MutexLock lock(mutex_);
  const auto known = origins_.find({tenant, source});
  return known == origins_.end() ? 0 : known->second.end;
}

void Wal::cut(std::uint64_t floor) {
  // Chosen before the ledger is saved: what becomes free meanwhile may have covers that were not in it yet.
  const auto [first, needed] = files_not_needed(floor);
  if (first < needed && options_.ledger != nullptr) {
    if (const auto saved = options_.ledger->save(); !saved) {
      return log::warn("wal", "files stay: the ledger cannot be saved", {{"reason", saved.error().message()}});
    }
  }
  std::vector<std::uint64_t> gone;
  {
    MutexLock lock(mutex_);
    while (!files_.empty() && files_.front().number < needed) {
      gone.push_back(files_.front().number);
      files_.pop_front();
    }
    const bool all_flushed = files_.size() == 1 && files_.front().last_sequence < floor;
    if (all_flushed && files_.front().bytes >= options_.rotate_bytes_min && !closing_) {
      rotate_floor_ = floor;
      work_.notify_one();
    }
  }
  for (const std::uint64_t number : gone) {
    const auto removed = filesystem_.remove(wal_file_path(options_.directory, number));
    if (!removed) log::warn("wal", "file stays until the next start", {{"reason", removed.error().message()}});
  }
}

WalGroup Wal::take_group(bool& stop) {
  MutexLock lock(mutex_);
  const auto ready = [&] { return !queue_.empty() || closing_ || rotate_floor_ != 0; };
  if (options_.sync == WalSync::kInterval && unsynced_) {
    (void)work_.wait_for(lock, options_.sync_interval, ready);
  } else {
    work_.wait(lock, ready);
  }
  WalGroup group;
  std::size_t bytes = 0;
  while (!queue_.empty() && bytes < kGroupBytesMax) {
    bytes += queue_.front()->record.size();
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  stop = closing_ && group.empty();
  return group;
}

void Wal::run() {
  for (bool stop = false; !stop;) {
    WalGroup group = take_group(stop);
    if (!group.empty()) handle(std::move(group));
    rotate();
    const bool due = options_.sync == WalSync::kInterval && clock_.steady() - last_sync_ >= options_.sync_interval;
    if (unsynced_ && (due || stop) && !dead_) {
      if (auto synced = sync_file(); !synced) fatal(synced.error());
    }
  }
}

void Wal::handle(WalGroup group) {
  auto written = dead_ ? Result<void>(fail(ErrorCode::kIo, "the write-ahead log has failed")) : write_group(group);
  if (!written && !dead_) roll_back();
  if (written && options_.sync == WalSync::kGroup && unsynced_) {
    written = sync_file();
    if (!written) fatal(written.error());
  }
  if (written) remember_origins(group);
  done_(std::move(group), written);
}

Result<void> Wal::write_group(WalGroup& group) {
  if (file_ == nullptr || file_bytes_ >= options_.file_bytes) KVASIR_CHECK_OK(open_file());
  defined_now_.clear();
  for (auto& batch : group) KVASIR_CHECK_OK(append_batch(*batch));
  KVASIR_CHECK_OK(flush_buffer());
  file_good_bytes_ = file_bytes_;
  MutexLock lock(mutex_);
  files_.back().bytes = file_bytes_;
  files_.back().last_sequence = next_sequence_ - 1;
  return {};
}

Result<void> Wal::append_batch(WalBatch& batch) {
  batch.first_sequence = next_sequence_;
  next_sequence_ += std::max<std::uint64_t>(batch.entries, 1);  // one with covers alone has a place in the order too
  if (batch.record.size() <= kWalRecordHeaderBytes) return {};
  for (const auto& stream : batch.streams) {
    if (defined_in_.size() <= stream.number) defined_in_.resize(stream.number + 1);
    if (defined_in_[stream.number] == file_number_) continue;
    std::string definition;
    reserve_wal_header(definition);
    append_stream_definition(definition, stream.number, batch.tenant, stream.identity->labels);
    finish_wal_record(definition, WalRecordType::kStream, 0);
    buffer_ += definition;
    defined_in_[stream.number] = file_number_;
    defined_now_.push_back(stream.number);
  }
  finish_wal_record(batch.record, WalRecordType::kBatch, batch.first_sequence);
  if (buffer_.size() + batch.record.size() <= kBufferBytes) {
    buffer_ += batch.record;
    return {};
  }
  KVASIR_CHECK_OK(flush_buffer());
  KVASIR_CHECK_OK(file_->append(batch.record));
  file_bytes_ += batch.record.size();
  bytes_written_ += batch.record.size();
  unsynced_ = true;
  return {};
}

Result<void> Wal::flush_buffer() {
  if (buffer_.empty()) return {};
  const auto written = file_->append(buffer_);
  if (written) {
    file_bytes_ += buffer_.size();
    bytes_written_ += buffer_.size();
    unsynced_ = true;
  }
  buffer_.clear();
  return written;
}

Result<void> Wal::open_file() {
  if (file_ != nullptr && unsynced_) {
    if (auto synced = sync_file(); !synced) {
      fatal(synced.error());
      return synced;
    }
  }
  if (file_ != nullptr) (void)file_->close();  // synced: nothing can be lost by it
  file_ = nullptr;
  const Path path = wal_file_path(options_.directory, next_file_);
  std::string head = wal_file_header();
  {
    MutexLock lock(mutex_);
    for (const auto& [key, origin] : origins_) {
      std::string mark;
      reserve_wal_header(mark);
      append_origin_mark(mark, {key.first, key.second, origin.end});
      finish_wal_record(mark, WalRecordType::kOriginMark, 0);
      head += mark;
    }
  }
  KVASIR_TRY(auto file, filesystem_.create(path));
  KVASIR_CHECK_OK(file->append(head));
  KVASIR_CHECK_OK(file->sync());  // a name never stands for a file with half a header
  KVASIR_CHECK_OK(filesystem_.sync_dir(options_.directory));
  file_ = std::move(file);
  file_number_ = next_file_++;
  file_bytes_ = file_good_bytes_ = head.size();
  MutexLock lock(mutex_);
  files_.push_back({file_number_, file_bytes_, next_sequence_ - 1});
  return {};
}

/// Starts a new file if cut() asked for it and nothing was written since.
void Wal::rotate() {
  std::uint64_t floor = 0;
  {
    MutexLock lock(mutex_);
    std::swap(floor, rotate_floor_);
    if (floor == 0 || files_.empty() || files_.back().last_sequence >= floor) return;
  }
  if (file_ == nullptr || dead_) return;
  if (const auto opened = open_file(); !opened) {
    if (!dead_) log::warn("wal", "new file cannot be made now", {{"reason", opened.error().message()}});
    return;
  }
  cut(floor);
}

Result<void> Wal::sync_file() {
  KVASIR_CHECK_OK(file_->sync());
  unsynced_ = false;
  last_sync_ = clock_.steady();
  ++syncs_;
  return {};
}

/// After a failed write: cuts the file back to the last whole group, or leaves it for a new one.
void Wal::roll_back() {
  buffer_.clear();
  for (const std::uint32_t number : defined_now_) defined_in_[number] = 0;
  defined_now_.clear();
  if (file_ == nullptr) return;
  if (options_.sync == WalSync::kInterval && unsynced_) {  // whole groups before this one wait for the timer
    if (auto synced = sync_file(); !synced) return fatal(synced.error());
  }
  (void)file_->close();
  file_ = nullptr;
  unsynced_ = false;
  const Path path = wal_file_path(options_.directory, file_number_);
  if (!filesystem_.truncate(path, file_good_bytes_)) return;
  if (auto again = filesystem_.open_append(path)) {
    file_ = std::move(*again);
    file_bytes_ = file_good_bytes_;
  }
}

void Wal::remember_origins(WalGroup& group) {
  MutexLock lock(mutex_);
  for (const auto& batch : group) {
    if (!batch->origin || batch->record.size() <= kWalRecordHeaderBytes) continue;
    auto& origin = origins_[{batch->tenant, batch->origin->source}];
    batch->repeated = batch->origin->end_offset <= origin.end;
    origin.end = std::max(origin.end, batch->origin->end_offset);
    origin.touched = ++origin_ticks_;
    if (options_.ledger == nullptr || batch->repeated || batch->origin->covers.empty()) continue;
    options_.ledger->add(batch->tenant, batch->origin->covers, batch->first_sequence);
  }
  if (origins_.size() <= kOriginsMax) return;
  std::vector<std::uint64_t> ticks;
  for (const auto& [key, origin] : origins_) ticks.push_back(origin.touched);
  const auto middle = ticks.begin() + static_cast<std::ptrdiff_t>(ticks.size() - kOriginsMax * 3 / 4);
  std::nth_element(ticks.begin(), middle, ticks.end());
  std::erase_if(origins_, [&](const auto& item) { return item.second.touched < *middle; });
}

void Wal::fatal(const Error& error) {
  dead_ = true;
  const std::string text = "write-ahead log: " + error.message() + "; what is on disk is unknown, stopping";
  if (!options_.on_fatal) KVASIR_FATAL(text);
  options_.on_fatal(text);
}

}  // namespace kvasir::ingest
