#include <optional>

#include "common/go_layout.h"
#include "common/go_time.h"
#include "common/labels.h"
#include "common/number.h"

namespace kvasir {

namespace {

using Field = GoLayoutField;

bool is_digit(std::string_view text, std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; }
bool is_leap(std::int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

constexpr int kDaysBefore[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

int days_in(int month, std::int64_t year) {
  if (month == 2 && is_leap(year)) return 29;
  return kDaysBefore[month] - kDaysBefore[month - 1];
}

void cut_spaces(std::string_view& text) {
  while (!text.empty() && text[0] == ' ') text.remove_prefix(1);
}

// Takes the literal `prefix` off `value`; runs of spaces match runs of spaces.
bool skip_literal(std::string_view prefix, std::string_view& value) {
  while (!prefix.empty()) {
    if (prefix[0] == ' ') {
      if (!value.empty() && value[0] != ' ') return false;
      cut_spaces(prefix);
      cut_spaces(value);
      continue;
    }
    if (value.empty() || value[0] != prefix[0]) return false;
    prefix.remove_prefix(1);
    value.remove_prefix(1);
  }
  return true;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view lower_or_mixed) {
  if (text.size() < lower_or_mixed.size()) return false;
  for (std::size_t i = 0; i < lower_or_mixed.size(); ++i) {
    if ((text[i] | 0x20) != (lower_or_mixed[i] | 0x20)) return false;
  }
  return true;
}

std::size_t signed_offset_length(std::string_view value) {
  if (value.empty() || (value[0] != '+' && value[0] != '-')) return 0;
  std::size_t end = 1;
  int hours = 0;
  while (is_digit(value, end) && hours <= 23) hours = hours * 10 + (value[end++] - '0');
  return end == 1 || hours > 23 ? 0 : end;
}

// The length of a zone abbreviation at the front: UTC, CEST, GMT+3, +03; 0 if there is none.
std::size_t abbreviation_length(std::string_view value) {
  if (value.size() < 3) return 0;
  if (value.substr(0, 4) == "ChST" || value.substr(0, 4) == "MeST") return 4;
  if (value.substr(0, 3) == "GMT") return 3 + signed_offset_length(value.substr(3));
  if (value[0] == '+' || value[0] == '-') return signed_offset_length(value);
  std::size_t upper = 0;
  while (upper < 6 && upper < value.size() && value[upper] >= 'A' && value[upper] <= 'Z') ++upper;
  if (upper == 3) return 3;
  if (upper == 4 && (value[3] == 'T' || value.substr(0, 4) == "WITA")) return 4;
  if (upper == 5 && value[4] == 'T') return 5;
  return 0;
}

// State of one parse. Each take_* gives false when the value does not fit the field; `range` names a field out of
// range.
class Parser {
 public:
  Parser(std::string_view layout, std::string_view text) : layout_(layout), text_(text), value_(text) {}

  Result<GoTime> run(const TimeZone& zone, const TimeZone& abbreviations) {
    std::string_view layout = layout_;
    for (;;) {
      const GoLayoutPiece piece = next_go_layout_piece(layout);
      if (!skip_literal(piece.literal, value_)) return cannot_parse(value_, piece.literal);
      if (piece.field == Field::kNone) break;
      rest_of_layout_ = layout = piece.rest;
      const std::string_view hold = value_;
      const bool fits = take(piece);
      if (!range_.empty()) return out_of_range(range_);
      if (!fits) return cannot_parse(hold, piece.text);
    }
    if (!value_.empty()) return failure(": extra text: " + quoted(value_));
    return finish(zone, abbreviations);
  }

 private:
  static std::string quoted(std::string_view text) {
    std::string out;
    append_go_quoted(out, text);
    return out;
  }
  Unexpected failure(const std::string& what) const {
    return fail(ErrorCode::kInvalidArgument, "parsing time " + quoted(text_) + what);
  }
  Unexpected out_of_range(std::string_view field) const { return failure(": " + std::string(field) + " out of range"); }
  Unexpected cannot_parse(std::string_view value, std::string_view layout) const {
    return failure(" as " + quoted(layout_) + ": cannot parse " + quoted(value) + " as " + quoted(layout));
  }

  bool take(const GoLayoutPiece& piece) {
    switch (piece.field) {
      case Field::kYear: return take_short_year();
      case Field::kLongYear: return take_digits(4, date_.year);
      case Field::kMonth: return take_name(kGoMonthNames, 3, month_);
      case Field::kLongMonth: return take_name(kGoMonthNames, 0, month_);
      case Field::kNumberMonth:
      case Field::kZeroMonth: return take_ranged(month_, 1, 12, "month", piece.field == Field::kZeroMonth);
      case Field::kWeekDay: return take_name(kGoDayNames, 3, date_.weekday);
      case Field::kLongWeekDay: return take_name(kGoDayNames, 0, date_.weekday);
      case Field::kUnderDay:
        if (!value_.empty() && value_[0] == ' ') value_.remove_prefix(1);
        return take_number(day_, false);
      case Field::kDay: return take_number(day_, false);
      case Field::kZeroDay: return take_number(day_, true);
      case Field::kUnderYearDay:
      case Field::kZeroYearDay: return take_year_day(piece.field == Field::kUnderYearDay);
      default: return take_clock(piece);
    }
  }

  bool take_clock(const GoLayoutPiece& piece) {
    switch (piece.field) {
      case Field::kHour: return take_ranged(date_.hour, 0, 23, "hour", false);
      case Field::kHour12: return take_ranged(date_.hour, 0, 12, "hour", false);
      case Field::kZeroHour12: return take_ranged(date_.hour, 0, 12, "hour", true);
      case Field::kMinute: return take_ranged(date_.minute, 0, 59, "minute", false);
      case Field::kZeroMinute: return take_ranged(date_.minute, 0, 59, "minute", true);
      case Field::kSecond:
      case Field::kZeroSecond: return take_second(piece.field == Field::kZeroSecond);
      case Field::kUpperPm: return take_half_day("AM", "PM");
      case Field::kLowerPm: return take_half_day("am", "pm");
      case Field::kZone: return take_abbreviation();
      case Field::kFractionZeros:
        return value_.size() > static_cast<std::size_t>(piece.digits) &&
               take_fraction(static_cast<std::size_t>(piece.digits));
      case Field::kFractionNines: {
        if (!starts_fraction()) return true;  // left out
        return take_fraction(fraction_digits());
      }
      default: return take_offset(piece.field);
    }
  }

  bool take_digits(std::size_t count, std::int64_t& out) {
    std::int64_t number = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!is_digit(value_, i)) return false;
      number = number * 10 + (value_[i] - '0');
    }
    out = number;
    value_.remove_prefix(count);
    return true;
  }
  bool take_short_year() {
    if (!take_digits(2, date_.year)) return false;
    date_.year += date_.year >= 69 ? 1900 : 2000;
    return true;
  }
  template <class Names>
  bool take_name(const Names& names, std::size_t letters, int& out) {
    int index = 0;
    for (std::string_view name : names) {
      ++index;
      if (letters != 0) name = name.substr(0, letters);
      if (!starts_with_ignoring_case(value_, name)) continue;
      out = index;
      value_.remove_prefix(name.size());
      return true;
    }
    return false;
  }
  // One or two digits; two if `fixed`.
  bool take_number(int& out, bool fixed) {
    if (!is_digit(value_, 0) || (fixed && !is_digit(value_, 1))) return false;
    std::int64_t number = 0;
    if (!take_digits(is_digit(value_, 1) ? 2 : 1, number)) return false;
    out = static_cast<int>(number);
    return true;
  }
  bool take_ranged(int& out, int low, int high, std::string_view name, bool fixed) {
    if (!take_number(out, fixed)) return false;
    if (out < low || out > high) range_ = name;
    return true;
  }
  bool take_year_day(bool padded) {
    for (int i = 0; i < 2 && padded && !value_.empty() && value_[0] == ' '; ++i) value_.remove_prefix(1);
    std::size_t digits = 0;
    while (digits < 3 && is_digit(value_, digits)) ++digits;
    if (digits == 0 || (!padded && digits != 3)) return false;
    std::int64_t number = 0;
    take_digits(digits, number);
    year_day_ = static_cast<int>(number);
    return true;
  }

  bool starts_fraction() const {
    return value_.size() >= 2 && (value_[0] == '.' || value_[0] == ',') && is_digit(value_, 1);
  }
  std::size_t fraction_digits() const {
    std::size_t digits = 0;
    while (is_digit(value_, digits + 1)) ++digits;
    return digits;
  }
  bool take_fraction(std::size_t digits) {
    if (value_[0] != '.' && value_[0] != ',') return false;
    std::int32_t nanoseconds = 0;
    for (std::size_t i = 0; i < 9; ++i) {
      if (i < digits && !is_digit(value_, i + 1)) return false;
      nanoseconds = nanoseconds * 10 + (i < digits ? value_[i + 1] - '0' : 0);
    }
    nanoseconds_ = nanoseconds;
    value_.remove_prefix(digits + 1);
    return true;
  }
  // A fraction may follow the seconds although the layout has none.
  bool take_second(bool fixed) {
    if (!take_ranged(date_.second, 0, 59, "second", fixed)) return false;
    if (!starts_fraction()) return true;
    const Field next = next_go_layout_piece(rest_of_layout_).field;
    if (next == Field::kFractionZeros || next == Field::kFractionNines) return true;
    return take_fraction(fraction_digits());
  }
  bool take_half_day(std::string_view am, std::string_view pm) {
    const auto text = value_.substr(0, 2);
    if (text != am && text != pm) return false;
    (text == pm ? pm_ : am_) = true;
    value_.remove_prefix(2);
    return true;
  }
  bool take_abbreviation() {
    if (value_.substr(0, 3) == "UTC") {
      is_utc_ = true;
      value_.remove_prefix(3);
      return true;
    }
    const std::size_t length = abbreviation_length(value_);
    zone_name_ = value_.substr(0, length);
    value_.remove_prefix(length);
    return length != 0;
  }
  bool take_two_digits(int& out) {
    std::int64_t number = 0;
    if (!take_digits(2, number)) return false;
    out = static_cast<int>(number);
    return true;
  }
  bool take_colon() {
    if (value_.empty() || value_[0] != ':') return false;
    value_.remove_prefix(1);
    return true;
  }
  bool take_offset(Field field) {
    if (is_z_offset(field) && !value_.empty() && value_[0] == 'Z') {
      is_utc_ = true;
      value_.remove_prefix(1);
      return true;
    }
    if (value_.empty() || (value_[0] != '+' && value_[0] != '-')) return false;
    const bool negative = value_[0] == '-';
    value_.remove_prefix(1);
    const bool colon = field == Field::kZColon || field == Field::kOffsetColon || field == Field::kZColonSeconds ||
                       field == Field::kOffsetColonSeconds;
    const bool seconds = field == Field::kZSeconds || field == Field::kOffsetSeconds ||
                         field == Field::kZColonSeconds || field == Field::kOffsetColonSeconds;
    const bool hours_only = field == Field::kZShort || field == Field::kOffsetShort;
    int hour = 0, minute = 0, second = 0;
    if (!take_two_digits(hour)) return false;
    if (!hours_only && ((colon && !take_colon()) || !take_two_digits(minute))) return false;
    if (seconds && ((colon && !take_colon()) || !take_two_digits(second))) return false;
    if (hour > 24) range_ = "time zone offset hour";
    if (minute > 60) range_ = "time zone offset minute";
    if (second > 60) range_ = "time zone offset second";
    const std::int32_t offset = (hour * 60 + minute) * 60 + second;
    offset_ = negative ? -offset : offset;
    return true;
  }

  // Turns a day of the year into month and day. Gives what is wrong, or "".
  std::string_view resolve_year_day() {
    int day = year_day_;
    int month = 0, day_of_month = 0;
    if (is_leap(date_.year)) {
      if (day == 31 + 29) month = 2, day_of_month = 29;
      if (day > 31 + 29) --day;
    }
    if (day < 1 || day > 365) return ": day-of-year out of range";
    if (month == 0) {
      month = 1;
      while (kDaysBefore[month] < day) ++month;
      day_of_month = day - kDaysBefore[month - 1];
    }
    if (month_ >= 0 && month_ != month) return ": day-of-year does not match month";
    if (day_ >= 0 && day_ != day_of_month) return ": day-of-year does not match day";
    month_ = month;
    day_ = day_of_month;
    return {};
  }

  Result<GoTime> finish(const TimeZone& zone, const TimeZone& abbreviations) {
    if (pm_ && date_.hour < 12) date_.hour += 12;
    else if (am_ && date_.hour == 12) date_.hour = 0;
    if (year_day_ >= 0) {
      if (const auto wrong = resolve_year_day(); !wrong.empty()) return failure(std::string(wrong));
    }
    date_.month = month_ < 0 ? 1 : month_;
    date_.day = day_ < 0 ? 1 : day_;
    if (date_.day < 1 || date_.day > days_in(date_.month, date_.year)) return out_of_range("day");
    const std::int64_t wall = go_wall_seconds(date_);
    if (is_utc_) return GoTime{wall, nanoseconds_, 0, "UTC"};
    if (offset_) return with_offset(wall, abbreviations);
    if (!zone_name_.empty()) return with_abbreviation(wall, abbreviations);
    return zone.at(zone.from_wall_clock(wall), nanoseconds_);
  }
  GoTime with_offset(std::int64_t wall, const TimeZone& abbreviations) const {
    const std::int64_t utc = wall - *offset_;
    const GoTime local = abbreviations.at(utc, nanoseconds_);
    if (local.offset_seconds == *offset_ && (zone_name_.empty() || local.zone == zone_name_)) return local;
    return {utc, nanoseconds_, *offset_, std::string(zone_name_)};
  }
  GoTime with_abbreviation(std::int64_t wall, const TimeZone& abbreviations) const {
    if (const auto known = abbreviations.offset_of(zone_name_, wall)) {
      return abbreviations.at(wall - *known, nanoseconds_);
    }
    std::int32_t offset = 0;
    if (zone_name_.size() > 3 && zone_name_.substr(0, 3) == "GMT") {
      offset = static_cast<std::int32_t>(parse_int64(zone_name_.substr(3)).value_or(0)) * 3600;
    }
    return {wall - offset, nanoseconds_, offset, std::string(zone_name_)};
  }

  std::string_view layout_;
  std::string_view text_;
  std::string_view value_;           // what is left of text_
  std::string_view rest_of_layout_;
  GoDate date_{.year = 0};
  int month_ = -1, day_ = -1, year_day_ = -1;
  std::int32_t nanoseconds_ = 0;
  bool am_ = false, pm_ = false, is_utc_ = false;
  std::optional<std::int32_t> offset_;
  std::string_view zone_name_;
  std::string_view range_;
};

}  // namespace

Result<GoTime> parse_go_time(std::string_view layout, std::string_view text, const TimeZone& zone,
                             const TimeZone& abbreviations) {
  return Parser(layout, text).run(zone, abbreviations);
}

Result<GoTime> parse_go_time(std::string_view layout, std::string_view text, const TimeZone& zone) {
  return Parser(layout, text).run(zone, zone);
}

}  // namespace kvasir
