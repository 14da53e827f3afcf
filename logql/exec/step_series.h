// step_series.h -- values of expressions while a query runs: series with points at some of the steps.
//
// Shape:    points ascend by step and are sparse; an instant query has the one step 0.
// Notes:    two series may have equal labels where functions made them so.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/labels.h"
#include "common/time.h"

namespace kvasir::logql {

struct StepPoint {
  std::uint32_t step = 0;
  double value = 0;
};

struct StepSeries {
  Labels labels;
  std::vector<StepPoint> points;  // never empty
};

using StepVector = std::vector<StepSeries>;

/// A number on its own, or series.
using StepValue = std::variant<double, StepVector>;

/// The evaluation times: first + i * step.
struct StepTimes {
  TimestampNs first;
  Duration step{0};
  std::size_t count = 1;

  TimestampNs at(std::size_t i) const { return {first.value + static_cast<std::int64_t>(i) * step.count()}; }
  TimestampNs last() const { return at(count - 1); }
};

}  // namespace kvasir::logql
