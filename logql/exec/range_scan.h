// range_scan.h -- evaluates one range aggregation at every step.
//
// Shape:    each worker adds samples to buckets (bucket_grid.h) of its own series; then the series are merged and every
//           window becomes the merge of its buckets.
// Fast:     a block is answered from the first of these that is exact for it: its statistics; its times and lengths;
//           its columns; its lines.
// Errors:   those of the scan; a sample with __error__ fails the query with the text that clients know; limit_exceeded
//           from the memory budget.
#pragma once

#include "logql/exec/scan.h"
#include "logql/exec/step_series.h"

namespace kvasir::logql {

struct RangeScanRequest {
  const RangeAggregation* node = nullptr;
  StepTimes times;
  /// What an aggregation around this one groups by, when the sum may be taken per sample already.
  std::optional<Grouping> outer;
};

Result<StepVector> scan_range(const RangeScanRequest& request, const QueryParams& params, LogSource& source,
                              QueryContext& context);

/// True if `sum` over this function may be computed from samples: the sum of sums.
bool sums_over_series(RangeOp op);

}  // namespace kvasir::logql
