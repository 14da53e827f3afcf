// stats_scan.h -- `| stats count() as n, quantile(0.99, took) by service` and the pipes behind it, at every step.
//
// Shape:    each worker fills groups of its own, one set per step; a block is answered from its columns where these say
//           everything, else from its lines.
// Errors:   those of the scan; limit_exceeded from the memory budget. A line that a parser cannot read is a row like
//           any other.
// Source:   docs/logql-extensions.md
#pragma once

#include <vector>

#include "logql/exec/scan.h"
#include "logql/exec/stats_table.h"
#include "logql/exec/step_series.h"

namespace kvasir::logql {

/// One table per step, each over (t - window, t]. REQUIRES: the query has stats.
Result<std::vector<StatsTable>> scan_stats(const LogQuery& query, const StepTimes& times, Duration window,
                                           const QueryParams& params, LogSource& source, QueryContext& context);

}  // namespace kvasir::logql
