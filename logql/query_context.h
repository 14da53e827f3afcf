// query_context.h -- what goes down with a query: deadline, stop, budgets, statistics, limits of the tenant.
//
// Threads:  check() and the counters of QueryStats may be used from every worker of the query.
// Use:      check() once per batch, not per row.
#pragma once

#include <atomic>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/memory_budget.h"
#include "common/mutex.h"
#include "common/result.h"

namespace kvasir::logql {

/// Counters of one query; all atomic, since workers share them.
struct QueryStats {
  std::atomic<std::uint64_t> blocks_selected{0};
  std::atomic<std::uint64_t> blocks_pruned{0};  // by filters for literals, before they were selected
  std::atomic<std::uint64_t> blocks_opened{0};
  std::atomic<std::uint64_t> bytes_decompressed{0};
  std::atomic<std::uint64_t> line_bytes_processed{0};
  std::atomic<std::uint64_t> lines_processed{0};
  std::atomic<std::uint64_t> lines_matched{0};
  std::atomic<std::uint64_t> entries_returned{0};
};

/// Limits of a tenant that the engine itself enforces. 0 = no limit.
struct QueryLimits {
  std::uint32_t series_max = 500;               // distinct series in the final result
  std::uint64_t bytes_read_max = 0;             // line bytes processed
  std::uint32_t parallelism = 0;                // worker threads; 0 = all cores
  bool field_selectors = true;                  // positive matchers on names that no stream carries select by field
  bool multi_variant_queries = false;           // `variants(...) of (...)` is allowed
};

class QueryProfile;  // logql/query_profile.h

class QueryContext {
 public:
  /// budget and clock must outlive the context. deadline is on clock.steady().
  QueryContext(const Clock& clock, Duration deadline, std::stop_token stop, MemoryBudget& budget, QueryLimits limits)
      : clock_(clock), deadline_(deadline), stop_(std::move(stop)), budget_(budget), limits_(limits) {}
  ~QueryContext() { budget_.release(kept_bytes_); }
  QueryContext(const QueryContext&) = delete;
  QueryContext& operator=(const QueryContext&) = delete;

  /// Errors: cancelled, deadline_exceeded, limit_exceeded (bytes read); the texts that clients of Loki expect.
  Result<void> check() const;

  QueryStats& stats() { return stats_; }
  const QueryStats& stats() const { return stats_; }
  MemoryBudget& budget() { return budget_; }
  /// Charges bytes that stay as long as the query: its result.
  Result<void> keep_bytes(std::uint64_t bytes);
  const QueryLimits& limits() const { return limits_; }
  /// Where operators count what they do; null unless the query is explained. The profile outlives the context.
  QueryProfile* profile() const { return profile_; }
  void set_profile(QueryProfile* profile) { profile_ = profile; }
  /// Shown to the client beside the result.
  void add_warning(std::string text);
  std::vector<std::string> warnings() const;

 private:
  const Clock& clock_;
  Duration deadline_;
  std::stop_token stop_;
  MemoryBudget& budget_;
  QueryLimits limits_;
  QueryProfile* profile_ = nullptr;
  QueryStats stats_;
  std::atomic<std::uint64_t> kept_bytes_{0};
  mutable Mutex mutex_;
  std::vector<std::string> warnings_ KVASIR_GUARDED_BY(mutex_);
};

}  // namespace kvasir::logql
