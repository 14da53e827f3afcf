// stats_scan.h -- `| stats count() as n, quantile(0.99, took) by service` and the pipes behind it.
//
// Shape:    one table per step: a row per group, columns `by` first. A number in a cell is kept as a number; cells of `by` are text.
// Meaning:  a missing field is an empty cell. Aggregates skip rows whose field is missing or no number; durations and byte sizes
//           are numbers too (seconds, bytes).
// Errors:   those of the scan; limit_exceeded from the memory budget.
// Source:   docs/logql-extensions.md
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "logql/exec/scan.h"
#include "logql/exec/step_series.h"

namespace kvasir::logql {

struct StatsCell {
  std::variant<std::string, double> value;

  std::string text() const;
};

struct StatsTable {
  std::vector<std::string> columns;
  std::size_t by_count = 0;  // leading columns that are groups
  std::vector<std::vector<StatsCell>> rows;
};

/// One table per step, each over (t - window, t]. REQUIRES: the query has stats.
Result<std::vector<StatsTable>> scan_stats(const LogQuery& query, const StepTimes& times, Duration window,
                                           const QueryParams& params, LogSource& source, QueryContext& context);

/// One series per row and number column; `column` names the column if there is more than one.
StepVector stats_series(const std::vector<StatsTable>& tables);

}  // namespace kvasir::logql
