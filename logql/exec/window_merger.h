// window_merger.h -- from the buckets of a series to the state of every window.
#pragma once

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "logql/exec/aggregate_state.h"
#include "logql/exec/bucket_grid.h"
#include "logql/exec/bucket_series.h"

namespace kvasir::logql {

inline constexpr std::size_t kNarrowWindowBuckets = 8;  // windows of up to so many buckets are merged one by one

template <class State>
inline constexpr bool kKeepsSamples = std::is_same_v<State, ValuesState> || std::is_same_v<State, SamplesState>;

/// Steps whose windows hold a bucket of the series: [begin, end). REQUIRES: it has buckets.
template <class State>
std::pair<std::size_t, std::size_t> steps_of(const BucketGrid& grid, const BucketSeries<State>& series) {
  return {grid.first_step(series.first_bucket), grid.last_step(series.first_bucket + series.buckets.size() - 1) + 1};
}

/// Buckets of the series that lie in the window of a step, counted from its first: [begin, end).
template <class State>
std::pair<std::size_t, std::size_t> buckets_of(const BucketGrid& grid, const BucketSeries<State>& series,
                                               std::size_t step) {
  const std::size_t first = series.first_bucket;
  return {std::max(grid.window_begin(step), first) - first,
          std::min(grid.window_end(step), first + series.buckets.size()) - first};
}

/// Merges the buckets of every window that has samples. Wide windows share work: buckets are cut into chunks as wide as
/// a window, and a window is the end of one chunk and the beginning of the next.
template <class State>
class WindowMerger {
 public:
  WindowMerger(const BucketGrid& grid, const BucketSeries<State>& series) : grid_(grid), series_(series) {
    if (grid.window_buckets() > kNarrowWindowBuckets && !kKeepsSamples<State>) make_chunks();
  }

  State window(std::size_t step) const {
    const auto [begin, end] = buckets_of(grid_, series_, step);
    if (suffix_.empty()) {
      State state;
      for (std::size_t i = begin; i < end; ++i) state.merge(series_.buckets[i]);
      return state;
    }
    const std::size_t width = grid_.window_buckets();
    if (begin / width == (end - 1) / width) {
      // Inside one chunk: a prefix if it begins there, a suffix if it ends there.
      if (begin % width == 0) return prefix_[end - 1];
      if (end % width == 0 || end == series_.buckets.size()) return suffix_[begin];
      State state;
      for (std::size_t i = begin; i < end; ++i) state.merge(series_.buckets[i]);
      return state;
    }
    State state = suffix_[begin];
    state.merge(prefix_[end - 1]);
    return state;
  }

 private:
  void make_chunks() {
    const auto& buckets = series_.buckets;
    const std::size_t width = grid_.window_buckets();
    prefix_ = buckets;
    suffix_ = buckets;
    for (std::size_t i = 1; i < buckets.size(); ++i) {
      if (i % width == 0) continue;
      prefix_[i] = prefix_[i - 1];
      prefix_[i].merge(buckets[i]);
    }
    for (std::size_t i = buckets.size() - 1; i-- > 0;) {
      if ((i + 1) % width != 0) suffix_[i].merge(suffix_[i + 1]);
    }
  }

  const BucketGrid& grid_;
  const BucketSeries<State>& series_;
  std::vector<State> prefix_;
  std::vector<State> suffix_;
};

}  // namespace kvasir::logql
