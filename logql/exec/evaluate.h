// evaluate.h -- evaluates a metric expression at every step.
//
// Errors:   those of the leaves' scans and of vector matching.
// Threads:  the calling thread walks the tree; leaves scan on several.
#pragma once

#include "logql/engine.h"
#include "logql/exec/step_series.h"
#include "logql/syntax/ast.h"

namespace kvasir::logql {

/// How far back `stats` looks when an instant query gives no range.
inline constexpr Duration kStatsLookback = std::chrono::hours(1);

struct Evaluation {
  const QueryParams& params;
  LogSource& source;
  QueryContext& context;
  StepTimes times;
};

Result<StepValue> evaluate(const Expr& expr, const Evaluation& evaluation);

}  // namespace kvasir::logql
