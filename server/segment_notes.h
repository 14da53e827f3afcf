// segment_notes.h -- what queries found out about the blocks of sealed segments and what stays true when the blocks are
// closed again: where the steps of range queries end in a block, and which blocks hold no entry twice between them.
//
// Shape:    SegmentNotes (all segments) -> NotedSegment (one) -> StepEnds (one step and phase of it).
// Limits:   all notes stay below the limit and are charged to a budget; what does not fit is not kept. The ends of the
//           segments that were not asked for longest go first.
// Lifetime: who holds notes must hold the SegmentNotes too; drop_stale() lets go of segments that nobody else holds.
// Threads:  any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>

#include "common/memory_budget.h"
#include "common/mutex.h"
#include "ingest/storage.h"
#include "logql/log_source.h"

namespace kvasir::server {

/// See logql::LogBlock::interval_ends().
class StepEnds {
 public:
  using Ends = std::vector<logql::IntervalEnd>;

  StepEnds(std::int64_t step, std::int64_t phase, std::size_t blocks, MemoryBudget& budget)
      : step_(step), phase_(phase), by_block_(blocks), budget_(budget) {}
  ~StepEnds();
  StepEnds(const StepEnds&) = delete;
  StepEnds& operator=(const StepEnds&) = delete;

  bool is_for(std::int64_t step, std::int64_t phase) const { return step_ == step && phase_ == phase; }
  /// Empty optional: not known. No ends: they are too many to be kept. The span lives as long as this.
  std::optional<std::span<const logql::IntervalEnd>> of(std::size_t block) const {
    const Ends* const ends = by_block_[block].load(std::memory_order_acquire);
    return ends == nullptr ? std::nullopt : std::optional(std::span<const logql::IntervalEnd>(*ends));
  }
  void keep(std::size_t block, Ends ends);

 private:
  static std::uint64_t bytes_of(const Ends& ends) { return sizeof ends + ends.capacity() * sizeof(ends[0]); }

  const std::int64_t step_, phase_;
  std::vector<std::atomic<const Ends*>> by_block_;  // owned
  MemoryBudget& budget_;
};

class NotedSegment {
 public:
  /// `number` is like no other.
  NotedSegment(std::uint64_t number, std::size_t blocks, MemoryBudget& budget)
      : number_(number), blocks_(blocks), budget_(budget) {}
  ~NotedSegment() { budget_.release(charged_); }
  NotedSegment(const NotedSegment&) = delete;
  NotedSegment& operator=(const NotedSegment&) = delete;

  std::shared_ptr<StepEnds> step_ends(std::int64_t step, std::int64_t phase);
  void forget_ends();

  /// A block of this segment and one of `other`, which may be this one: no entry is in both.
  bool is_apart(std::size_t block, const NotedSegment& other, std::size_t other_block) const;
  void note_apart(std::size_t block, NotedSegment& other, std::size_t other_block);

 private:
  friend class SegmentNotes;
  static constexpr std::size_t kStepsKept = 4;
  struct Pair {
    std::uint64_t other;  // number of the segment
    std::uint32_t block, other_block;
    bool operator==(const Pair&) const = default;
    friend std::size_t hash_value(const Pair& pair) {
      return (pair.other * 0x9e3779b97f4a7c15ULL) ^ (std::uint64_t{pair.block} << 32 | pair.other_block);
    }
  };

  const std::uint64_t number_;
  const std::size_t blocks_;
  MemoryBudget& budget_;
  std::atomic<std::uint64_t> last_used_{0};
  mutable Mutex mutex_;
  std::vector<std::shared_ptr<StepEnds>> ends_ KVASIR_GUARDED_BY(mutex_);  // the latest last
  boost::unordered_flat_set<Pair> apart_ KVASIR_GUARDED_BY(mutex_);
  std::uint64_t charged_ KVASIR_GUARDED_BY(mutex_) = 0;
};

class SegmentNotes {
 public:
  /// `limit_bytes` 0: nothing is kept. `parent` may be null and must outlive the notes.
  SegmentNotes(std::uint64_t limit_bytes, MemoryBudget* parent);

  std::shared_ptr<NotedSegment> of(const std::shared_ptr<const ingest::Segment>& segment, std::size_t blocks);
  void drop_stale();

 private:
  struct Entry {
    std::weak_ptr<const ingest::Segment> segment;
    std::shared_ptr<NotedSegment> notes;
  };
  /// The ends of that half of the segments which nobody asked for longest.
  void forget_older_half() KVASIR_REQUIRES(mutex_);

  MemoryBudget budget_;
  Mutex mutex_;
  std::uint64_t next_number_ KVASIR_GUARDED_BY(mutex_) = 1;
  std::uint64_t uses_ KVASIR_GUARDED_BY(mutex_) = 0;
  std::unordered_map<const ingest::Segment*, Entry> by_segment_ KVASIR_GUARDED_BY(mutex_);
};

}  // namespace kvasir::server
