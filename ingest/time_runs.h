// time_runs.h -- whether an instant occurred among rows that came mostly in order: the rows as ascending runs.
//
// Shape:    pushes over several connections interleave runs of ascending rows. One look tells between which two
//           instants of other runs the current one stands; until it reaches the second, its rows need no further look.
// Cost:     too_costly() tells when rows come in so little order that a table of instants is cheaper.
// Threads:  one at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace kvasir::ingest {

class TimeRuns {
 public:
  /// True if a row that was noted has this time. `time_at(row)` gives the time of a noted row.
  template <class TimeAt>
  bool has(std::int64_t time, const TimeAt& time_at) {
    if (current_.begin != current_.end) {
      if (time == current_.last) return true;
      if (time > current_.last && time > low_ && time < high_) return false;
      if (time < current_.last) {
        closed_.push_back(current_);
        current_.begin = current_.end;
      }
    }
    return find(time, time_at);
  }

  /// REQUIRES: has() was asked for this time just before, unless it is the first row; rows are noted in order.
  void note(std::int64_t time, std::uint32_t row) {
    if (current_.begin == current_.end) current_ = {time, time, row, row};
    current_.last = time;
    current_.end = row + 1;
  }

  bool too_costly(std::uint32_t rows) const { return steps_ > kStepsFree + kStepsPerRow * rows; }

 private:
  static constexpr std::uint64_t kStepsFree = 4096, kStepsPerRow = 8;
  struct Run {
    std::int64_t first, last;
    std::uint32_t begin, end;  // rows
  };

  /// Looks into the closed runs, and notes the gap between their instants in which `time` lies.
  template <class TimeAt>
  bool find(std::int64_t time, const TimeAt& time_at) {
    low_ = std::numeric_limits<std::int64_t>::min();
    high_ = std::numeric_limits<std::int64_t>::max();
    steps_ += closed_.size();
    for (const Run& run : closed_) {
      if (run.last < time) {
        low_ = std::max(low_, run.last);
      } else if (run.first > time) {
        high_ = std::min(high_, run.first);
      } else if (look_into(run, time, time_at)) {
        low_ = high_ = time;  // no gap
        return true;
      }
    }
    return false;
  }

  template <class TimeAt>
  bool look_into(const Run& run, std::int64_t time, const TimeAt& time_at) {
    std::uint32_t low = run.begin, high = run.end;  // the first row that is not older
    while (low < high) {
      const std::uint32_t middle = low + (high - low) / 2;
      if (time_at(middle) < time) low = middle + 1;
      else high = middle;
      ++steps_;
    }
    const std::int64_t found = time_at(low);  // run.last is not older
    if (found == time) return true;
    high_ = std::min(high_, found);
    if (low > run.begin) low_ = std::max(low_, time_at(low - 1));
    return false;
  }

  std::vector<Run> closed_;
  Run current_{0, 0, 0, 0};
  std::int64_t low_ = std::numeric_limits<std::int64_t>::min();  // no closed run has an instant between these
  std::int64_t high_ = std::numeric_limits<std::int64_t>::max();
  std::uint64_t steps_ = 0;
};

}  // namespace kvasir::ingest
