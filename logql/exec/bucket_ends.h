// bucket_ends.h -- where the buckets of a range aggregation end among the times of a block, without looking at every
// time.
//
// Method:   a search in the block's coarse times, which stay in the processor's cache, leads to 64 times; among these
//           it begins where an even pace would lead. So an end costs a cache line or two.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "logql/log_source.h"

namespace kvasir::logql {

class BucketEnds {
 public:
  /// `coarse`: every kTimesPerCoarse-th of the times. REQUIRES: times ascend and are not empty; both outlive this.
  BucketEnds(std::span<const std::int64_t> times, std::span<const std::int64_t> coarse)
      : times_(times), coarse_(coarse) {}

  /// The first row behind `row` that is later than `last`. REQUIRES: `row` is not.
  std::size_t first_after(std::size_t row, std::int64_t last) const {
    const auto later = std::upper_bound(coarse_.begin() + static_cast<std::ptrdiff_t>(row / kTimesPerCoarse + 1),
                                        coarse_.end(), last);
    const auto index = static_cast<std::size_t>(later - coarse_.begin());
    const std::size_t low = std::max(row, (index - 1) * kTimesPerCoarse);  // is not later than `last`
    const std::size_t high = std::min(times_.size(), index * kTimesPerCoarse);
    return std::min(high, walk(guess(low, high, index, last), low, last));
  }

 private:
  std::size_t guess(std::size_t low, std::size_t high, std::size_t index, std::int64_t last) const {
    const std::int64_t begin = coarse_[index - 1];
    const std::int64_t end = index < coarse_.size() ? coarse_[index] : times_.back();
    if (end <= last) return high;
    const double part = (static_cast<double>(last) - static_cast<double>(begin)) /
                        (static_cast<double>(end) - static_cast<double>(begin));
    const auto at = (index - 1) * kTimesPerCoarse + static_cast<std::size_t>(part * kTimesPerCoarse);
    return std::clamp(at, low + 1, high);
  }

  std::size_t walk(std::size_t at, std::size_t low, std::int64_t last) const {
    while (at < times_.size() && times_[at] <= last) ++at;
    while (at > low + 1 && times_[at - 1] > last) --at;
    return at;
  }

  std::span<const std::int64_t> times_;
  std::span<const std::int64_t> coarse_;
};

}  // namespace kvasir::logql
