// bucket_grid.h -- cuts time so that every window of a range aggregation is a run of whole buckets.
//
// Shape:    windows are (t - range, t] for t = first, first + step, ... (all shifted by the offset already). Where the
//           range is no multiple of the step, each step is cut in two at the place where some window begins.
// Use:      samples are added to one bucket each; a window's result is the merge of its buckets. So the cost of
//           overlapping windows is paid per bucket, not per sample.
// Units:    nanoseconds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "common/time.h"

namespace kvasir::logql {

class BucketGrid {
 public:
  /// REQUIRES: steps > 0, range > 0, step > 0 (any step if there is one window only).
  BucketGrid(TimestampNs first, Duration step, std::size_t steps, Duration range);

  std::size_t steps() const { return steps_; }
  std::size_t buckets() const { return buckets_; }
  /// Every sample of any window lies in here.
  TimeRange range() const;

  struct Bucket {
    std::uint32_t index;
    std::int64_t last_ns;  // the last instant inside
  };
  /// Empty if no window covers the instant. REQUIRES: range().contains(t).
  std::optional<Bucket> find(TimestampNs t) const;
  /// The bucket that holds every instant from `first` to `last`, if there is one.
  std::optional<std::uint32_t> covering(TimestampNs first, TimestampNs last) const;

  /// True if every bucket is a whole step: then interval_bucket() tells the bucket of an interval of that step and
  /// phase (see IntervalEnd); not less than buckets(): of none.
  bool whole_steps() const { return rest_ == 0; }
  std::int64_t step() const { return step_; }
  std::int64_t phase() const { return (first_ % step_ + step_) % step_; }
  std::size_t interval_bucket(std::int64_t interval) const {
    return static_cast<std::size_t>(interval - (first_ - phase()) / step_ + whole_ - 1);
  }

  /// Buckets of the window of a step: [begin, end).
  std::size_t window_begin(std::size_t step) const { return step * per_step_; }
  std::size_t window_end(std::size_t step) const { return step * per_step_ + window_buckets_; }
  std::size_t window_buckets() const { return window_buckets_; }
  /// The first and last step whose window holds the bucket.
  std::size_t first_step(std::size_t bucket) const {
    return bucket < window_buckets_ ? 0 : (bucket - window_buckets_) / per_step_ + 1;
  }
  std::size_t last_step(std::size_t bucket) const { return std::min(steps_ - 1, bucket / per_step_); }

 private:
  std::int64_t first_;
  std::int64_t step_;
  std::int64_t range_;
  std::size_t steps_;
  std::int64_t whole_;        // whole steps in the range
  std::int64_t rest_;         // what is left of the range
  std::size_t per_step_;      // 1, or 2 if there is a rest
  std::size_t window_buckets_;
  std::size_t buckets_;
};

}  // namespace kvasir::logql
