// engine.h -- runs a query: parse, check, plan, scan, aggregate.
//
// Threads:  run() may be called from any thread; it uses up to limits.parallelism workers of its own and returns when
//           done.
// Errors:   parse (message as Loki words it, with line and column), invalid_argument, limit_exceeded,
//           deadline_exceeded, cancelled, corruption, io.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/result.h"
#include "common/time.h"
#include "logql/log_source.h"
#include "logql/query_context.h"
#include "logql/query_result.h"

namespace kvasir::logql {

struct QueryParams {
  std::string query;
  std::string tenant;
  bool instant = false;
  TimestampNs start;              // instant: both are the evaluation time
  TimestampNs end;
  Duration step{0};               // range queries over metrics
  bool align_steps = true;        // range queries: start and end are rounded outwards to multiples of step
  Duration interval{0};           // log queries; 0 = every entry
  std::uint32_t limit = 100;      // log queries
  Direction direction = Direction::kBackward;
  bool categorize_labels = false; // fill the per-entry metadata and parsed labels
  bool as_table = false;          // a `| stats` answers as Table
  Pushdowns pushdowns;
};

Result<QueryResult> run_query(const QueryParams& params, LogSource& source, QueryContext& context);

}  // namespace kvasir::logql
