#include "logql/exec/quantile_windows.h"

#include <algorithm>
#include <cmath>

#include "logql/exec/window_merger.h"

namespace kvasir::logql {
namespace {

/// Not a number sorts first, as in quantile_of().
bool less(double a, double b) { return std::isnan(b) ? false : std::isnan(a) || a < b; }
bool greater(double a, double b) { return less(b, a); }

class QuantileWindows {
 public:
  QuantileWindows(const BucketGrid& grid, BucketSeries<ValuesState>& series, double q)
      : grid_(grid), series_(series), q_(q), from_top_(q >= 0.5), steps_(steps_of(grid, series)) {
    sums_.push_back(0);
    for (const auto& bucket : series.buckets) sums_.push_back(sums_.back() + bucket.values.size());
    cut_buckets();
  }

  std::vector<StepPoint> points() {
    std::vector<StepPoint> out;
    for (std::size_t step = steps_.first; step < steps_.second; ++step) {
      if (values_in(step) > 0) out.push_back({static_cast<std::uint32_t>(step), at(step)});
    }
    return out;
  }

 private:
  std::size_t values_in(std::size_t step) const {
    const auto [begin, end] = buckets_of(grid_, series_, step);
    return sums_[end] - sums_[begin];
  }
  double rank(std::size_t step) const { return q_ * static_cast<double>(values_in(step) - 1); }
  /// How many values from its end of the order the window needs: up to the two that lie beside the rank.
  std::size_t needed(std::size_t step) const {
    const auto low = static_cast<std::size_t>(rank(step));
    return from_top_ ? values_in(step) - low : std::min(low + 2, values_in(step));
  }

  /// Brings the `keep` largest values (or smallest) to the front and drops the others.
  void cut(std::vector<double>& values, std::size_t keep) const {
    if (keep >= values.size()) return;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(keep);
    std::nth_element(values.begin(), middle, values.end(), from_top_ ? greater : less);
    values.resize(keep);
  }

  void cut_buckets() {
    std::vector<std::size_t> keep(series_.buckets.size(), 0);
    for (std::size_t step = steps_.first; step < steps_.second; ++step) {
      if (values_in(step) == 0) continue;
      const auto [begin, end] = buckets_of(grid_, series_, step);
      for (std::size_t i = begin; i < end; ++i) keep[i] = std::max(keep[i], needed(step));
    }
    for (std::size_t i = 0; i < keep.size(); ++i) cut(series_.buckets[i].values, keep[i]);
  }

  double at(std::size_t step) {
    const auto [begin, end] = buckets_of(grid_, series_, step);
    gathered_.clear();
    for (std::size_t i = begin; i < end; ++i) {
      const auto& values = series_.buckets[i].values;
      gathered_.insert(gathered_.end(), values.begin(), values.end());
    }
    const auto low = static_cast<std::size_t>(rank(step));
    const double weight = rank(step) - static_cast<double>(low);
    const auto place = static_cast<std::ptrdiff_t>(from_top_ ? values_in(step) - 1 - low : low);
    const auto middle = gathered_.begin() + place;
    std::nth_element(gathered_.begin(), middle, gathered_.end(), from_top_ ? greater : less);
    const double below = *middle;
    if (low + 1 == values_in(step)) return below;
    const double above = from_top_ ? *std::min_element(gathered_.begin(), middle, less)
                                   : *std::min_element(middle + 1, gathered_.end(), less);
    return below * (1 - weight) + above * weight;
  }

  const BucketGrid& grid_;
  BucketSeries<ValuesState>& series_;
  double q_;
  bool from_top_;
  std::pair<std::size_t, std::size_t> steps_;
  std::vector<std::size_t> sums_;  // of values, before each bucket
  std::vector<double> gathered_;
};

}  // namespace

std::vector<StepPoint> quantile_points(const BucketGrid& grid, BucketSeries<ValuesState>& series, double q) {
  if (q >= 0 && q <= 1) return QuantileWindows(grid, series, q).points();
  std::vector<StepPoint> out;
  const auto [begin, end] = steps_of(grid, series);
  for (std::size_t step = begin; step < end; ++step) {
    const auto [first, last] = buckets_of(grid, series, step);
    const bool any = std::any_of(series.buckets.begin() + static_cast<std::ptrdiff_t>(first),
                                 series.buckets.begin() + static_cast<std::ptrdiff_t>(last),
                                 [](const ValuesState& bucket) { return !bucket.empty(); });
    const double infinity = std::numeric_limits<double>::infinity();
    if (any) out.push_back({static_cast<std::uint32_t>(step), q < 0 ? -infinity : infinity});
  }
  return out;
}

}  // namespace kvasir::logql
