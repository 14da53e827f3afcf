// Sprig's times and durations.
#include <cmath>

#include "common/clock.h"
#include "common/number.h"
#include "logql/pipeline/template/coercion.h"
#include "promtail-agent/stages/sprig/conversions.h"

namespace kvasir::agent::sprig {
namespace {

GoTime current(const Call& call) {
  return call.environment.zone.at(call.environment.now.value_or(system_clock().now()));
}

// A time, Unix seconds, or now.
GoTime time_of(const Call& call, const Value& value) {
  if (value.kind() == Kind::kTime) return value.as_time();
  if (value.kind() == Kind::kInt) return call.environment.zone.at(value.as_int(), 0);
  return current(call);
}

GoTime shifted(const GoTime& time, Duration by) {
  GoTime out = time;
  const std::int64_t ns = time.nanoseconds + by.count() % 1'000'000'000;
  const std::int64_t carry = ns < 0 ? -1 : ns / 1'000'000'000;
  out.unix_seconds += by.count() / 1'000'000'000 + carry;
  out.nanoseconds = static_cast<std::int32_t>(ns - carry * 1'000'000'000);
  return out;
}

Duration between(const GoTime& later, const GoTime& earlier) {
  return Duration((later.unix_seconds - earlier.unix_seconds) * 1'000'000'000 + later.nanoseconds -
                  earlier.nanoseconds);
}

Answer date_in_zone(const Call& call) {
  const GoTime time = time_of(call, call[1]);
  const TimeZone zone = TimeZone::find(call.text(2)).value_or(TimeZone::utc());
  return call.string(format_go_time(zone.at(time.unix_seconds, time.nanoseconds), call.text(0)));
}

Answer html_date(const Call& call) {
  const GoTime time = time_of(call, call[0]);
  return call.string(format_go_time(call.environment.zone.at(time.unix_seconds, time.nanoseconds), "2006-01-02"));
}

Answer date_modify(const Call& call) {
  const GoTime time = time_of(call, call[1]);
  const auto by = parse_go_duration(call.text(0));
  return call.environment.heap.time(by ? shifted(time, *by) : time);
}

Answer ago(const Call& call) {
  const Duration age = between(current(call), time_of(call, call[0]));
  return call.string(format_go_duration(std::chrono::duration_cast<std::chrono::seconds>(age)));
}

Answer duration(const Call& call) {
  return call.string(format_go_duration(std::chrono::seconds(gotemplate::coerce_to_int(call[0]))));
}

// The largest unit that fits, rounded down: 2h, 3d, 1mo.
Answer duration_round(const Call& call) {
  Duration time(0);
  if (call[0].is_string()) time = parse_go_duration(call[0].as_string()).value_or(Duration(0));
  else if (call[0].kind() == Kind::kTime) time = between(current(call), call[0].as_time());
  else time = Duration(gotemplate::coerce_to_int(call[0]));
  const std::int64_t seconds = std::llabs(time.count() / 1'000'000'000);
  static constexpr std::pair<std::int64_t, std::string_view> kUnits[] = {
      {31'536'000, "y"}, {2'628'000, "mo"}, {86'400, "d"}, {3'600, "h"}, {60, "m"}, {1, "s"},
  };
  for (const auto& [size, unit] : kUnits)
    if (seconds >= size) return call.string(std::to_string(seconds / size) + std::string(unit));
  return call.string("0s");
}

}  // namespace

void add_time_functions(FunctionSet& set) {
  set.add("dateInZone", "sas", date_in_zone).add("date_in_zone", "sas", date_in_zone).add("htmlDate", "a", html_date);
  set.add("dateModify", "sa", date_modify).add("date_modify", "sa", date_modify).add("ago", "a", ago);
  set.add("duration", "a", duration).add("durationRound", "a", duration_round);
}

}  // namespace kvasir::agent::sprig
