#include "common/go_time.h"

#include <cstdlib>
#include <date/tz.h>
#include <limits>

#include "common/go_layout.h"

namespace kvasir {

namespace {

constexpr std::int64_t kDaySeconds = 86400;
constexpr std::int64_t kZeroTimeSeconds = -62135596800;  // 0001-01-01T00:00:00Z

// Days since the epoch of a Gregorian date; month 1..12. Years are counted from March, so that the leap day comes last.
std::int64_t days_from_date(std::int64_t year, int month, int day) {
  year -= month <= 2;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

void date_from_days(std::int64_t days, GoDate& date) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const std::int64_t day_of_era = days - era * 146097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
  date.day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  date.month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  date.year = year_of_era + era * 400 + (date.month <= 2);
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0); }

void append_padded(std::string& out, std::int64_t value, int width, char pad = '0') {
  if (value < 0) {
    out += '-';
    value = -value;
  }
  const std::string digits = std::to_string(value);
  for (int i = static_cast<int>(digits.size()); i < width; ++i) out += pad;
  out += digits;
}

void append_offset(std::string& out, GoLayoutField field, std::int32_t offset) {
  using Field = GoLayoutField;
  if (is_z_offset(field) && offset == 0) {
    out += 'Z';
    return;
  }
  const bool colon = field == Field::kZColon || field == Field::kOffsetColon || field == Field::kZColonSeconds ||
                     field == Field::kOffsetColonSeconds;
  const bool seconds = field == Field::kZSeconds || field == Field::kOffsetSeconds || field == Field::kZColonSeconds ||
                       field == Field::kOffsetColonSeconds;
  const bool hours_only = field == Field::kZShort || field == Field::kOffsetShort;
  out += offset < 0 ? '-' : '+';
  const std::int32_t absolute = offset < 0 ? -offset : offset;
  append_padded(out, absolute / 3600, 2);
  if (hours_only) return;
  if (colon) out += ':';
  append_padded(out, absolute / 60 % 60, 2);
  if (!seconds) return;
  if (colon) out += ':';
  append_padded(out, absolute % 60, 2);
}

void append_fraction(std::string& out, const GoLayoutPiece& piece, std::int32_t nanoseconds) {
  std::string digits;
  append_padded(digits, nanoseconds, 9);
  digits.resize(static_cast<std::size_t>(piece.digits), '0');
  if (piece.field == GoLayoutField::kFractionNines) {
    while (!digits.empty() && digits.back() == '0') digits.pop_back();
    if (digits.empty()) return;
  }
  out += piece.text[0];
  out += digits;
}

void append_zone(std::string& out, const GoTime& time) {
  if (!time.zone.empty()) {
    out += time.zone;
  } else {
    append_offset(out, GoLayoutField::kOffset, time.offset_seconds);
  }
}

int hour12(int hour) { return hour % 12 == 0 ? 12 : hour % 12; }

void append_clock_field(std::string& out, GoLayoutField field, const GoDate& date) {
  using Field = GoLayoutField;
  switch (field) {
    case Field::kHour: return append_padded(out, date.hour, 2);
    case Field::kHour12: return append_padded(out, hour12(date.hour), 0);
    case Field::kZeroHour12: return append_padded(out, hour12(date.hour), 2);
    case Field::kMinute: return append_padded(out, date.minute, 0);
    case Field::kZeroMinute: return append_padded(out, date.minute, 2);
    case Field::kSecond: return append_padded(out, date.second, 0);
    case Field::kZeroSecond: return append_padded(out, date.second, 2);
    case Field::kUpperPm: out += date.hour >= 12 ? "PM" : "AM"; return;
    case Field::kLowerPm: out += date.hour >= 12 ? "pm" : "am"; return;
    default: return;
  }
}

void append_date_field(std::string& out, GoLayoutField field, const GoDate& date) {
  using Field = GoLayoutField;
  switch (field) {
    case Field::kLongMonth: out += kGoMonthNames[date.month - 1]; return;
    case Field::kMonth: out += kGoMonthNames[date.month - 1].substr(0, 3); return;
    case Field::kNumberMonth: return append_padded(out, date.month, 0);
    case Field::kZeroMonth: return append_padded(out, date.month, 2);
    case Field::kLongWeekDay: out += kGoDayNames[date.weekday]; return;
    case Field::kWeekDay: out += kGoDayNames[date.weekday].substr(0, 3); return;
    case Field::kDay: return append_padded(out, date.day, 0);
    case Field::kUnderDay: return append_padded(out, date.day, 2, ' ');
    case Field::kZeroDay: return append_padded(out, date.day, 2);
    case Field::kUnderYearDay: return append_padded(out, date.year_day, 3, ' ');
    case Field::kZeroYearDay: return append_padded(out, date.year_day, 3);
    case Field::kLongYear: return append_padded(out, date.year, 4);
    case Field::kYear: return append_padded(out, (date.year % 100 + 100) % 100, 2);
    default: return append_clock_field(out, field, date);
  }
}

// The database throws for unknown names and unreadable files.
const date::time_zone* locate_zone(const std::string& name) {
  try {
    return date::locate_zone(name);
  } catch (const std::exception&) {
    return nullptr;
  }
}

const date::time_zone* machine_zone() {
  if (const char* variable = std::getenv("TZ"); variable != nullptr) {
    std::string_view name = variable;
    if (!name.empty() && name[0] == ':') name.remove_prefix(1);
    constexpr std::string_view kFolder = "/usr/share/zoneinfo/";
    if (name.substr(0, kFolder.size()) == kFolder) name.remove_prefix(kFolder.size());
    return name.empty() ? nullptr : locate_zone(std::string(name));
  }
  try {
    return date::current_zone();
  } catch (const std::exception&) {
    return nullptr;
  }
}

date::sys_info info_at(const date::time_zone& zone, std::int64_t unix_seconds) {
  return zone.get_info(date::sys_seconds(std::chrono::seconds(unix_seconds)));
}

std::int64_t seconds_of(date::sys_seconds instant) { return instant.time_since_epoch().count(); }

}  // namespace

std::optional<TimestampNs> GoTime::timestamp() const {
  std::int64_t result = 0;
  if (__builtin_mul_overflow(unix_seconds, std::int64_t{1'000'000'000}, &result) ||
      __builtin_add_overflow(result, std::int64_t{nanoseconds}, &result)) {
    return std::nullopt;
  }
  return TimestampNs{result};
}

GoTime GoTime::zero() { return {kZeroTimeSeconds, 0, 0, "UTC"}; }
bool GoTime::is_zero() const { return unix_seconds == kZeroTimeSeconds && nanoseconds == 0; }

std::optional<TimeZone> TimeZone::find(std::string_view name) {
  if (name.empty() || name == "UTC") return utc();
  if (name == "Local") return local();
  TimeZone zone;
  zone.zone_ = locate_zone(std::string(name));
  if (zone.zone_ == nullptr) return std::nullopt;
  return zone;
}

TimeZone TimeZone::local() {
  static const date::time_zone* const zone = machine_zone();
  TimeZone result;
  result.zone_ = zone;
  return result;
}

GoTime TimeZone::at(std::int64_t unix_seconds, std::int32_t nanoseconds) const {
  if (zone_ == nullptr) return {unix_seconds, nanoseconds, 0, "UTC"};
  const auto info = info_at(*static_cast<const date::time_zone*>(zone_), unix_seconds);
  return {unix_seconds, nanoseconds, static_cast<std::int32_t>(info.offset.count()), info.abbrev};
}

GoTime TimeZone::at(TimestampNs timestamp) const {
  const std::int64_t seconds = floor_divide(timestamp.value, 1'000'000'000);
  return at(seconds, static_cast<std::int32_t>(timestamp.value - seconds * 1'000'000'000));
}

std::int64_t TimeZone::from_wall_clock(std::int64_t wall_seconds) const {
  if (zone_ == nullptr) return wall_seconds;
  const auto& zone = *static_cast<const date::time_zone*>(zone_);
  // Take the wall clock for UTC, and look again if the offset found there did not hold yet (or any more).
  const auto guess = info_at(zone, wall_seconds);
  const std::int64_t utc = wall_seconds - guess.offset.count();
  if (utc >= seconds_of(guess.begin) && utc < seconds_of(guess.end)) return utc;
  return wall_seconds - info_at(zone, utc).offset.count();
}

std::optional<std::int32_t> TimeZone::offset_of(std::string_view abbreviation, std::int64_t unix_seconds) const {
  if (zone_ == nullptr) return abbreviation == "UTC" ? std::optional<std::int32_t>(0) : std::nullopt;
  const auto& zone = *static_cast<const date::time_zone*>(zone_);
  // The periods just before, around and after: summer and winter time.
  const auto now = info_at(zone, unix_seconds);
  if (now.abbrev == abbreviation) return static_cast<std::int32_t>(now.offset.count());
  for (const std::int64_t other : {seconds_of(now.begin) - 1, seconds_of(now.end) + 1}) {
    if (other < -kDaySeconds * 400000 || other > kDaySeconds * 400000)
      continue;  // the first or last period has no border
    const auto info = info_at(zone, other);
    if (info.abbrev == abbreviation) return static_cast<std::int32_t>(info.offset.count());
  }
  return std::nullopt;
}

GoDate go_date(const GoTime& time) {
  GoDate date;
  const std::int64_t wall = time.unix_seconds + time.offset_seconds;
  const std::int64_t days = floor_divide(wall, kDaySeconds);
  const auto second_of_day = static_cast<int>(wall - days * kDaySeconds);
  date_from_days(days, date);
  date.hour = second_of_day / 3600;
  date.minute = second_of_day / 60 % 60;
  date.second = second_of_day % 60;
  date.weekday = static_cast<int>(((days % 7) + 11) % 7);  // the epoch was a Thursday
  date.year_day = static_cast<int>(days - days_from_date(date.year, 1, 1)) + 1;
  return date;
}

std::int64_t go_wall_seconds(const GoDate& date) {
  const std::int64_t months = date.month - 1;
  const std::int64_t year = date.year + floor_divide(months, 12);
  const auto month = static_cast<int>(months - floor_divide(months, 12) * 12) + 1;
  const std::int64_t days = days_from_date(year, month, 1) + date.day - 1;
  return ((days * 24 + date.hour) * 60 + date.minute) * 60 + date.second;
}

std::string format_go_time(const GoTime& time, std::string_view layout) {
  std::string out;
  const GoDate date = go_date(time);
  for (;;) {
    const GoLayoutPiece piece = next_go_layout_piece(layout);
    out += piece.literal;
    if (piece.field == GoLayoutField::kNone) return out;
    if (piece.field == GoLayoutField::kZone) {
      append_zone(out, time);
    } else if (is_any_offset(piece.field)) {
      append_offset(out, piece.field, time.offset_seconds);
    } else if (piece.field == GoLayoutField::kFractionZeros || piece.field == GoLayoutField::kFractionNines) {
      append_fraction(out, piece, time.nanoseconds);
    } else {
      append_date_field(out, piece.field, date);
    }
    layout = piece.rest;
  }
}

std::string format_go_time(const GoTime& time) {
  return format_go_time(time, "2006-01-02 15:04:05.999999999 -0700 MST");
}

}  // namespace kvasir
