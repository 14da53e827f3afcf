#include "logql/pipeline/template/time_methods.h"

#include "common/go_layout.h"

namespace kvasir::gotemplate {

namespace {

const GoTime& self(const Call& call) { return call[0].as_time(); }

std::int64_t scaled(const GoTime& time, std::int64_t per_second) {
  return time.unix_seconds * per_second + time.nanoseconds / (1'000'000'000 / per_second);
}

constexpr std::string_view kNone = "";
constexpr std::string_view kText = "s";

FunctionSet make_methods() {
  FunctionSet set;
  set.add("Unix", kNone, [](const Call& c) -> Result<Value> { return Value::integer(self(c).unix_seconds); });
  set.add("UnixMilli", kNone, [](const Call& c) -> Result<Value> { return Value::integer(scaled(self(c), 1000)); });
  set.add("UnixMicro", kNone, [](const Call& c) -> Result<Value> { return Value::integer(scaled(self(c), 1000000)); });
  set.add("UnixNano", kNone,
          [](const Call& c) -> Result<Value> { return Value::integer(scaled(self(c), 1000000000)); });
  set.add("Nanosecond", kNone, [](const Call& c) -> Result<Value> { return Value::integer(self(c).nanoseconds); });
  set.add("Year", kNone, [](const Call& c) -> Result<Value> { return Value::integer(go_date(self(c)).year); });
  set.add("Month", kNone,
          [](const Call& c) -> Result<Value> { return Value::string(kGoMonthNames[go_date(self(c)).month - 1]); });
  set.add("Day", kNone, [](const Call& c) -> Result<Value> { return Value::integer(go_date(self(c)).day); });
  set.add("Weekday", kNone,
          [](const Call& c) -> Result<Value> { return Value::string(kGoDayNames[go_date(self(c)).weekday]); });
  set.add("YearDay", kNone, [](const Call& c) -> Result<Value> { return Value::integer(go_date(self(c)).year_day); });
  set.add("Hour", kNone, [](const Call& c) -> Result<Value> { return Value::integer(go_date(self(c)).hour); });
  set.add("Minute", kNone, [](const Call& c) -> Result<Value> { return Value::integer(go_date(self(c)).minute); });
  set.add("Second", kNone, [](const Call& c) -> Result<Value> { return Value::integer(go_date(self(c)).second); });
  set.add("IsZero", kNone, [](const Call& c) -> Result<Value> { return Value::boolean(self(c).is_zero()); });
  set.add("String", kNone, [](const Call& c) -> Result<Value> { return c.string(format_go_time(self(c))); });
  set.add("Format", kText, [](const Call& c) -> Result<Value> { return c.string(format_go_time(self(c), c.text(1))); });
  set.add("UTC", kNone, [](const Call& c) -> Result<Value> {
    return c.environment.heap.time(TimeZone::utc().at(self(c).unix_seconds, self(c).nanoseconds));
  });
  set.add("Local", kNone, [](const Call& c) -> Result<Value> {
    return c.environment.heap.time(c.environment.zone.at(self(c).unix_seconds, self(c).nanoseconds));
  });
  return set;
}

}  // namespace

const Function* find_time_method(std::string_view name) {
  static const FunctionSet methods = make_methods();
  return methods.find(name);
}

}  // namespace kvasir::gotemplate
