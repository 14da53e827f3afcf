#include "server/segment_notes.h"

#include <algorithm>

namespace kvasir::server {
namespace {

constexpr std::uint64_t kPairBytes = 48;  // of a pair of blocks in its set, about

}  // namespace

StepEnds::~StepEnds() {
  for (const auto& slot : by_block_) {
    const std::unique_ptr<const Ends> ends(slot.load(std::memory_order_acquire));
    if (ends != nullptr) budget_.release(bytes_of(*ends));
  }
}

void StepEnds::keep(std::size_t block, Ends ends) {
  if (of(block)) return;
  ends.shrink_to_fit();
  const std::uint64_t bytes = bytes_of(ends);
  if (!budget_.charge(bytes)) return;
  auto fresh = std::make_unique<const Ends>(std::move(ends));
  const Ends* none = nullptr;
  if (by_block_[block].compare_exchange_strong(none, fresh.get(), std::memory_order_acq_rel)) {
    fresh.release();  // the slot's now
  } else {
    budget_.release(bytes);
  }
}

std::shared_ptr<StepEnds> NotedSegment::step_ends(std::int64_t step, std::int64_t phase) {
  MutexLock lock(mutex_);
  auto known = std::find_if(ends_.begin(), ends_.end(), [&](const auto& ends) { return ends->is_for(step, phase); });
  if (known == ends_.end()) {
    if (ends_.size() == kStepsKept) ends_.erase(ends_.begin());
    ends_.push_back(std::make_shared<StepEnds>(step, phase, blocks_, budget_));
  } else {
    std::rotate(known, known + 1, ends_.end());
  }
  return ends_.back();
}

void NotedSegment::forget_ends() {
  MutexLock lock(mutex_);
  ends_.clear();
}

bool NotedSegment::is_apart(std::size_t block, const NotedSegment& other, std::size_t other_block) const {
  if (std::pair(other.number_, other_block) > std::pair(number_, block)) {
    return other.is_apart(other_block, *this, block);
  }
  MutexLock lock(mutex_);
  return apart_.contains(
      {other.number_, static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(other_block)});
}

void NotedSegment::note_apart(std::size_t block, NotedSegment& other, std::size_t other_block) {
  if (std::pair(other.number_, other_block) > std::pair(number_, block)) {
    return other.note_apart(other_block, *this, block);
  }
  MutexLock lock(mutex_);
  const Pair pair{other.number_, static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(other_block)};
  if (apart_.contains(pair) || !budget_.charge(kPairBytes)) return;
  charged_ += kPairBytes;
  apart_.insert(pair);
}

SegmentNotes::SegmentNotes(std::uint64_t limit_bytes, MemoryBudget* parent)
    : budget_("notes of blocks", std::max<std::uint64_t>(limit_bytes, 1), parent) {}

std::shared_ptr<NotedSegment> SegmentNotes::of(const std::shared_ptr<const ingest::Segment>& segment,
                                               std::size_t blocks) {
  MutexLock lock(mutex_);
  if (budget_.used_bytes() > budget_.limit_bytes() / 4 * 3) forget_older_half();
  Entry& entry = by_segment_[segment.get()];
  // Another segment may have had this address.
  if (entry.notes == nullptr || entry.segment.lock() != segment) {
    entry = {segment, std::make_shared<NotedSegment>(next_number_++, blocks, budget_)};
  }
  entry.notes->last_used_ = ++uses_;
  return entry.notes;
}

void SegmentNotes::forget_older_half() {
  std::vector<NotedSegment*> all;
  for (const auto& [segment, entry] : by_segment_) all.push_back(entry.notes.get());
  std::sort(all.begin(), all.end(), [](const auto* a, const auto* b) { return a->last_used_ < b->last_used_; });
  all.resize((all.size() + 1) / 2);
  for (NotedSegment* const notes : all) notes->forget_ends();
}

void SegmentNotes::drop_stale() {
  MutexLock lock(mutex_);
  std::erase_if(by_segment_, [](const auto& entry) { return entry.second.segment.expired(); });
}

}  // namespace kvasir::server
