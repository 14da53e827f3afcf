#include "ingest/tenant_head.h"

#include <algorithm>
#include <iterator>
#include <mutex>

namespace kvasir::ingest {
namespace {

constexpr std::int64_t kDayNs = std::int64_t{24} * 3600 * 1'000'000'000;

std::shared_ptr<const Labels> labels_of(const std::shared_ptr<const StreamIdentity>& identity) {
  return {identity, &identity->labels};
}

}  // namespace

TenantHead::TenantHead(TenantStorage& storage, HeadOptions options, std::shared_ptr<MemoryBudget> budget,
                       std::atomic<std::uint32_t>& next_number)
    : storage_(storage), options_(options), budget_(std::move(budget)), next_number_(next_number) {}

StreamSlot* TenantHead::slot_at(index::StreamId id) const {
  const std::shared_lock lock(slots_mutex_);
  return id < slots_.size() ? slots_[id].get() : nullptr;
}

std::vector<StreamSlot*> TenantHead::all_slots() const {
  const std::shared_lock lock(slots_mutex_);
  std::vector<StreamSlot*> all;
  for (const auto& slot : slots_) {
    if (slot != nullptr) all.push_back(slot.get());
  }
  return all;
}

bool TenantHead::is_empty(StreamSlot& slot) const {
  MutexLock lock(shard(slot));
  return slot.empty();
}

StreamSlot* TenantHead::find_or_add(const std::shared_ptr<const StreamIdentity>& identity, std::uint64_t streams_max,
                                    std::uint64_t opening) {
  const bool full = streams_max > 0 && active_streams_ + opening >= streams_max;
  if (full) {
    const auto known = storage_.index().find(identity->fingerprint, identity->labels);
    StreamSlot* const slot = known ? slot_at(*known) : nullptr;
    if (slot == nullptr) return nullptr;
    MutexLock lock(shard(*slot));
    return slot->empty() ? nullptr : slot;
  }
  const auto id = storage_.index().find_or_add(identity->fingerprint, labels_of(identity));
  if (StreamSlot* known = slot_at(id)) return known;
  const std::unique_lock lock(slots_mutex_);
  if (slots_.size() <= id) slots_.resize(id + 1);
  auto& slot = slots_[id];
  if (slot == nullptr) {
    slot = std::make_unique<StreamSlot>();
    slot->id = id;
    slot->number = next_number_++;
    slot->identity = identity;
  }
  return slot.get();
}

std::vector<TenantHead::TooOld> TenantHead::check_order(StreamSlot& slot, std::span<const EntryView> entries,
                                                        Duration window) {
  std::vector<TooOld> refused;
  MutexLock lock(shard(slot));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::int64_t t = entries[i].timestamp.value;
    const bool bounded = window.count() > 0 && slot.newest_admitted > TimestampNs::min().value + window.count();
    if (bounded && t < slot.newest_admitted - window.count()) {
      refused.push_back({i, {slot.newest_admitted - window.count()}});
    } else {
      slot.newest_admitted = std::max(slot.newest_admitted, t);
    }
  }
  return refused;
}

void TenantHead::note_day(StreamSlot& slot, const BatchStream& rows) {
  const auto [low, high] = std::minmax_element(rows.timestamps.begin(), rows.timestamps.end());
  const std::int64_t day = *high / kDayNs;
  if (*low / kDayNs == day && day == slot.noted_day && *low >= 0) return;
  storage_.index().note_data(slot.id, {*low}, {*high});
  slot.noted_day = day;
}

HeadChunk& TenantHead::chunk_with_room(StreamSlot& slot, std::uint64_t sequence, std::int64_t timestamp, Duration now) {
  if (slot.active != nullptr) {
    const auto& summary = slot.active->summary();
    const bool full = is_full(summary.line_bytes, summary.last.value, timestamp);
    if (full || slot.active->room(sequence) == 0) seal_locked(slot, now);
  }
  if (slot.active == nullptr) {
    if (slot.sealed.empty()) ++active_streams_;
    slot.active = std::make_shared<HeadChunk>([budget = budget_](std::uint64_t charge) { budget->release(charge); });
    // Its rows were charged when they were let in; they are durable, so over the budget this goes uncounted.
    if (budget_->charge(kChunkOwnBytes)) slot.active->add_charge(kChunkOwnBytes);
    slot.active_since = now;
  }
  return *slot.active;
}

TenantHead::Applied TenantHead::apply(StreamSlot& slot, const BatchStream& rows, std::uint64_t first_sequence,
                                      Duration now, bool charged, std::vector<EntryView>* appended) {
  Applied applied;
  MutexLock lock(shard(slot));
  note_day(slot, rows);
  slot.last_append = now;
  std::size_t offset = 0;
  for (std::size_t i = 0; i < rows.size();) {
    if (first_sequence + i <= slot.flushed_sequence || first_sequence + i < flushed_floor_) {
      offset += rows.lengths[i++];
      ++applied.flushed;
      continue;
    }
    HeadChunk& chunk = chunk_with_room(slot, first_sequence + i, rows.timestamps[i], now);
    const std::size_t room = chunk.room(first_sequence + i);
    std::size_t end = i;
    std::size_t bytes = 0;
    std::int64_t newest = chunk.summary().last.value;
    while (end < rows.size() && end - i < room &&
           (end == i || !is_full(chunk.summary().line_bytes + bytes, newest, rows.timestamps[end]))) {
      newest = std::max(newest, rows.timestamps[end]);
      bytes += rows.lengths[end++];
    }
    std::string_view kept = chunk.keep(rows.lines.substr(offset, bytes));
    offset += bytes;
    std::uint64_t metadata_bytes = 0;
    const std::size_t run = end - i;
    for (; i < end; ++i) {
      const MetadataSet* set = nullptr;
      if (!rows.sets.empty() && rows.sets[i] > 0) set = chunk.keep(rows.metadata[rows.sets[i] - 1]);
      metadata_bytes += set == nullptr ? 0 : set->bytes;
      const auto line = kept.substr(0, rows.lengths[i]);
      kept.remove_prefix(rows.lengths[i]);
      const bool is_new = chunk.append({rows.timestamps[i]}, first_sequence + i, line, set);
      if (is_new) ++applied.rows;
      else applied.repeated.push_back(static_cast<std::uint32_t>(i));
      if (is_new && appended != nullptr) appended->push_back(chunk.row(chunk.summary().rows - 1));
    }
    if (charged) chunk.add_charge(head_charge(run, bytes + metadata_bytes));
  }
  return applied;
}

void TenantHead::seal_locked(StreamSlot& slot, Duration now) {
  slot.sealed.push_back(slot.active);
  MutexLock lock(pending_mutex_);
  pending_bytes_ += slot.active->charge();
  pending_.push_back({&slot, std::move(slot.active), now});
  slot.active = nullptr;
}

void TenantHead::seal(const SealRule& rule, Duration now) {
  for (StreamSlot* slot : all_slots()) {
    MutexLock lock(shard(*slot));
    if (slot->active == nullptr) continue;
    const bool due = slot->last_append < rule.idle_since || slot->active_since < rule.active_before ||
                     slot->active->summary().first_sequence <= rule.sequence_max ||
                     slot->active->charge() >= rule.bytes_min;
    if (due) seal_locked(*slot, now);
  }
}

std::vector<SealedChunk> TenantHead::take_pending(std::uint64_t bytes) {
  MutexLock lock(pending_mutex_);
  std::vector<SealedChunk> taken;
  for (std::uint64_t sum = 0; !pending_.empty() && (taken.empty() || sum < bytes);) {
    sum += pending_.front().chunk->charge();
    taken.push_back(std::move(pending_.front()));
    pending_.pop_front();
  }
  for (const auto& item : taken) pending_bytes_ -= item.chunk->charge();
  return taken;
}

void TenantHead::put_back(std::vector<SealedChunk> chunks) {
  MutexLock lock(pending_mutex_);
  for (const auto& item : chunks) pending_bytes_ += item.chunk->charge();
  pending_.insert(pending_.begin(), std::make_move_iterator(chunks.begin()), std::make_move_iterator(chunks.end()));
}

TenantHead::Pending TenantHead::pending() const {
  MutexLock lock(pending_mutex_);
  if (pending_.empty()) return {};
  return {pending_bytes_, pending_.size(), pending_.front().sealed_at};
}

void TenantHead::drop_flushed(std::span<const SealedChunk> chunks) {
  for (const auto& item : chunks) {
    MutexLock lock(shard(*item.slot));
    std::erase(item.slot->sealed, item.chunk);
    item.slot->flushed_sequence = std::max(item.slot->flushed_sequence, item.chunk->summary().last_sequence);
    if (item.slot->empty()) --active_streams_;
  }
}

void TenantHead::set_flushed_sequence(StreamSlot& slot, std::uint64_t sequence) {
  MutexLock lock(shard(slot));
  slot.flushed_sequence = std::max(slot.flushed_sequence, sequence);
}

std::uint64_t TenantHead::oldest_sequence() const {
  std::uint64_t oldest = UINT64_MAX;
  for (const StreamSlot* slot : all_slots()) {
    MutexLock lock(shard(*slot));
    if (slot->empty()) continue;
    const HeadChunk& first = slot->sealed.empty() ? *slot->active : *slot->sealed.front();
    oldest = std::min(oldest, first.summary().first_sequence);
  }
  return oldest;
}

std::vector<std::uint64_t> TenantHead::active_charges() const {
  std::vector<std::uint64_t> charges;
  for (const StreamSlot* slot : all_slots()) {
    MutexLock lock(shard(*slot));
    if (slot->active != nullptr) charges.push_back(slot->active->charge());
  }
  return charges;
}

void TenantHead::snapshot(std::span<const index::StreamId> ids, TimeRange range, std::vector<HeadBlock>& out) const {
  for (const index::StreamId id : ids) {
    const StreamSlot* slot = slot_at(id);
    if (slot == nullptr) continue;
    const auto add = [&](const std::shared_ptr<HeadChunk>& chunk) {
      const auto& summary = chunk->summary();
      if (summary.rows > 0 && range.overlaps(summary.first, summary.last)) {
        out.push_back({id, slot->identity, {chunk, summary}});
      }
    };
    MutexLock lock(shard(*slot));
    for (const auto& chunk : slot->sealed) add(chunk);
    if (slot->active != nullptr) add(slot->active);
  }
}

void TenantHead::note_days() {
  for (StreamSlot* slot : all_slots()) {
    std::vector<ChunkSummary> summaries;
    {
      MutexLock lock(shard(*slot));
      slot->noted_day = TimestampNs::min().value;
      for (const auto& chunk : slot->sealed) summaries.push_back(chunk->summary());
      if (slot->active != nullptr) summaries.push_back(slot->active->summary());
    }
    for (const auto& summary : summaries) {
      if (summary.rows > 0) storage_.index().note_data(slot->id, summary.first, summary.last);
    }
  }
}

}  // namespace kvasir::ingest
