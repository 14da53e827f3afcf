#include "ingest/ingester.h"

#include <algorithm>
#include <map>
#include <shared_mutex>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "common/assert.h"
#include "common/log.h"
#include "ingest/admission.h"
#include "ingest/flush.h"
#include "ingest/push_verdicts.h"
#include "ingest/replay.h"

namespace kvasir::ingest {
namespace {

constexpr Duration kTick = std::chrono::seconds(1);
constexpr std::uint64_t kSmallChunkBytes =
    64 << 10;  // memory is not looked for in smaller ones first: their blocks pack badly
constexpr Duration kFlushRetryDelay = std::chrono::seconds(1);
constexpr Duration kThrottleMax = std::chrono::seconds(10);  // an acknowledgement waits at most so long for the flush

struct Tenant {
  Tenant(TenantStorage& storage, HeadOptions options, const std::shared_ptr<MemoryBudget>& budget,
         std::atomic<std::uint32_t>& next_number)
      : head(storage, options, budget, next_number) {}
  TenantHead head;
  Mutex flush_mutex;              // one flush at a time
  std::atomic<Duration::rep> retry_at{0};
};

/// Records are about as large as the pushes, so their memory is used again.
class RecordPool {
 public:
  std::string take() {
    MutexLock lock(mutex_);
    if (free_.empty()) return {};
    std::string record = std::move(free_.back());
    free_.pop_back();
    return record;
  }
  void give_back(std::string record) {
    if (record.capacity() > kRecordBytesMax) return;
    MutexLock lock(mutex_);
    if (free_.size() < kRecordsMax) free_.push_back(std::move(record));
  }

 private:
  static constexpr std::size_t kRecordsMax = 6;
  static constexpr std::size_t kRecordBytesMax = 4 << 20;
  Mutex mutex_;
  std::vector<std::string> free_ KVASIR_GUARDED_BY(mutex_);
};

/// A batch with what belongs to it on its way to the head.
struct Batch final : WalBatch {
  Tenant* owner = nullptr;
  std::vector<StreamSlot*> slots;   // in the order of the payload
  std::uint64_t charge = 0;
  std::uint64_t bytes = 0;
  Rejections rejections;
  std::shared_ptr<PushVerdicts> verdicts;             // null unless asked for
  std::vector<std::vector<std::uint32_t>> numbers;    // of the entries of each slot, for the verdicts
  Ingester::Callback callback;
};

class IngesterImpl final : public Ingester {
 public:
  IngesterImpl(IngesterOptions options, Storage& storage, Filesystem& filesystem, const Clock& clock,
               MemoryBudget& budget)
      : options_(std::move(options)),
        storage_(storage),
        filesystem_(filesystem),
        clock_(clock),
        budget_(std::make_shared<MemoryBudget>("ingest head", options_.head_bytes_max + options_.wal_queue_bytes_max,
                                               &budget)) {}
  ~IngesterImpl() override { close(false); }

  Result<void> start() {
    if (options_.ledger_path.empty()) options_.ledger_path = options_.wal_directory + ".ledger";
    KVASIR_TRY(ledger_, Ledger::open(filesystem_, options_.ledger_path));
    ReplayTarget target;
    target.ledger = ledger_.get();
    target.on_progress = options_.on_replay;
    target.head = [this](std::string_view name) -> TenantHead& { return tenant(name).head; };
    target.charge = [this](std::uint64_t bytes) { return budget_->charge(bytes).has_value(); };
    target.after_file = [this]() -> Result<void> {
      return budget_->used_bytes() > options_.head_bytes_max ? flush_everything() : Result<void>();
    };
    KVASIR_TRY(auto outcome, replay_wal(options_.wal_directory, filesystem_, clock_, storage_, target));
    replayed_entries_ = outcome.entries;
    applied_sequence_ = outcome.start.next_sequence - 1;
    if (!outcome.start.files.empty()) {
      log::info("ingest", "write-ahead log replayed",
                {{"files", std::to_string(outcome.start.files.size())}, {"entries", std::to_string(outcome.entries)},
                 {"in_segments", std::to_string(outcome.flushed)}});
    }
    WalOptions wal{.directory = options_.wal_directory, .ledger = ledger_.get(), .sync = options_.wal_sync,
                   .sync_interval = options_.wal_sync_interval, .file_bytes = options_.wal_segment_bytes,
                   .queue_bytes_max = options_.wal_queue_bytes_max, .rotate_bytes_min = options_.wal_rotate_bytes_min,
                   .on_fatal = options_.on_fatal};
    wal_ = std::make_unique<Wal>(
        std::move(wal), std::move(outcome.start), filesystem_, clock_,
        [this](WalGroup group, const Result<void>& written) { hand_on(std::move(group), written); });
    apply_thread_ = std::thread([this] { run_apply(); });
    const std::uint32_t flushers =
        std::min(options_.flush_threads, std::max(1u, std::thread::hardware_concurrency() / 2));
    for (std::uint32_t i = 0; options_.background && i < flushers; ++i) {
      flush_threads_.emplace_back([this] { run_flush(); });
    }
    return {};
  }

  void push(PushBatch batch, Callback callback) override {
    auto admitted = admit(batch, callback);
    if (!admitted) return callback(fail(admitted.error()));
    if (*admitted == nullptr) return;  // answered
    Batch* const item = admitted->get();
    const std::uint64_t charge = item->charge;
    if (auto charged = budget_->charge(charge); !charged) {
      wake_flush();
      return item->callback(
          fail(ErrorCode::kUnavailable, "out of memory for new entries: " + charged.error().message()));
    }
    // On failure the queue drops the batch, and the callback with it.
    const Callback answer = item->callback;
    if (auto queued = wal_->enqueue(std::move(*admitted)); !queued) {
      budget_->release(charge);
      answer(fail(queued.error()));
    }
  }

  Result<void> flush() override { return flush_everything(); }
  void set_read_only(bool read_only) override { read_only_ = read_only; }
  void set_low_on_disk(bool low) override { low_on_disk_ = low; }
  void close(bool flush_first) override;

  TenantSnapshot snapshot(std::string_view name, std::span<const index::StreamId> ids, TimeRange range) const override {
    TenantSnapshot out;
    if (const Tenant* found = find_tenant(name)) {
      const_cast<Tenant*>(found)->head.storage().with_snapshot([&](const auto& segments) {
        out.segments = segments;
        found->head.snapshot(ids, range, out.head);
      });
    } else if (const TenantStorage* stored = storage_.find(name)) {
      out.segments = stored->segments();
    } else {
      out.segments = std::make_shared<const SegmentSet>();
    }
    return out;
  }

  std::uint64_t add_listener(ApplyListener listener) override {
    MutexLock lock(listener_mutex_);
    listeners_.emplace(++next_listener_, std::move(listener));
    has_listeners_ = true;
    return next_listener_;
  }
  void remove_listener(std::uint64_t id) override {
    MutexLock lock(listener_mutex_);
    listeners_.erase(id);
    has_listeners_ = !listeners_.empty();
  }
  IngesterCounters counters() const override;
  std::uint64_t durable_floor() const override { return oldest_unflushed(); }
  const Ledger& ledger() const override { return *ledger_; }

 private:
  struct Durable {
    WalGroup group;
    Result<void> written;
  };

  Tenant& tenant(std::string_view name);
  const Tenant* find_tenant(std::string_view name) const {
    const std::shared_lock lock(tenants_mutex_);
    const auto found = tenants_.find(name);
    return found == tenants_.end() ? nullptr : found->second.get();
  }
  std::vector<Tenant*> all_tenants() const {
    const std::shared_lock lock(tenants_mutex_);
    std::vector<Tenant*> all;
    for (const auto& [name, item] : tenants_) all.push_back(item.get());
    return all;
  }

  Result<std::unique_ptr<Batch>> admit(const PushBatch& batch, Callback& callback);
  void hand_on(WalGroup group, const Result<void>& written);
  void run_apply();
  void throttle();
  void apply_group(Durable& durable);
  void apply_batch(Batch& batch);
  void tell_listeners(const Batch& batch, std::span<const AppliedStream> streams);

  void run_flush();
  void wake_flush() {
    MutexLock lock(flush_mutex_);
    flush_wanted_ = true;
    flush_work_.notify_one();
  }
  void seal_what_is_due();
  void seal_for_memory();
  bool is_due(Tenant& tenant) const;
  Result<bool> flush_once(Tenant& tenant);
  Result<void> flush_everything();
  std::uint64_t oldest_unflushed() const;

  IngesterOptions options_;
  Storage& storage_;
  Filesystem& filesystem_;
  const Clock& clock_;
  std::shared_ptr<MemoryBudget> budget_;   // chunks that queries hold may outlive the ingester
  std::atomic<std::uint32_t> next_stream_number_{1};
  std::atomic<bool> read_only_{false};
  std::atomic<bool> low_on_disk_{false};
  std::atomic<bool> closing_{false};

  mutable std::shared_mutex tenants_mutex_;
  std::map<std::string, std::unique_ptr<Tenant>, std::less<>> tenants_;

  RecordPool records_;
  std::unique_ptr<Ledger> ledger_;   // outlives the log
  std::unique_ptr<Wal> wal_;
  std::thread apply_thread_;
  Mutex apply_mutex_;
  Condition apply_work_;
  std::deque<Durable> durable_ KVASIR_GUARDED_BY(apply_mutex_);
  bool apply_stop_ KVASIR_GUARDED_BY(apply_mutex_) = false;
  std::atomic<std::uint64_t> applied_sequence_{0};
  BatchStream rows_;   // only the apply thread

  std::vector<std::thread> flush_threads_;
  Mutex flush_mutex_;
  Condition flush_work_;
  Condition memory_freed_;
  bool flush_wanted_ KVASIR_GUARDED_BY(flush_mutex_) = false;
  bool flush_stop_ KVASIR_GUARDED_BY(flush_mutex_) = false;

  Mutex listener_mutex_;
  std::map<std::uint64_t, ApplyListener> listeners_ KVASIR_GUARDED_BY(listener_mutex_);
  std::uint64_t next_listener_ KVASIR_GUARDED_BY(listener_mutex_) = 0;
  std::atomic<bool> has_listeners_{false};

  std::atomic<std::uint64_t> batches_{0}, entries_{0}, bytes_{0}, duplicates_{0}, repeated_{0};
  std::atomic<std::uint64_t> segments_written_{0}, flush_failures_{0}, verify_failures_{0}, replayed_entries_{0};
};

Tenant& IngesterImpl::tenant(std::string_view name) {
  if (const Tenant* known = find_tenant(name)) return const_cast<Tenant&>(*known);
  const std::unique_lock lock(tenants_mutex_);
  auto& slot = tenants_[std::string(name)];
  if (slot == nullptr) {
    TenantStorage* stored = storage_.find_or_create(name);
    slot = std::make_unique<Tenant>(*stored, HeadOptions{options_.chunk_bytes}, budget_, next_stream_number_);
    slot->head.set_flushed_floor(stored->flushed_floor());
    stored->on_days_lost([head = &slot->head] { head->note_days(); });
  }
  return *slot;
}

/// The batch ready for the log, or nullptr if it has been answered.
Result<std::unique_ptr<Batch>> IngesterImpl::admit(const PushBatch& batch, Callback& callback) {
  if (closing_) return fail(ErrorCode::kUnavailable, "the server is shutting down");
  if (read_only_) return fail(ErrorCode::kUnavailable, "the server is read-only");
  if (low_on_disk_)
    return fail(ErrorCode::kUnavailable, "the disk is nearly full: nothing is stored until there is room");
  const bool known = batch.origin && wal_->origin_end(batch.tenant, batch.origin->source) >= batch.origin->end_offset;
  if (known) ++repeated_;
  const bool covers = batch.origin && !batch.origin->covers.empty();
  if (known && batch.verdicts != nullptr) batch.verdicts->repeat_all();
  if (known || (batch.empty() && !covers)) {
    callback(Rejections());
    return nullptr;
  }
  Tenant& owner = tenant(batch.tenant);
  const AdmitLimits limits = options_.limits ? options_.limits(batch.tenant) : AdmitLimits();
  Admission admission = admit_streams(owner.head, batch, limits);
  if (admission.streams.empty() && (!covers || !admission.rejections.empty())) {
    callback(std::move(admission.rejections));
    return nullptr;
  }
  auto item = std::make_unique<Batch>();
  item->owner = &owner;
  item->tenant = batch.tenant;
  // A refused part will be sent again under the same range, and must not be taken for known then.
  if (admission.rejections.empty()) item->origin = batch.origin;
  item->rejections = std::move(admission.rejections);
  item->callback = std::move(callback);
  item->record = records_.take();
  item->record.reserve(kWalRecordHeaderBytes + admission.bytes + admission.entries * 12 +
                       64 * admission.streams.size());
  reserve_wal_header(item->record);
  append_batch_head(item->record, batch.tenant, item->origin, admission.streams.size());
  for (const auto& stream : admission.streams) {
    append_batch_stream(item->record, stream.slot->number, stream.entries);
    item->streams.push_back({stream.slot->number, stream.slot->identity});
    item->slots.push_back(stream.slot);
  }
  if (batch.verdicts != nullptr) {
    item->verdicts = batch.verdicts;
    for (auto& stream : admission.streams) item->numbers.push_back(std::move(stream.numbers));
  }
  item->entries = admission.entries;
  item->bytes = admission.bytes;
  item->charge = head_charge(admission.entries, admission.bytes);
  if (item->record.size() - kWalRecordHeaderBytes > kWalPayloadBytesMax) {
    return fail(ErrorCode::kLimitExceeded, fmt::format("push of {} bytes is over the limit of {} bytes for one batch",
                                                       item->record.size(), kWalPayloadBytesMax));
  }
  return item;
}

void IngesterImpl::hand_on(WalGroup group, const Result<void>& written) {
  MutexLock lock(apply_mutex_);
  durable_.push_back({std::move(group), written});
  apply_work_.notify_one();
}

void IngesterImpl::run_apply() {
  for (;;) {
    std::deque<Durable> work;
    {
      MutexLock lock(apply_mutex_);
      apply_work_.wait(lock, [&] { return !durable_.empty() || apply_stop_; });
      if (durable_.empty()) return;
      work.swap(durable_);
    }
    for (auto& durable : work) apply_group(durable);
  }
}

/// Over the budget: lets the flush catch up before more is taken in and acknowledged.
void IngesterImpl::throttle() {
  if (budget_->used_bytes() <= options_.head_bytes_max || !options_.background) return;
  wake_flush();
  MutexLock lock(flush_mutex_);
  (void)memory_freed_.wait_for(lock, kThrottleMax, [&] {
    return budget_->used_bytes() <= options_.head_bytes_max || closing_ || flush_stop_;
  });
}

void IngesterImpl::apply_group(Durable& durable) {
  if (durable.written) throttle();
  for (auto& base : durable.group) {
    auto& batch = static_cast<Batch&>(*base);
    const bool apply = durable.written && !batch.repeated;
    if (apply) {
      apply_batch(batch);
    } else {
      budget_->release(batch.charge);
      if (batch.repeated) ++repeated_;
      if (batch.repeated && batch.verdicts != nullptr) batch.verdicts->repeat_all();
    }
    const Callback callback = std::move(batch.callback);
    Result<Rejections> answer = std::move(batch.rejections);
    if (!durable.written) answer = fail(durable.written.error());
    const std::uint64_t record_bytes = batch.record.size();
    records_.give_back(std::move(batch.record));
    base.reset();
    wal_->release_queue(record_bytes);  // before the answer, so that the next push of the same client finds room
    callback(std::move(answer));
  }
  if (budget_->used_bytes() > options_.head_bytes_max / 4 * 3) wake_flush();
}

void IngesterImpl::apply_batch(Batch& batch) {
  auto reader = BatchReader::open(std::string_view(batch.record).substr(kWalRecordHeaderBytes));
  KVASIR_ASSERT(reader.has_value(), "own wal record cannot be read");
  const bool listened = has_listeners_;
  std::vector<std::vector<EntryView>> appended(listened ? batch.slots.size() : 0);
  std::uint64_t sequence = batch.first_sequence;
  const Duration now = clock_.steady();
  for (std::size_t i = 0; i < batch.slots.size(); ++i) {
    const auto more = reader->next(rows_);
    KVASIR_ASSERT(more.has_value() && *more, "own wal record cannot be read");
    const auto applied = batch.owner->head.apply(*batch.slots[i], rows_, sequence, now, true,
                                                 listened ? &appended[i] : nullptr);
    duplicates_ += applied.repeated.size();
    if (batch.verdicts != nullptr) {
      for (const auto row : applied.repeated) batch.verdicts->repeat(batch.numbers[i][row]);
    }
    sequence += rows_.size();
  }
  applied_sequence_ = std::max(sequence - 1, batch.first_sequence);
  ++batches_;
  entries_ += batch.entries;
  bytes_ += batch.bytes;
  if (!listened) return;
  std::vector<AppliedStream> streams;
  for (std::size_t i = 0; i < batch.slots.size(); ++i) {
    if (!appended[i].empty()) streams.push_back({batch.slots[i]->identity, appended[i]});
  }
  tell_listeners(batch, streams);
}

void IngesterImpl::tell_listeners(const Batch& batch, std::span<const AppliedStream> streams) {
  MutexLock lock(listener_mutex_);  // only adding and removing a listener waits for this
  for (const auto& [id, listener] : listeners_) listener(batch.tenant, streams);
}

/// Seals all chunks but small ones, and of these the largest while they hold more than a quarter of the memory. Nearly
/// all streams at once, so that the ids that they share meet in one segment.
void IngesterImpl::seal_for_memory() {
  std::vector<std::uint64_t> charges;
  for (Tenant* item : all_tenants()) {
    const auto some = item->head.active_charges();
    charges.insert(charges.end(), some.begin(), some.end());
  }
  std::sort(charges.begin(), charges.end());
  std::uint64_t kept = 0;
  std::size_t i = 0;
  while (i < charges.size() && charges[i] < kSmallChunkBytes && kept + charges[i] <= options_.head_bytes_max / 4) {
    kept += charges[i++];
  }
  if (i == charges.size()) return;
  for (Tenant* item : all_tenants())
    item->head.seal({.bytes_min = std::max<std::uint64_t>(charges[i], 1)}, clock_.steady());
}

void IngesterImpl::seal_what_is_due() {
  const Duration now = clock_.steady();
  TenantHead::SealRule rule{.idle_since = now - options_.chunk_idle, .active_before = now - options_.chunk_age_max};
  if (wal_->bytes() > options_.wal_bytes_max) rule.sequence_max = wal_->oldest_file_last_sequence().value_or(0);
  for (Tenant* item : all_tenants()) item->head.seal(rule, now);
  if (budget_->used_bytes() <= options_.head_bytes_max / 4 * 3) return;
  std::uint64_t pending = 0;
  for (Tenant* item : all_tenants()) pending += item->head.pending().bytes;
  if (pending < options_.head_bytes_max / 4) seal_for_memory();
}

bool IngesterImpl::is_due(Tenant& item) const {
  const Duration now = clock_.steady();
  if (now.count() < item.retry_at) return false;
  const auto pending = item.head.pending();
  if (!pending.oldest) return false;
  const bool short_of_memory = budget_->used_bytes() > options_.head_bytes_max / 4 * 3;
  return short_of_memory || pending.bytes >= options_.segment_bytes || now - *pending.oldest >= options_.flush_delay;
}

void IngesterImpl::run_flush() {
  for (;;) {
    {
      MutexLock lock(flush_mutex_);
      (void)flush_work_.wait_for(lock, kTick, [&] { return flush_wanted_ || flush_stop_; });
      flush_wanted_ = false;
      if (flush_stop_) return;
    }
    seal_what_is_due();
    for (Tenant* item : all_tenants()) {
      while (is_due(*item)) {
        // Chunks that will be full soon go along: better one segment with all streams than each stream in its own.
        item->head.seal({.bytes_min = options_.chunk_bytes / 2}, clock_.steady());
        const auto flushed = flush_once(*item);
        if (!flushed) {
          item->retry_at = (clock_.steady() + kFlushRetryDelay).count();
          log::warn("flush", "segment not written, will be tried again",
                    {{"tenant", item->head.storage().tenant()}, {"reason", flushed.error().message()}});
        }
        if (!flushed || !*flushed) break;
      }
    }
  }
}

/// False: nothing was pending.
Result<bool> IngesterImpl::flush_once(Tenant& item) {
  MutexLock flushing(item.flush_mutex);
  auto chunks = item.head.take_pending(options_.segment_bytes);
  if (chunks.empty()) return false;
  auto outcome = flush_chunks(item.head, chunks, filesystem_, options_.block_bytes);
  if (!outcome) {
    ++flush_failures_;
    item.head.put_back(std::move(chunks));
    return fail(outcome.error());
  }
  ++segments_written_;
  verify_failures_ += outcome->verify_failures;
  chunks.clear();
  flushing.unlock();
  if (wal_ != nullptr) wal_->cut(oldest_unflushed());
  MutexLock lock(flush_mutex_);
  memory_freed_.notify_all();
  return true;
}

Result<void> IngesterImpl::flush_everything() {
  for (Tenant* item : all_tenants()) item->head.seal({.bytes_min = 0}, clock_.steady());
  for (Tenant* item : all_tenants()) {
    for (;;) {
      KVASIR_TRY(const bool flushed, flush_once(*item));
      if (!flushed) break;
    }
    MutexLock running(item->flush_mutex);  // one that a flush thread took before us
  }
  return {};
}

/// Every row with a smaller sequence is in a segment.
std::uint64_t IngesterImpl::oldest_unflushed() const {
  std::uint64_t floor = applied_sequence_ + 1;   // read before the heads: what is applied meanwhile is above it
  for (const Tenant* item : all_tenants()) floor = std::min(floor, item->head.oldest_sequence());
  return floor;
}

void IngesterImpl::close(bool flush_first) {
  if (closing_.exchange(true)) return;
  if (wal_ != nullptr) wal_->close();
  {
    MutexLock lock(apply_mutex_);
    apply_stop_ = true;
    apply_work_.notify_one();
  }
  if (apply_thread_.joinable()) apply_thread_.join();
  {
    MutexLock lock(flush_mutex_);
    flush_stop_ = true;
    flush_work_.notify_all();
    memory_freed_.notify_all();
  }
  for (auto& thread : flush_threads_) thread.join();
  flush_threads_.clear();
  const auto flushed = flush_first ? flush_everything() : Result<void>();
  if (!flushed) {
    log::warn("ingest", "head not flushed; the write-ahead log has it", {{"reason", flushed.error().message()}});
  }
  for (Tenant* item : all_tenants()) item->head.storage().on_days_lost({});
}

IngesterCounters IngesterImpl::counters() const {
  IngesterCounters out;
  out.batches = batches_;
  out.entries = entries_;
  out.bytes = bytes_;
  out.duplicates = duplicates_;
  out.repeated_batches = repeated_;
  out.wal_bytes_written = wal_->bytes_written();
  out.wal_syncs = wal_->syncs();
  out.wal_bytes = wal_->bytes();
  out.wal_queue_bytes = wal_->queue_bytes();
  out.head_bytes = budget_->used_bytes();
  for (const Tenant* item : all_tenants()) {
    out.active_streams += item->head.active_streams();
    out.head_chunks += item->head.active_charges().size() + item->head.pending().chunks;
  }
  out.segments_written = segments_written_;
  out.flush_failures = flush_failures_;
  out.flush_verify_failures = verify_failures_;
  out.replayed_entries = replayed_entries_;
  return out;
}

}  // namespace

std::optional<WalSync> parse_wal_sync(std::string_view text) {
  if (text == "group") return WalSync::kGroup;
  if (text == "interval") return WalSync::kInterval;
  if (text == "never") return WalSync::kNever;
  return std::nullopt;
}

Result<std::unique_ptr<Ingester>> Ingester::open(IngesterOptions options, Storage& storage, Filesystem& filesystem,
                                                 const Clock& clock, MemoryBudget& budget) {
  auto ingester = std::make_unique<IngesterImpl>(std::move(options), storage, filesystem, clock, budget);
  KVASIR_CHECK_OK(ingester->start());
  return ingester;
}

}  // namespace kvasir::ingest
