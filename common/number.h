// number.h -- numbers, durations and byte sizes as text, in the forms that Go and Prometheus programs write.
//
// Errors:   parsers give an empty optional for text outside the grammar; callers word the message. The *_error
//           functions give Go's words for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/time.h"

namespace kvasir {

/// Go's strconv.ParseFloat: decimal, exponent, hex float, Inf, NaN, underscores refused. Out of range gives infinity.
std::optional<double> parse_go_float(std::string_view text);
/// `strconv.ParseFloat: parsing "x": invalid syntax`.
std::string go_float_error(std::string_view text);

/// Decimal integer with optional sign; the whole text.
std::optional<std::int64_t> parse_int64(std::string_view text);
std::optional<std::uint64_t> parse_uint64(std::string_view text);

/// Shortest decimal that reads back the same, never with an exponent; NaN, +Inf, -Inf. (Sample values in answers.)
std::string format_sample_value(double value);
void append_sample_value(std::string& out, double value);
/// Go's FormatFloat(value, 'g', -1, 64), as Prometheus' text format prints it: 1e+06, 0.5, NaN, +Inf.
std::string format_go_float(double value);

/// Prometheus: 1y2w3d4h5m6s7ms, integers, large to small, each once; "0".
std::optional<Duration> parse_prometheus_duration(std::string_view text);
/// Go: [-+]? of decimals with ns us µs ms s m h, any order; "0".
std::optional<Duration> parse_go_duration(std::string_view text);
/// Prometheus form first, then Go form.
std::optional<Duration> parse_duration(std::string_view text);
/// Go's time.Duration.String(): 1h0m0s, 1.5s, 250ms, 0s.
std::string format_go_duration(Duration duration);
/// Prometheus' model.Duration.String(): 1h, 90m -> 1h30m, 0s.
std::string format_prometheus_duration(Duration duration);

/// 5MB, 1.5 GiB, 10k, plain bytes; decimal and binary units, any case, optional space before the unit.
std::optional<std::uint64_t> parse_byte_size(std::string_view text);

}  // namespace kvasir
