// bucket_series.h -- series under construction: labels, and a state per bucket of time.
//
// Shape:    a series keeps only the buckets from its first to its last sample. A table finds a series by a hash of its labels and
//           verifies the hit.
// Limits:   growth is charged to the query's memory budget.
// Threads:  one table per worker; merge_from() when the others are done.
#pragma once

#include <cstdint>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "common/labels.h"
#include "common/memory_budget.h"
#include "common/result.h"

namespace kvasir::logql {

template <class State>
struct BucketSeries {
  Labels labels;
  std::uint32_t first_bucket = 0;
  std::vector<State> buckets;

  State& at(std::uint32_t bucket) {
    if (buckets.empty()) first_bucket = bucket;
    if (bucket < first_bucket) {
      buckets.insert(buckets.begin(), first_bucket - bucket, State());
      first_bucket = bucket;
    }
    if (bucket - first_bucket >= buckets.size()) buckets.resize(bucket - first_bucket + 1);
    return buckets[bucket - first_bucket];
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
        return series_.size() - 1;
      }
      if (equals(series_[it->second].labels)) return it->second;
    }
  }
  std::size_t find(const Labels& labels) {
    return find(labels.fingerprint().value, [&](const Labels& other) { return other == labels; }, [&] { return labels; });
  }

  BucketSeries<State>& operator[](std::size_t i) { return series_[i]; }
  std::vector<BucketSeries<State>>& series() { return series_; }

  /// Call once in a while: charges what has grown since.
  Result<void> account() {
    std::uint64_t bytes = 0;
    for (const auto& series : series_) {
      bytes += sizeof series + series.buckets.capacity() * sizeof(State);
      if constexpr (requires(const State& state) { state.heap_bytes(); }) {
        for (const auto& state : series.buckets) bytes += state.heap_bytes();
      }
    }
    if (bytes <= charged_) return {};
    KVASIR_CHECK_OK(budget_->charge(bytes - charged_));
    charged_ = bytes;
    return {};
  }

  void merge_from(SeriesTable& other) {
    for (auto& source : other.series_) {
      auto& target = series_[find(source.labels)];
      if (target.buckets.empty()) {
        target.first_bucket = source.first_bucket;
        target.buckets = std::move(source.buckets);
        continue;
      }
      for (std::size_t i = 0; i < source.buckets.size(); ++i) {
        if (!source.buckets[i].empty()) target.at(source.first_bucket + static_cast<std::uint32_t>(i)).merge(source.buckets[i]);
      }
    }
  }

 private:
  MemoryBudget* budget_;
  std::uint64_t charged_ = 0;
  std::vector<BucketSeries<State>> series_;
  boost::unordered_flat_map<std::uint64_t, std::uint32_t> index_;
};

}  // namespace kvasir::logql
