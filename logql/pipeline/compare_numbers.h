// compare_numbers.h -- a column of numbers against one bound, a bit per row.
//
// Threads:  free function without state.
#pragma once

#include <cstdint>
#include <span>

#include "logql/syntax/stages.h"

namespace kvasir::logql {

/// Clears the bits of the values for which `value op bound` does not hold. REQUIRES: words have a bit per value, and
/// none is set behind them.
void keep_compared(std::span<const double> values, CompareOp op, double bound, std::span<std::uint64_t> words);

}  // namespace kvasir::logql
