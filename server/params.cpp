#include "server/params.h"

#include <algorithm>
#include <cmath>

#include "common/labels.h"
#include "common/number.h"

namespace kvasir::server {
namespace {

Unexpected bad(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

std::string quoted(std::string_view text) {
  std::string out;
  append_go_quoted(out, text);
  return out;
}

std::string go_integer_error(std::string_view function, std::string_view text) {
  const std::string_view digits = text.substr(text.starts_with('-') || text.starts_with('+') ? 1 : 0);
  const bool numeric = !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
  return "strconv." + std::string(function) + ": parsing " + quoted(text) +
         (numeric ? ": value out of range" : ": invalid syntax");
}

std::string since_error(std::string_view text) {
  // digits, then a word that is no unit: the reference library names the unit
  const std::size_t unit = text.find_first_not_of("0123456789.");
  if (unit != 0 && unit != std::string_view::npos) {
    std::size_t end = text.find_first_of("0123456789.", unit);
    end = std::min(end, text.size());
    return "unknown unit " + quoted(text.substr(unit, end - unit)) + " in duration " + quoted(text);
  }
  return "not a valid duration string: " + quoted(text);
}

Result<TimestampNs> bound(const net::HttpParams& params, std::string_view name, TimestampNs fallback) {
  const auto text = params.value_or_empty(name);
  if (text.empty()) return fallback;
  auto time = parse_timestamp(text);
  if (!time) return bad("could not parse '" + std::string(name) + "' parameter: " + time.error().message());
  return *time;
}

}  // namespace

Result<net::HttpParams> merged_params(const net::HttpRequest& request) {
  const std::size_t question = request.target.find('?');
  const std::string_view encoded =
      question == std::string::npos ? std::string_view() : std::string_view(request.target).substr(question + 1);
  if (encoded.find(';') != std::string_view::npos) return bad("invalid semicolon separator in query");
  KVASIR_TRY(net::HttpParams from_url, net::HttpParams::parse(encoded));
  if (request.method != "POST" && request.method != "PUT") return from_url;
  const auto type = request.headers.get("Content-Type").value_or("");
  const auto name = type.substr(0, type.find(';'));
  if (!net::equal_ignore_case(name, "application/x-www-form-urlencoded")) return from_url;
  if (request.body.size() > kFormBytesMax) return bad("http: request body too large");
  KVASIR_TRY(net::HttpParams merged, net::HttpParams::parse(request.body));
  for (const auto& [key, value] : from_url) merged.add(key, value);
  return merged;
}

namespace {

constexpr std::int64_t kSecondsMax = 9'200'000'000;
constexpr std::int64_t kFarthest = (std::int64_t{1} << 62) - 1;  // the length between any two times fits 64 bits

Result<TimestampNs> read_timestamp(std::string_view text) {
  if (text.find('.') != std::string_view::npos) {
    const auto seconds = parse_go_float(text);
    if (seconds && std::abs(*seconds) < static_cast<double>(kSecondsMax)) {
      const double whole = std::floor(*seconds);
      const auto milliseconds = static_cast<std::int64_t>(std::round((*seconds - whole) * 1000));
      return TimestampNs{static_cast<std::int64_t>(whole) * 1'000'000'000 + milliseconds * 1'000'000};
    }
  }
  if (const auto integer = parse_int64(text)) {
    if (text.size() <= 10) return TimestampNs{std::clamp(*integer, -kSecondsMax, kSecondsMax) * 1'000'000'000};
    return TimestampNs{*integer};
  }
  if (const auto time = parse_rfc3339(text)) return *time;
  return bad(go_integer_error("ParseInt", text));
}

}  // namespace

Result<TimestampNs> parse_timestamp(std::string_view text) {
  KVASIR_TRY(const TimestampNs given, read_timestamp(text));
  return TimestampNs{std::clamp(given.value, -kFarthest, kFarthest)};
}

Result<Duration> parse_step_duration(std::string_view text) {
  if (const auto seconds = parse_go_float(text)) {
    const double nanoseconds = *seconds * 1e9;
    if (!(std::abs(nanoseconds) < 9.22e18))
      return bad("cannot parse " + quoted(text) + " to a valid duration. It overflows int64");
    return Duration(static_cast<std::int64_t>(nanoseconds));
  }
  if (const auto duration = parse_prometheus_duration(text)) return *duration;
  return bad("cannot parse " + quoted(text) + " to a valid duration");
}

Result<TimeBounds> parse_bounds(const net::HttpParams& params, TimestampNs now) {
  TimeBounds bounds;
  KVASIR_TRY(bounds.end, bound(params, "end", now));
  Duration since = std::chrono::hours(1);
  if (const auto text = params.value_or_empty("since"); !text.empty()) {
    const auto duration = parse_prometheus_duration(text);
    if (!duration) return bad("could not parse 'since' parameter: " + since_error(text));
    since = *duration;
  }
  const TimestampNs latest = std::min(bounds.end, now);
  KVASIR_TRY(bounds.start, bound(params, "start", latest - since));
  return bounds;
}

Result<std::uint32_t> parse_limit(const net::HttpParams& params, std::string_view name, std::uint32_t fallback) {
  const auto text = params.value_or_empty(name);
  if (text.empty()) return fallback;
  const auto value = parse_int64(text);
  if (!value) return bad(go_integer_error("Atoi", text));
  if (*value <= 0) return bad("limit must be a positive value");
  return static_cast<std::uint32_t>(std::min<std::int64_t>(*value, std::numeric_limits<std::uint32_t>::max()));
}

Result<logql::Direction> parse_direction(const net::HttpParams& params) {
  const auto text = params.value_or_empty("direction");
  if (text.empty() || net::equal_ignore_case(text, "backward")) return logql::Direction::kBackward;
  if (net::equal_ignore_case(text, "forward")) return logql::Direction::kForward;
  return bad("invalid direction '" + std::string(text) + "'");
}

Duration default_step(const TimeBounds& bounds) {
  const auto seconds = (bounds.end - bounds.start).count() / 1'000'000'000 / 250;
  return std::chrono::seconds(std::max<std::int64_t>(seconds, 1));
}

Result<Duration> parse_step(const net::HttpParams& params, const TimeBounds& bounds) {
  const auto text = params.value_or_empty("step");
  Duration step = default_step(bounds);
  if (!text.empty()) {
    KVASIR_TRY(step, parse_step_duration(text));
  }
  if (step.count() <= 0) {
    return bad("zero or negative query resolution step widths are not accepted. Try a positive integer");
  }
  return step;
}

Result<RangeParams> parse_range_params(const net::HttpParams& params, TimestampNs now) {
  RangeParams out;
  out.query = params.value_or_empty("query");
  KVASIR_TRY(out.bounds, parse_bounds(params, now));
  if (out.bounds.end < out.bounds.start) return bad("end timestamp must not be before or equal to start time");
  KVASIR_TRY(out.limit, parse_limit(params, "limit", kDefaultLimit));
  KVASIR_TRY(out.direction, parse_direction(params));
  KVASIR_TRY(out.step, parse_step(params, out.bounds));
  const auto points = static_cast<std::uint64_t>((out.bounds.end - out.bounds.start).count() / out.step.count());
  if (points > kPointsMax) {
    return bad(
        "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter");
  }
  if (const auto text = params.value_or_empty("interval"); !text.empty()) {
    KVASIR_TRY(out.interval, parse_step_duration(text));
    if (out.interval.count() < 0) return bad("interval must be >= 0");
  }
  return out;
}

void fill_range(logql::QueryParams& out, const RangeParams& range) {
  out.query = range.query;
  out.start = range.bounds.start;
  out.end = range.bounds.end;
  out.step = range.step;
  out.interval = range.interval;
  out.limit = range.limit;
  out.direction = range.direction;
}

Result<InstantParams> parse_instant_params(const net::HttpParams& params, TimestampNs now) {
  InstantParams out;
  out.query = params.value_or_empty("query");
  KVASIR_TRY(out.limit, parse_limit(params, "limit", kDefaultLimit));
  out.time = now;
  if (const auto text = params.value_or_empty("time"); !text.empty()) {
    KVASIR_TRY(out.time, parse_timestamp(text));
  }
  KVASIR_TRY(out.direction, parse_direction(params));
  return out;
}

}  // namespace kvasir::server
