// aggregate_state.h -- partial results of range aggregations: one small mergeable value per series and bucket.
//
// Shape:    each state has add(sample), merge(other) and empty(). merge() of two states is the state of all their
//           samples; neither order nor grouping matters, except for the last digits of floating-point sums.
// Notes:    states that need every sample (quantile, rate_counter) keep them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace kvasir::logql {

struct Sample {
  std::int64_t timestamp_ns = 0;
  std::uint64_t sequence = 0;
  double value = 0;
};

struct CountState {
  std::uint64_t count = 0;

  void add(const Sample&) { ++count; }
  void add_many(std::uint64_t rows) { count += rows; }
  void merge(const CountState& other) { count += other.count; }
  bool empty() const { return count == 0; }
};

struct SumState {
  std::uint64_t count = 0;
  double sum = 0;

  void add(const Sample& sample) {
    ++count;
    sum += sample.value;
  }
  void add_many(std::uint64_t rows, double total) {
    count += rows;
    sum += total;
  }
  void merge(const SumState& other) {
    count += other.count;
    sum += other.sum;
  }
  bool empty() const { return count == 0; }
};

/// NaN only if every sample is NaN.
template <bool kMax>
struct ExtremeState {
  bool any = false;
  double value = 0;

  void add(const Sample& sample) { take(sample.value); }
  void merge(const ExtremeState& other) {
    if (other.any) take(other.value);
  }
  bool empty() const { return !any; }

 private:
  void take(double candidate) {
    const bool better = kMax ? candidate > value : candidate < value;
    if (!any || better || std::isnan(value)) value = candidate;
    any = true;
  }
};

/// Count, mean and the sum of squared distances from it.
struct MomentState {
  std::uint64_t count = 0;
  double mean = 0;
  double squares = 0;

  void add(const Sample& sample) {
    ++count;
    const double delta = sample.value - mean;
    mean += delta / static_cast<double>(count);
    squares += delta * (sample.value - mean);
  }
  void merge(const MomentState& other) {
    if (other.count == 0) return;
    if (count == 0) {
      *this = other;
      return;
    }
    const double n = static_cast<double>(count);
    const double m = static_cast<double>(other.count);
    const double delta = other.mean - mean;
    mean += delta * m / (n + m);
    squares += other.squares + delta * delta * n * m / (n + m);
    count += other.count;
  }
  bool empty() const { return count == 0; }
};

/// The earliest or latest sample in the total order.
template <bool kLast>
struct EndState {
  bool any = false;
  Sample sample;

  void add(const Sample& candidate) {
    const bool later = candidate.timestamp_ns != sample.timestamp_ns ? candidate.timestamp_ns > sample.timestamp_ns
                                                                     : candidate.sequence > sample.sequence;
    if (!any || later == kLast) sample = candidate;
    any = true;
  }
  void merge(const EndState& other) {
    if (other.any) add(other.sample);
  }
  bool empty() const { return !any; }
};

struct ValuesState {
  std::vector<double> values;

  void add(const Sample& sample) { values.push_back(sample.value); }
  void merge(const ValuesState& other) { values.insert(values.end(), other.values.begin(), other.values.end()); }
  bool empty() const { return values.empty(); }
  std::size_t heap_bytes() const { return values.capacity() * sizeof(double); }
};

struct SamplesState {
  std::vector<Sample> samples;

  void add(const Sample& sample) { samples.push_back(sample); }
  void merge(const SamplesState& other) { samples.insert(samples.end(), other.samples.begin(), other.samples.end()); }
  bool empty() const { return samples.empty(); }
  std::size_t heap_bytes() const { return samples.capacity() * sizeof(Sample); }
};

/// The q-quantile with linear interpolation; NaN sorts first. Reorders `values`. REQUIRES: not empty.
inline double quantile_of(std::vector<double>& values, double q) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (q < 0) return -kInfinity;
  if (q > 1) return kInfinity;
  const auto less = [](double a, double b) { return std::isnan(b) ? false : std::isnan(a) || a < b; };
  const double rank = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(rank);
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(low);
  std::nth_element(values.begin(), middle, values.end(), less);
  const double below = *middle;
  if (low + 1 == values.size()) return below;
  const double above = *std::min_element(middle + 1, values.end(), less);
  const double weight = rank - static_cast<double>(low);
  return below * (1 - weight) + above * weight;
}

/// The increase of a counter per second of the range: every fall of the value is a restart from zero.
inline double counter_rate(std::vector<Sample>& samples, double range_seconds) {
  if (samples.size() < 2) return 0;
  std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
    return a.timestamp_ns != b.timestamp_ns ? a.timestamp_ns < b.timestamp_ns : a.sequence < b.sequence;
  });
  const Sample& first = samples.front();
  const Sample& last = samples.back();
  double increase = last.value - first.value;
  for (std::size_t i = 1; i < samples.size(); ++i) {
    if (samples[i].value < samples[i - 1].value) increase += samples[i - 1].value;
  }
  // The reference system stretches the result towards the start of the window, but mixes nanoseconds with milliseconds,
  // so the stretch is a millionth of the range. Clients compare the digits.
  const double covered = static_cast<double>(last.timestamp_ns - first.timestamp_ns) / 1e9;
  double stretch = range_seconds * 1e-6;
  if (increase > 0 && first.value >= 0) stretch = std::min(stretch, covered * (first.value / increase));
  return increase * ((covered + stretch) / covered) / range_seconds;
}

}  // namespace kvasir::logql
