// coercion.h -- any value as an integer or a float, the lenient way of arithmetic template functions.
//
// Notes:    strings are parsed (integers in any base, decimals truncated), booleans are 1 or 0, anything unreadable is
//           0.
// Threads:  free functions without state.
#pragma once

#include <cstdint>

#include "logql/pipeline/template/value.h"

namespace kvasir::gotemplate {

std::int64_t coerce_to_int(const Value& value);
double coerce_to_float(const Value& value);

}  // namespace kvasir::gotemplate
