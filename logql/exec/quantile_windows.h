// quantile_windows.h -- quantile_over_time: the quantile of every window from the values of its buckets.
//
// Method:   a high quantile of a window is among the few largest values of each of its buckets. Each bucket is cut once
//           to the values that any window can need; a window then selects among what is left. Low quantiles: the same
//           with the smallest.
#pragma once

#include <vector>

#include "logql/exec/aggregate_state.h"
#include "logql/exec/bucket_grid.h"
#include "logql/exec/bucket_series.h"
#include "logql/exec/step_series.h"

namespace kvasir::logql {

/// As quantile_of() over each window that has values. Reorders the values and drops those that no window needs.
std::vector<StepPoint> quantile_points(const BucketGrid& grid, BucketSeries<ValuesState>& series, double q);

}  // namespace kvasir::logql
