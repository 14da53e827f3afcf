// params.h -- request parameters of the query and metadata routes, with the defaults, forms and error texts that
// clients know.
//
// Units:    timestamps: 1.5 is seconds (rounded to ms), an integer of up to 10 characters seconds, a longer one
//           nanoseconds, otherwise RFC 3339. Durations: Prometheus form; step and interval also a float of seconds.
// Errors:   invalid_argument with the text that goes to the client as it is.
// Source:   docs/http-api.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/net/http_types.h"
#include "common/result.h"
#include "common/time.h"
#include "logql/engine.h"
#include "logql/log_source.h"

namespace kvasir::server {

inline constexpr std::uint64_t kFormBytesMax = 10 << 20;
inline constexpr std::uint64_t kPointsMax = 11000;      // per series
inline constexpr std::uint32_t kDefaultLimit = 100;

/// A form body (POST, PUT) before the URL's query string.
Result<net::HttpParams> merged_params(const net::HttpRequest& request);

/// Times before 1823 and after 2116 become those.
Result<TimestampNs> parse_timestamp(std::string_view text);
/// step, interval.
Result<Duration> parse_step_duration(std::string_view text);

/// [start, end] as asked for; end is not checked against start here.
struct TimeBounds {
  TimestampNs start;
  TimestampNs end;
};
/// start, end, since.
Result<TimeBounds> parse_bounds(const net::HttpParams& params, TimestampNs now);

Result<std::uint32_t> parse_limit(const net::HttpParams& params, std::string_view name, std::uint32_t fallback);
Result<logql::Direction> parse_direction(const net::HttpParams& params);

/// Everything that query_range takes.
struct RangeParams {
  std::string query;
  TimeBounds bounds;
  std::uint32_t limit = kDefaultLimit;
  logql::Direction direction = logql::Direction::kBackward;
  Duration step{0};
  Duration interval{0};
};
Result<RangeParams> parse_range_params(const net::HttpParams& params, TimestampNs now);
/// The same for the engine.
void fill_range(logql::QueryParams& out, const RangeParams& range);

/// max(floor((end - start in s) / 250), 1) s.
Duration default_step(const TimeBounds& bounds);
/// The `step` parameter, or the default.
Result<Duration> parse_step(const net::HttpParams& params, const TimeBounds& bounds);

struct InstantParams {
  std::string query;
  TimestampNs time;
  std::uint32_t limit = kDefaultLimit;
  logql::Direction direction = logql::Direction::kBackward;
};
Result<InstantParams> parse_instant_params(const net::HttpParams& params, TimestampNs now);

}  // namespace kvasir::server
