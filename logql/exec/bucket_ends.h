// bucket_ends.h -- where the buckets of a range aggregation end among the times of a block, without looking at every
// time.
//
// Method:   entries come at a nearly even pace, so a search begins where that would lead and widens from there: what it
//           costs is the memory it touches.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace kvasir::logql {

class BucketEnds {
 public:
  /// REQUIRES: times ascend and are not empty; they outlive this.
  explicit BucketEnds(std::span<const std::int64_t> times) : times_(times) {
    const double span = static_cast<double>(times.back()) - static_cast<double>(times.front());
    rows_per_ns_ = span > 0 ? static_cast<double>(times.size()) / span : 0;
  }

  /// The first row behind `row` that is later than `last`. REQUIRES: `row` is not.
  std::size_t first_after(std::size_t row, std::int64_t last) const {
    const double pace = (static_cast<double>(last) - static_cast<double>(times_[row])) * rows_per_ns_;
    std::size_t low =
        row + static_cast<std::size_t>(std::clamp(pace, 0.0, static_cast<double>(times_.size() - 1 - row)));
    std::size_t high = low + 1;
    std::size_t step = 8;
    if (times_[low] <= last) {
      for (; high < times_.size() && times_[high] <= last; step *= 2) {
        low = high;
        high = std::min(times_.size(), high + step);
      }
    } else {
      for (; times_[low] > last; step *= 2) {
        high = low;
        low -= std::min(low - row, step);
      }
    }
    const auto begin = times_.begin();
    return static_cast<std::size_t>(
        std::upper_bound(begin + static_cast<std::ptrdiff_t>(low), begin + static_cast<std::ptrdiff_t>(high), last) -
        begin);
  }

 private:
  std::span<const std::int64_t> times_;
  double rows_per_ns_ = 0;
};

}  // namespace kvasir::logql
