// value_text.h -- label values as numbers, durations and byte sizes, in the forms that label filters, unwrap and
// templates take.
//
// Errors:   a failed parse explains itself in the words of __error_details__, appended to `details`.
// Threads:  free functions without state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/time.h"

namespace kvasir::logql {

/// Decimal, exponent, hex float, `1_000`, Inf, NaN.
std::optional<double> parse_number_text(std::string_view text, std::string& details);
/// `1h30m`, `250ms`, `0`: Go's form only.
std::optional<Duration> parse_duration_text(std::string_view text, std::string& details);
/// A number (commas allowed), spaces, an optional unit in any case.
std::optional<std::uint64_t> parse_bytes_text(std::string_view text, std::string& details);

}  // namespace kvasir::logql
