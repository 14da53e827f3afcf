#include "common/clock.h"
#include "common/labels.h"
#include "common/number.h"
#include "logql/pipeline/template/function_groups.h"

namespace kvasir::gotemplate {

namespace {

constexpr std::int64_t kDaySeconds = 86400;

GoTime current_time(const Environment& environment) {
  return environment.zone.at(environment.now ? *environment.now : system_clock().now());
}

// A time, or seconds; anything else stands for now.
Result<Value> date(const Call& call) {
  Environment& environment = call.environment;
  GoTime time = current_time(environment);
  if (call[1].kind() == Value::Kind::kTime) {
    time = environment.zone.at(call[1].as_time().unix_seconds, call[1].as_time().nanoseconds);
  } else if (call[1].kind() == Value::Kind::kInt) {
    time = environment.zone.at(call[1].as_int(), 0);
  }
  return call.string(format_go_time(time, call.text(0)));
}

Result<Value> parsed(const Call& call, std::string_view text, const TimeZone& zone) {
  const auto time = parse_go_time(call.text(0), text, zone);
  return call.environment.heap.time(time ? *time : GoTime::zero());
}

Result<Value> to_date(const Call& call) { return parsed(call, call.text(1), call.environment.zone); }

Result<Value> to_date_in_zone(const Call& call) {
  return parsed(call, call.text(2), TimeZone::find(call.text(1)).value_or(TimeZone::utc()));
}

Result<Value> epoch(const Call& call, std::int64_t per_second) {
  const GoTime& time = call[0].as_time();
  return call.string(std::to_string(time.unix_seconds * per_second + time.nanoseconds / (1'000'000'000 / per_second)));
}

Unexpected unreadable(std::string_view text, const std::string& reason) {
  return fail(ErrorCode::kInvalidArgument, "unable to parse time '" + std::string(text) + "': " + reason);
}

// The number of digits tells the unit.
Result<Value> unix_to_time(const Call& call) {
  const std::string_view text = call.text(0);
  const auto number = parse_int64(text);
  if (!number) {
    std::string reason = "strconv.ParseInt: parsing ";
    append_go_quoted(reason, text);
    return unreadable(text, reason + ": invalid syntax");
  }
  const auto at = [&](std::int64_t seconds, std::int64_t nanoseconds) -> Result<Value> {
    return call.environment.heap.time(call.environment.zone.at(seconds, static_cast<std::int32_t>(nanoseconds)));
  };
  const auto split = [&](std::int64_t per_second) {
    std::int64_t seconds = *number / per_second;
    std::int64_t rest = *number % per_second;
    if (rest < 0) rest += per_second, --seconds;
    return at(seconds, rest * (1'000'000'000 / per_second));
  };
  switch (text.size()) {
    case 5: return at(*number * kDaySeconds, 0);
    case 10: return at(*number, 0);
    case 13: return split(1000);
    case 16: return split(1'000'000);
    case 19: return split(1'000'000'000);
    default: return unreadable(text, "%!w(<nil>)");
  }
}

FunctionSet make_logql() {
  FunctionSet set;
  set.add_all(builtin_functions()).add_all(shared_functions());
  add_text_functions(set);
  add_number_functions(set);
  add_time_functions(set);
  return set;
}

}  // namespace

void add_time_functions(FunctionSet& set) {
  set.add("__line__", "", [](const Call& c) -> Result<Value> { return Value::string(c.environment.line); });
  set.add("__timestamp__", "", [](const Call& c) -> Result<Value> {
    return c.environment.heap.time(TimeZone::utc().at(c.environment.timestamp));
  });
  set.add("now", "",
          [](const Call& c) -> Result<Value> { return c.environment.heap.time(current_time(c.environment)); });
  set.add("date", "sa", date).add("toDate", "ss", to_date).add("toDateInZone", "sss", to_date_in_zone);
  set.add("unixEpoch", "t", [](const Call& c) { return epoch(c, 1); });
  set.add("unixEpochMillis", "t", [](const Call& c) { return epoch(c, 1000); });
  set.add("unixEpochNanos", "t", [](const Call& c) { return epoch(c, 1'000'000'000); });
  set.add("unixToTime", "s", unix_to_time);
}

const FunctionSet& logql_functions() {
  static const FunctionSet set = make_logql();
  return set;
}

}  // namespace kvasir::gotemplate
