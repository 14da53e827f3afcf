// bucket_series.h -- series under construction: labels, and a state per bucket of time.
//
// Shape:    a series keeps only the buckets from its first to its last sample. A table finds a series by a hash of its
//           labels and verifies the hit.
// Limits:   what grows is counted as it grows; account() charges it to the query's memory budget and is called per
//           batch.
// Threads:  one table per worker; merge_from() when the others are done.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "common/labels.h"
#include "common/memory_budget.h"
#include "common/result.h"

namespace kvasir::logql {

/// About what labels take.
inline std::uint64_t labels_bytes(const Labels& labels) {
  std::uint64_t bytes = 0;
  for (const auto& label : labels) bytes += sizeof label + label.name.size() + label.value.size();
  return bytes;
}

/// Bytes that a state holds beside itself.
template <class State>
std::uint64_t state_heap_bytes(const State& state) {
  if constexpr (requires { state.heap_bytes(); }) return state.heap_bytes();
  return 0;
}

template <class State>
struct BucketSeries {
  Labels labels;
  std::uint32_t first_bucket = 0;
  std::vector<State> buckets;

  bool holds(std::uint32_t bucket) const { return bucket - first_bucket < buckets.size(); }
  void grow_to(std::uint32_t bucket) {
    if (buckets.empty()) first_bucket = bucket;
    if (bucket < first_bucket) {
      buckets.insert(buckets.begin(), first_bucket - bucket, State());
      first_bucket = bucket;
    }
    if (bucket - first_bucket >= buckets.size()) buckets.resize(bucket - first_bucket + 1);
  }
  std::uint64_t bytes() const {
    std::uint64_t total = sizeof *this + labels_bytes(labels) + buckets.capacity() * sizeof(State);
    for (const auto& state : buckets) total += state_heap_bytes(state);
    return total;
  }
};

template <class State>
class SeriesTable {
 public:
  explicit SeriesTable(MemoryBudget& budget) : budget_(&budget) {}
  SeriesTable(const SeriesTable&) = delete;
  SeriesTable& operator=(const SeriesTable&) = delete;
  ~SeriesTable() { budget_->release(charged_); }

  /// The index of the series with this hash for which equals(labels) holds; made by make() if there is none.
  template <class Equals, class Make>
  std::size_t find(std::uint64_t hash, Equals equals, Make make) {
    for (;; ++hash) {
      const auto it = index_.find(hash);
      if (it == index_.end()) {
        index_.emplace(hash, static_cast<std::uint32_t>(series_.size()));
        series_.push_back({.labels = make()});
        grown_ += series_.back().bytes() + kIndexBytes;
        return series_.size() - 1;
      }
      if (equals(series_[it->second].labels)) return it->second;
    }
  }
  std::size_t find(const Labels& labels) {
    return find(
        labels.fingerprint().value, [&](const Labels& other) { return other == labels; }, [&] { return labels; });
  }

  /// The state of a bucket; it lives until the next call for this series.
  State& at(std::size_t series, std::uint32_t bucket) {
    auto& found = series_[series];
    if (!found.holds(bucket)) {
      const std::size_t before = found.buckets.capacity();
      found.grow_to(bucket);
      grown_ += (found.buckets.capacity() - before) * sizeof(State);
    }
    return found.buckets[bucket - found.first_bucket];
  }
  template <class Sample>
  void add(std::size_t series, std::uint32_t bucket, const Sample& sample) {
    add_to(at(series, bucket), sample);
  }
  /// `state` is one of at().
  template <class Sample>
  void add_to(State& state, const Sample& sample) {
    if constexpr (requires { state.heap_bytes(); }) {
      const std::uint64_t before = state.heap_bytes();
      state.add(sample);
      grown_ += state.heap_bytes() - before;
    } else {
      state.add(sample);
    }
  }

  std::vector<BucketSeries<State>>& series() { return series_; }

  /// Charges what has grown since the last time.
  Result<void> account() {
    if (grown_ <= charged_) {
      budget_->release(charged_ - grown_);
      charged_ = grown_;
      return {};
    }
    KVASIR_CHECK_OK(budget_->charge(grown_ - charged_));
    charged_ = grown_;
    return {};
  }

  /// Takes everything out of `other`, its charge too.
  void merge_from(SeriesTable& other) {
    charged_ += std::exchange(other.charged_, 0);
    grown_ += std::exchange(other.grown_, 0);
    for (auto& source : other.series_) merge_series(source);
    other.series_ = {};
    other.index_ = {};
  }

 private:
  static constexpr std::uint64_t kIndexBytes = 2 * sizeof(std::pair<std::uint64_t, std::uint32_t>);

  void merge_series(BucketSeries<State>& source) {
    const std::size_t found = find(
        source.labels.fingerprint().value, [&](const Labels& other) { return other == source.labels; },
        [&] { return std::move(source.labels); });
    auto& target = series_[found];
    if (target.buckets.empty()) {
      target.first_bucket = source.first_bucket;
      target.buckets = std::move(source.buckets);
      grown_ -= kIndexBytes + sizeof target + labels_bytes(target.labels);  // counted twice: here and there
      return;
    }
    const std::uint64_t before = target.bytes() + source.bytes();
    for (std::size_t i = 0; i < source.buckets.size(); ++i) {
      if (source.buckets[i].empty()) continue;
      const auto bucket = source.first_bucket + static_cast<std::uint32_t>(i);
      if (!target.holds(bucket)) target.grow_to(bucket);
      target.buckets[bucket - target.first_bucket].merge(source.buckets[i]);
    }
    // The source is freed with its table; what the target grew by stays.
    grown_ = grown_ + target.bytes() - before - kIndexBytes;
    source.buckets = {};
  }

  MemoryBudget* budget_;
  std::uint64_t grown_ = 0;    // bytes that are held, about
  std::uint64_t charged_ = 0;  // of these, charged
  std::vector<BucketSeries<State>> series_;
  boost::unordered_flat_map<std::uint64_t, std::uint32_t> index_;
};

}  // namespace kvasir::logql
