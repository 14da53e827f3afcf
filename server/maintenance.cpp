#include "server/maintenance.h"

#include <algorithm>
#include <ctime>

#include "chunks/segment_inspect.h"
#include "common/log.h"

namespace kvasir::server {
namespace {

// A segment is rewritten for expired rows when these are at least so large a part of it; until then they wait.
constexpr double kExpiredPartMin = 0.25;
constexpr Duration kDiskInterval = std::chrono::seconds(2);
constexpr Duration kPauseMin = std::chrono::milliseconds(5);  // shorter ones are gathered

/// Of this thread, since it began.
Duration thread_cpu() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
}

bool is_expired(const RetentionSettings& settings, const Labels& stream, TimestampNs last, TimestampNs now) {
  const Duration period = retention_of(settings, stream);
  return period.count() > 0 && last.value < now.value - period.count();
}

bool may_touch(const CompiledDelete& request, const ingest::Segment& segment, const index::StreamIndex& index) {
  const auto streams = segment.streams();
  return std::any_of(streams.begin(), streams.end(), [&](const auto& stream) {
    return request.touches(*index.labels(stream.id), stream.first, stream.last);
  });
}

/// Finds out which of them a merge cannot read; the next one goes without these.
void look_for_damage(std::span<const std::shared_ptr<const ingest::Segment>> segments) {
  for (const auto& segment : segments) {
    const auto reader = segment->reader();
    if (!reader) continue;  // noted there
    if (const auto sound = chunks::verify_segment(**reader); !sound)
      log::warn("maintenance", "left out of merging", {{"reason", segment->note_damage(sound.error()).message()}});
  }
}

/// The longest that an entry of the tenant may be kept. 0: for ever.
Duration longest_retention(const RetentionSettings& settings) {
  Duration longest = settings.retention_period;
  for (const auto& rule : settings.retention_stream) {
    if (rule.period.count() == 0 || longest.count() == 0) return Duration(0);
    longest = std::max(longest, rule.period);
  }
  return longest;
}

}  // namespace

Duration retention_of(const RetentionSettings& settings, const Labels& stream) {
  const RetentionRule* best = nullptr;
  for (const auto& rule : settings.retention_stream) {
    const bool fits = std::all_of(rule.matchers.begin(), rule.matchers.end(),
                                  [&](const auto& matcher) { return matcher.matches(stream); });
    if (!fits) continue;
    const bool better = best == nullptr || rule.priority > best->priority ||
                        (rule.priority == best->priority && rule.period < best->period);
    if (better) best = &rule;
  }
  return best == nullptr ? settings.retention_period : best->period;
}

Maintenance::Maintenance(MaintenanceOptions options, ingest::Storage& storage, ingest::Ingester& ingester,
                         DeleteRequests& deletes, Filesystem& filesystem, const Clock& clock)
    : options_(std::move(options)),
      storage_(storage),
      ingester_(ingester),
      deletes_(deletes),
      filesystem_(filesystem),
      clock_(clock) {}

Maintenance::~Maintenance() { stop(); }

void Maintenance::start() {
  thread_ = std::thread([this] { run(); });
}

void Maintenance::stop() {
  stop_ = true;
  {
    MutexLock lock(mutex_);
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Maintenance::run() {
  Duration next = clock_.steady() + options_.interval;
  while (!stop_) {
    check_disk();
    {
      MutexLock lock(mutex_);
      (void)wake_.wait_for(lock, std::min(options_.interval, kDiskInterval), [&] { return stop_.load(); });
    }
    if (stop_ || clock_.steady() < next) continue;
    run_once();
    next = clock_.steady() + options_.interval;
  }
}

void Maintenance::check_disk() {
  if (options_.disk_reserve == 0 || !options_.free_bytes) return;
  const auto free = options_.free_bytes();
  if (!free) return note("look at the disk", "", fail(free.error()));
  // Once refused, pushes come back when there is a little more than the reserve: no flapping at the border.
  const std::uint64_t wanted = low_on_disk_ ? options_.disk_reserve + options_.disk_reserve / 8 : options_.disk_reserve;
  const bool low = *free < wanted;
  if (low == low_on_disk_) return;
  low_on_disk_ = low;
  ingester_.set_low_on_disk(low);
  log::warn("maintenance",
            low ? "the disk is nearly full: pushes are refused until there is room" : "there is room on the disk again",
            {{"free_bytes", std::to_string(*free)}, {"reserve_bytes", std::to_string(options_.disk_reserve)}});
}

void Maintenance::run_once() {
  const bool retention_due = options_.retention_enabled && clock_.steady() >= next_retention_;
  note("expiry by size", "", expire_by_size());
  for (auto* tenant : storage_.tenants()) {
    if (retention_due) note("expiry", tenant->tenant(), expire(*tenant));
    if (stop_) return;
    erase(*tenant);
    if (stop_) return;
    note("merge", tenant->tenant(), merge(*tenant));
    if (stop_) return;
  }
  if (retention_due) next_retention_ = clock_.steady() + options_.retention_interval;
}

void Maintenance::note(std::string_view step, const std::string& tenant, const Result<void>& result) {
  if (result || result.error().code() == ErrorCode::kCancelled) return;
  ++failures_;
  log::warn("maintenance", "step failed, will be tried again",
            {{"step", std::string(step)}, {"tenant", tenant}, {"reason", result.error().message()}});
}

Result<void> Maintenance::expire(ingest::TenantStorage& tenant) {
  const RetentionSettings settings = options_.retention ? options_.retention(tenant.tenant()) : RetentionSettings();
  if (settings.retention_period.count() == 0 && settings.retention_stream.empty()) return {};
  ingest::ManifestEdit edit;
  std::uint64_t rows = 0;
  std::vector<SegmentPtr> mixed;
  for (const auto& segment : tenant.segments()->segments) {
    const auto streams = segment->streams();
    const auto expired = std::count_if(streams.begin(), streams.end(), [&](const auto& stream) {
      return is_expired(settings, *tenant.index().labels(stream.id), stream.last, clock_.now());
    });
    if (static_cast<std::size_t>(expired) == streams.size()) {
      edit.removed.push_back(segment->info().id);
      rows += segment->info().rows;
    } else {
      mixed.push_back(segment);
    }
  }
  // Whose streams these have is not known.
  const Duration longest = longest_retention(settings);
  for (const auto& segment : tenant.segments()->unreadable) {
    if (longest.count() == 0 || segment.info.last >= clock_.now() - longest) continue;
    edit.removed.push_back(segment.info.id);
    rows += segment.info.rows;
  }
  if (!edit.removed.empty()) {
    edit.flushed_floor = ingester_.durable_floor();
    KVASIR_CHECK_OK(tenant.commit(edit, {}));
    segments_expired_ += edit.removed.size();
    rows_expired_ += rows;
    log::info("maintenance", "segments expired",
              {{"tenant", tenant.tenant()},
               {"segments", std::to_string(edit.removed.size())},
               {"rows", std::to_string(rows)}});
  }
  for (const auto& segment : mixed) {
    note("expiry", tenant.tenant(), expire_parts(tenant, segment, settings));
    if (stop_) return {};
  }
  return {};
}

/// Removes the oldest segments of all tenants while they take more room than they may.
Result<void> Maintenance::expire_by_size() {
  if (options_.size_max == 0) return {};
  struct Candidate {
    ingest::TenantStorage* tenant;
    ingest::SegmentInfo info;
  };
  std::vector<Candidate> all;
  std::uint64_t bytes = 0;
  for (auto* tenant : storage_.tenants()) {
    for (const auto& segment : tenant->segments()->segments) {
      all.push_back({tenant, segment->info()});
      bytes += segment->info().file_bytes;
    }
  }
  if (bytes <= options_.size_max) return {};
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.info.last < b.info.last; });
  for (const auto& [tenant, info] : all) {
    if (bytes <= options_.size_max) break;
    ingest::ManifestEdit edit;
    edit.removed.push_back(info.id);
    edit.flushed_floor = ingester_.durable_floor();
    KVASIR_CHECK_OK(tenant->commit(edit, {}));
    bytes -= info.file_bytes;
    ++segments_expired_;
    rows_expired_ += info.rows;
    log::info("maintenance", "oldest segment removed to keep the size",
              {{"tenant", tenant->tenant()},
               {"rows", std::to_string(info.rows)},
               {"bytes", std::to_string(info.file_bytes)}});
  }
  return {};
}

/// Rewrites a segment without its expired blocks, when there are enough of them.
Result<void> Maintenance::expire_parts(ingest::TenantStorage& tenant, const SegmentPtr& segment,
                                       const RetentionSettings& settings) {
  const TimestampNs now = clock_.now();
  const bool old_enough = std::any_of(segment->streams().begin(), segment->streams().end(), [&](const auto& stream) {
    return is_expired(settings, *tenant.index().labels(stream.id), stream.first, now);
  });
  if (!old_enough) return {};
  KVASIR_TRY(const auto reader, segment->reader());
  std::uint64_t expired_bytes = 0;
  for (const auto& block : reader->blocks()) {
    const auto& labels = reader->streams()[block.stream].labels;
    if (is_expired(settings, labels, block.last.timestamp, now)) expired_bytes += block.line_bytes;
  }
  if (static_cast<double>(expired_bytes) < kExpiredPartMin * static_cast<double>(segment->info().line_bytes)) return {};
  ingest::RewriteOptions rewrite;
  rewrite.stop = [this] { return stop_.load(); };
  rewrite.also.flushed_floor = ingester_.durable_floor();
  rewrite.keep = [&](const Labels& stream, chunks::Block& block, chunks::RowBits rows) -> Result<void> {
    if (is_expired(settings, stream, {block.timestamps().back()}, now))
      std::fill(rows.words.begin(), rows.words.end(), 0);
    return {};
  };
  KVASIR_TRY(const auto outcome, ingest::rewrite_segments(tenant, std::span(&segment, 1), filesystem_, rewrite));
  rows_expired_ += outcome.rows_before - outcome.rows_after;
  return {};
}

/// One request that cannot be carried out, for a segment that cannot be read, does not keep the others waiting.
void Maintenance::erase(ingest::TenantStorage& tenant) {
  if (options_.retention && options_.retention(tenant.tenant()).deletion_mode != "filter-and-delete") return;
  for (const auto& request : deletes_.active(tenant.tenant())) {
    if (clock_.now() - request->request().created < options_.delete_cancel_period) continue;
    note("erasing", tenant.tenant(), erase_one(tenant, *request));
    if (stop_) return;
  }
}

Result<void> Maintenance::erase_one(ingest::TenantStorage& tenant, const CompiledDelete& request) {
  const auto& asked = request.request();
  KVASIR_CHECK_OK(tenant.segments()->check_readable({asked.start, asked.end + Duration(1)}));
  KVASIR_CHECK_OK(ingester_.flush());   // what was pushed before is in segments now
  const std::uint64_t floor = ingester_.durable_floor();
  std::vector<SegmentPtr> touched;
  for (const auto& segment : tenant.segments()->segments) {
    if (segment->info().last_sequence < floor && may_touch(request, *segment, tenant.index()))
      touched.push_back(segment);
  }
  ingest::RewriteOptions rewrite;
  rewrite.stop = [this] { return stop_.load(); };
  rewrite.also.flushed_floor = floor;
  rewrite.keep = [&](const Labels& stream, chunks::Block& block, chunks::RowBits rows) -> Result<void> {
    const auto times = block.timestamps();
    if (!request.touches(stream, {times.front()}, {times.back()})) return {};
    return clear_deleted(request, stream, block, rows);
  };
  for (std::size_t i = 0; i < touched.size(); ++i) {
    KVASIR_TRY(const auto outcome, ingest::rewrite_segments(tenant, std::span(&touched[i], 1), filesystem_, rewrite));
    rows_erased_ += outcome.rows_before - outcome.rows_after;
    const auto percent = static_cast<std::uint32_t>((i + 1) * 99 / touched.size());
    KVASIR_CHECK_OK(deletes_.set_progress(tenant.tenant(), request.request().id, percent, floor));
  }
  KVASIR_CHECK_OK(deletes_.set_progress(tenant.tenant(), request.request().id, 100, floor));
  ++processed_;
  log::info("maintenance", "delete request processed",
            {{"tenant", tenant.tenant()}, {"id", request.request().id}, {"segments", std::to_string(touched.size())}});
  return {};
}

std::function<void(std::uint64_t)> Maintenance::pace_of_merge() {
  return [this, start = clock_.steady(), cpu_start = thread_cpu(),
          done = ingest::WorkDone()](std::uint64_t more) mutable {
    const Duration cpu = thread_cpu() - cpu_start;
    merge_bytes_ += more;
    merge_cpu_ += static_cast<std::uint64_t>((cpu - done.cpu).count());
    done = {clock_.steady() - start, cpu, done.bytes + more};
    const Duration pause = ingest::pause_due(options_.merge_budget, done);
    if (pause < kPauseMin) return;
    MutexLock lock(mutex_);
    (void)wake_.wait_for(lock, pause, [&] { return stop_.load(); });
  };
}

Result<void> Maintenance::merge(ingest::TenantStorage& tenant) {
  const auto pace = pace_of_merge();
  while (!stop_) {
    const auto chosen = ingest::choose_merge(*tenant.segments(), options_.merge);
    if (chosen.empty()) return {};
    ingest::RewriteOptions rewrite;
    rewrite.stop = [this] { return stop_.load(); };
    rewrite.pace = std::cref(pace);
    const auto merged = ingest::rewrite_segments(tenant, chosen, filesystem_, rewrite);
    if (!merged) {
      if (merged.error().code() == ErrorCode::kCorruption) look_for_damage(chosen);
      return fail(merged.error());
    }
    const auto& outcome = *merged;
    pace(0);  // what was done since the last block: ids, index, writing
    ++merges_;
    merge_rows_ += outcome.rows_after;
    merge_rows_copied_ += outcome.rows_copied;
    log::debug("maintenance", "segments merged",
               {{"tenant", tenant.tenant()}, {"segments", std::to_string(chosen.size())},
                {"rows", std::to_string(outcome.rows_after)}});
  }
  return {};
}

MaintenanceCounters Maintenance::counters() const {
  return {merges_,     segments_expired_,  rows_expired_, rows_erased_,
          processed_,  failures_,          merge_rows_,   merge_rows_copied_,
          merge_bytes_, Duration(static_cast<Duration::rep>(merge_cpu_.load()))};
}

}  // namespace kvasir::server
