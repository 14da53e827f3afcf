#include "chunks/time_layout.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace kvasir::chunks {
namespace {

constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr std::int64_t kDaySeconds = 86'400;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool digits_at(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return false;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_digit(text[at + i])) return false;
  }
  return true;
}

int month_of(std::string_view name) {
  for (int m = 0; m < 12; ++m) {
    if (kMonths.substr(static_cast<std::size_t>(m) * 3, 3) == name) return m + 1;
  }
  return 0;
}

// Days since 1970 of a proleptic Gregorian date and back (the usual era arithmetic, with years that begin in March).
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + static_cast<std::int64_t>(day_of_era) - 719'468;
}

struct Civil {
  std::int64_t year;
  unsigned month, day;
};

Civil civil_from_days(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146'097);
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted = (5 * day_of_year + 2) / 153;
  const unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2), month,
          day_of_year - (153 * shifted + 2) / 5 + 1};
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0); }

std::size_t field_width(char field) {
  switch (field) {
    case 'Y': return 4;
    case 'b': return 3;
    case 'y':
    case 'm':
    case 'd':
    case 'e':
    case 'H':
    case 'M':
    case 'S': return 2;
    default: return 0;
  }
}

// Known shapes. A digit-free field must match exactly; 'F' here means an optional fraction after the character before
// it.
struct Known {
  std::string_view spec;
  std::string_view fraction_marks;  // characters that may begin a fraction after the seconds
  bool zone;                        // Z, +hh:mm, +hhmm, or " +hhmm" may follow
};
constexpr std::array<Known, 8> kKnown = {{
    {"Y-m-dTH:M:S", ".,", true},
    {"Y-m-d H:M:S", ".,", true},
    {"Y/m/d H:M:S", ".,", false},
    {"d/b/Y:H:M:S", "", true},
    {"y/m/d H:M:S", "", false},
    {"b e H:M:S", ".", false},
    {"b d H:M:S", ".", false},
    {"H:M:S", ".,", false},
}};

bool field_matches(char field, std::string_view text, std::size_t at) {
  if (field == 'b') return month_of(text.substr(at, 3)) != 0;
  if (field == 'e') return at + 2 <= text.size() && text[at] == ' ' && is_digit(text[at + 1]);
  return digits_at(text, at, field_width(field));
}

/// Length of the zone at text[at], 0 if there is none.
std::size_t zone_bytes(std::string_view text, std::size_t at) {
  if (at >= text.size()) return 0;
  if (text[at] == 'Z') return 1;
  std::size_t sign = at;
  if (text[at] == ' ') ++sign;
  if (sign >= text.size() || (text[sign] != '+' && text[sign] != '-')) return 0;
  if (digits_at(text, sign + 1, 4)) return sign + 5 - at;
  if (sign == at && digits_at(text, sign + 1, 2) && text.substr(sign + 3, 1) == ":" && digits_at(text, sign + 4, 2))
    return 6;
  return 0;
}

std::size_t match_known(const Known& known, std::string_view text, std::string* spec) {
  std::size_t at = 0;
  for (const char field : known.spec) {
    const std::size_t width = field_width(field);
    if (width == 0 ? (at >= text.size() || text[at] != field) : !field_matches(field, text, at)) return 0;
    at += width == 0 ? 1 : width;
  }
  if (spec != nullptr) *spec = known.spec;
  if (at + 1 < text.size() && known.fraction_marks.find(text[at]) != std::string_view::npos && is_digit(text[at + 1])) {
    std::size_t places = 1;
    while (places < 9 && at + 1 + places < text.size() && is_digit(text[at + 1 + places])) ++places;
    if (spec != nullptr) *spec += {text[at], 'F', static_cast<char>('0' + places)};
    at += 1 + places;
  }
  if (const std::size_t zone = known.zone ? zone_bytes(text, at) : 0; zone != 0) {
    if (spec != nullptr) spec->append(text.substr(at, zone));
    at += zone;
  }
  return at;
}

/// The first known shape that fits, and how many bytes it takes.
const Known* find_known(std::string_view text, std::size_t& bytes) {
  if (text.size() < 8) return nullptr;
  const bool digit_first = is_digit(text[0]) && is_digit(text[1]);
  if (!digit_first && !(text[0] >= 'A' && text[0] <= 'S')) return nullptr;
  if (digit_first && text[2] != ':' && text[2] != '/' && text[4] != '-' && text[4] != '/') return nullptr;
  for (const Known& known : kKnown) {
    bytes = match_known(known, text, nullptr);
    if (bytes != 0) return &known;
  }
  return nullptr;
}

/// Division by a power of ten that is mostly 1, 10^3, 10^6 or 10^9; rounds down.
std::int64_t floor_div_ten(std::int64_t a, std::int64_t power) {
  switch (power) {
    case 1: return a;
    case 1'000: return floor_div(a, 1'000);
    case 1'000'000: return floor_div(a, 1'000'000);
    case 1'000'000'000: return floor_div(a, 1'000'000'000);
    default: return floor_div(a, power);
  }
}

// "000" .. "999" one after the other.
constexpr std::array<char, 3000> kThreeDigits = [] {
  std::array<char, 3000> digits{};
  for (unsigned i = 0; i < 1000; ++i) {
    digits[i * 3] = static_cast<char>('0' + i / 100);
    digits[i * 3 + 1] = static_cast<char>('0' + i / 10 % 10);
    digits[i * 3 + 2] = static_cast<char>('0' + i % 10);
  }
  return digits;
}();

unsigned two_digits(const char* p) { return static_cast<unsigned>((p[0] - '0') * 10 + (p[1] - '0')); }

void put_digits(std::uint64_t value, std::size_t width, char* out) {
  for (; width >= 3; width -= 3, value /= 1000) std::memcpy(out + width - 3, &kThreeDigits[value % 1000 * 3], 3);
  for (std::size_t i = width; i-- > 0; value /= 10) out[i] = static_cast<char>('0' + value % 10);
}

/// False: not two digits, or not below `limit`.
bool read_two(const char* p, unsigned limit, unsigned& value) {
  const auto tens = static_cast<unsigned>(p[0] - '0'), ones = static_cast<unsigned>(p[1] - '0');
  value = tens * 10 + ones;
  return tens < 10 && ones < 10 && value < limit;
}

struct Fields {
  std::int64_t year = 1970;
  unsigned month = 1, day = 1, hour = 0, minute = 0, second = 0;
  std::uint64_t fraction = 0;
};

/// Reads one field at p; false on a character that does not belong.
bool read_field(char field, std::string_view text, Fields& f) {
  if (field == 'b') return (f.month = static_cast<unsigned>(month_of(text))) != 0;
  if (field == 'e') {
    if (text[0] != ' ' || !is_digit(text[1])) return false;
    f.day = static_cast<unsigned>(text[1] - '0');
    return true;
  }
  if (!digits_at(text, 0, text.size())) return false;
  switch (field) {
    case 'Y': f.year = two_digits(text.data()) * 100 + two_digits(text.data() + 2); break;
    case 'y': f.year = 2000 + two_digits(text.data()); break;
    case 'm': f.month = two_digits(text.data()); break;
    case 'd': f.day = two_digits(text.data()); break;
    case 'H': f.hour = two_digits(text.data()); break;
    case 'M': f.minute = two_digits(text.data()); break;
    case 'S': f.second = two_digits(text.data()); break;
    default: return false;
  }
  return true;
}

/// Reads the digits of a fraction, scaled to `places`; bytes taken. What does not fit shows when the text is written
/// again.
std::size_t read_fraction(std::string_view text, bool trimmed, int places, Fields& f) {
  std::size_t at = trimmed && !text.empty() && text[0] == '.' ? 1 : 0;
  const bool none = trimmed && at == 0;
  for (int n = 0; n < places; ++n) {
    f.fraction *= 10;
    if (!none && at < text.size() && is_digit(text[at])) f.fraction += static_cast<unsigned>(text[at++] - '0');
  }
  return at;
}

std::size_t write_fraction(std::uint64_t fraction, bool trimmed, std::size_t places, char* out) {
  if (!trimmed) return put_digits(fraction, places, out), places;
  if (fraction == 0) return 0;
  out[0] = '.';
  put_digits(fraction, places, out + 1);
  while (out[places] == '0') --places;
  return places + 1;
}

void write_field(char field, const Fields& f, char* out) {
  switch (field) {
    case 'Y': put_digits(static_cast<std::uint64_t>(f.year), 4, out); break;
    case 'y': put_digits(static_cast<std::uint64_t>(f.year) % 100, 2, out); break;
    case 'm': put_digits(f.month, 2, out); break;
    case 'd': put_digits(f.day, 2, out); break;
    case 'e': out[0] = ' ', out[1] = static_cast<char>('0' + f.day % 10); break;
    case 'H': put_digits(f.hour, 2, out); break;
    case 'M': put_digits(f.minute, 2, out); break;
    case 'S': put_digits(f.second, 2, out); break;
    case 'b': std::memcpy(out, kMonths.data() + (f.month - 1) * 3, 3); break;
    default: break;
  }
}

}  // namespace

std::size_t match_instant(std::string_view text) {
  std::size_t bytes = 0;
  return find_known(text, bytes) == nullptr ? 0 : bytes;
}

std::optional<TimeLayout> TimeLayout::detect(std::span<const std::string_view> texts) {
  std::size_t bytes = 0;
  if (texts.empty() || find_known(texts[0], bytes) == nullptr || bytes != texts[0].size()) return std::nullopt;
  std::string_view longest = texts[0];
  std::size_t shortest = longest.size();
  for (const std::string_view text : texts) {
    if (text.size() > longest.size()) longest = text;
    shortest = std::min(shortest, text.size());
  }
  const Known* const known = find_known(longest, bytes);
  if (known == nullptr || bytes != longest.size()) return std::nullopt;
  TimeLayout layout;
  match_known(*known, longest, &layout.spec_);
  if (shortest != longest.size()) {
    const std::size_t fraction = layout.spec_.find(".F");
    if (fraction == layout.spec_.npos) return std::nullopt;
    layout.spec_.replace(fraction, 2, "G");
  }
  if (!layout.finish()) return std::nullopt;
  return layout;
}

std::optional<TimeLayout> TimeLayout::from_spec(std::string_view spec) {
  TimeLayout layout;
  layout.spec_ = spec;
  if (!layout.finish()) return std::nullopt;
  return layout;
}

bool TimeLayout::finish() {
  bool has_day = false;
  for (std::size_t i = 0; i < spec_.size(); ++i) {
    const char c = spec_[i];
    if (c == 'F' || c == 'G') {
      if (i + 1 >= spec_.size() || spec_[i + 1] < '1' || spec_[i + 1] > '9' || unit_ns_ != 1'000'000'000) return false;
      const int places = spec_[++i] - '0';
      for (int n = 0; n < places; ++n) unit_ns_ /= 10, units_per_second_ *= 10;
      text_bytes_max_ += static_cast<std::size_t>(places) + (c == 'G' ? 1 : 0);
      if (c == 'F') text_bytes_min_ += static_cast<std::size_t>(places);
      continue;
    }
    has_year_ |= c == 'Y' || c == 'y';
    has_day |= c == 'd' || c == 'e';
    const std::size_t width = field_width(c);
    text_bytes_max_ += width == 0 ? 1 : width;
    text_bytes_min_ += width == 0 ? 1 : width;
  }
  has_date_ = has_day;
  plan_fast_path();
  return text_bytes_max_ <= kTimeTextMax && (has_date_ || !has_year_);
}

void TimeLayout::plan_fast_path() {
  std::size_t at = 0, i = 0;
  for (; i < spec_.size() && spec_[i] != 'F' && spec_[i] != 'G'; ++i) {
    std::size_t* const place = spec_[i] == 'H'   ? &hour_at_
                               : spec_[i] == 'M' ? &minute_at_
                               : spec_[i] == 'S' ? &second_at_
                                                 : nullptr;
    if (place != nullptr && *place != kNone) return;
    if (place != nullptr) *place = at;
    at += std::max<std::size_t>(field_width(spec_[i]), 1);
  }
  head_bytes_ = at;
  if (i < spec_.size()) {
    trimmed_ = spec_[i] == 'G';
    places_ = static_cast<std::uint8_t>(spec_[i + 1] - '0');
    tail_ = spec_.substr(i + 2);
  }
  const bool has_clock = hour_at_ != kNone && minute_at_ != kNone && second_at_ != kNone;
  is_fast_ = has_clock && std::all_of(tail_.begin(), tail_.end(), [](char c) { return field_width(c) == 0; });
}

/// Writes the head of this day at midnight.
void TimeLayout::keep_day(std::int64_t days) const {
  char text[kTimeTextMax];
  format_slowly(days * kDaySeconds * units_per_second_, text);
  std::copy(text, text + head_bytes_, kept_head_.begin());
  kept_day_ = days;
  has_kept_day_ = true;
}

bool TimeLayout::parse(std::string_view text, std::int64_t entry_ns, std::int64_t& difference) const {
  if (text.size() < text_bytes_min_ || text.size() > text_bytes_max_) return false;
  // Without a year the day depends on the entry.
  if (has_kept_day_ && has_date_ == has_year_ && parse_fast(text, entry_ns, difference)) return true;
  return parse_slowly(text, entry_ns, difference);  // formats, and so keeps its day
}

/// A text of the kept day, with a clock and fraction that are written as format() would. False: perhaps another day.
bool TimeLayout::parse_fast(std::string_view text, std::int64_t entry_ns, std::int64_t& difference) const {
  char head[kTimeTextMax];
  unsigned hour = 0, minute = 0, second = 0;
  if (text.size() < head_bytes_ + tail_.size()) return false;
  std::memcpy(head, text.data(), head_bytes_);
  if (!read_two(head + hour_at_, 24, hour) || !read_two(head + minute_at_, 60, minute) ||
      !read_two(head + second_at_, 60, second))
    return false;
  for (const std::size_t at : {hour_at_, minute_at_, second_at_}) head[at] = head[at + 1] = '0';
  if (std::memcmp(head, kept_head_.data(), head_bytes_) != 0 || !text.ends_with(tail_)) return false;
  std::string_view digits = text.substr(head_bytes_, text.size() - head_bytes_ - tail_.size());
  if (trimmed_ && !digits.empty()) {
    if (digits[0] != '.' || digits.size() < 2 || digits.back() == '0') return false;
    digits.remove_prefix(1);
  }
  if (trimmed_ ? digits.size() > places_ : digits.size() != places_) return false;
  std::uint64_t fraction = 0;
  for (const char c : digits) {
    if (!is_digit(c)) return false;
    fraction = fraction * 10 + static_cast<unsigned>(c - '0');
  }
  for (std::size_t n = digits.size(); n < places_; ++n) fraction *= 10;
  const std::int64_t day = has_date_ ? kept_day_ : floor_div(entry_ns, kDaySeconds * 1'000'000'000);
  const std::int64_t seconds = day * kDaySeconds + hour * 3600 + minute * 60 + second;
  std::int64_t units = 0;
  if (__builtin_mul_overflow(seconds, units_per_second_, &units)) return false;
  if (__builtin_add_overflow(units, static_cast<std::int64_t>(fraction), &units)) return false;
  return !__builtin_sub_overflow(units, floor_div_ten(entry_ns, unit_ns_), &difference);
}

bool TimeLayout::parse_slowly(std::string_view text, std::int64_t entry_ns, std::int64_t& difference) const {
  Fields f;
  std::size_t at = 0;
  for (std::size_t i = 0; i < spec_.size(); ++i) {
    const char c = spec_[i];
    if (c == 'F' || c == 'G') {
      at += read_fraction(text.substr(std::min(at, text.size())), c == 'G', spec_[++i] - '0', f);
      continue;
    }
    const std::size_t width = field_width(c);
    if (at + std::max<std::size_t>(width, 1) > text.size()) return false;
    if (width == 0 ? text[at] != c : !read_field(c, text.substr(at, width), f)) return false;
    at += width == 0 ? 1 : width;
  }
  const std::int64_t entry_days = floor_div(entry_ns, kDaySeconds * 1'000'000'000);
  if (has_date_ && !has_year_) f.year = civil_from_days(entry_days).year;
  if (f.month < 1 || f.month > 12 || f.day < 1 || f.day > 31) return false;
  const std::int64_t days = has_date_ ? days_from_civil(f.year, f.month, f.day) : entry_days;
  const std::int64_t seconds = f.hour * 3600 + f.minute * 60 + f.second + days * kDaySeconds;
  std::int64_t units = 0;
  if (__builtin_mul_overflow(seconds, units_per_second_, &units)) return false;
  if (__builtin_add_overflow(units, static_cast<std::int64_t>(f.fraction), &units)) return false;
  if (__builtin_sub_overflow(units, floor_div_ten(entry_ns, unit_ns_), &difference)) return false;
  char again[kTimeTextMax];
  return std::string_view(again, format(difference, entry_ns, again)) == text;
}

std::size_t TimeLayout::format(std::int64_t difference, std::int64_t entry_ns, char* out) const {
  const std::int64_t units = static_cast<std::int64_t>(static_cast<std::uint64_t>(floor_div_ten(entry_ns, unit_ns_)) +
                                                       static_cast<std::uint64_t>(difference));
  if (!is_fast_) return format_slowly(units, out);
  const std::int64_t seconds = floor_div_ten(units, units_per_second_);
  const std::int64_t days = floor_div(seconds, kDaySeconds);
  if (!has_kept_day_ || days != kept_day_) {
    // A day whose midnight is out of range cannot be kept.
    constexpr std::int64_t kDaysMax = 40'000;
    if (days < -kDaysMax || days > kDaysMax) return format_slowly(units, out);
    keep_day(days);
  }
  const auto of_day = static_cast<unsigned>(seconds - days * kDaySeconds);
  std::memcpy(out, kept_head_.data(), head_bytes_);
  std::memcpy(out + hour_at_, &kThreeDigits[of_day / 3600 * 3 + 1], 2);
  std::memcpy(out + minute_at_, &kThreeDigits[of_day / 60 % 60 * 3 + 1], 2);
  std::memcpy(out + second_at_, &kThreeDigits[of_day % 60 * 3 + 1], 2);
  std::size_t bytes = head_bytes_;
  if (places_ != 0) {
    const auto fraction = static_cast<std::uint64_t>(units) -
                          static_cast<std::uint64_t>(seconds) * static_cast<std::uint64_t>(units_per_second_);
    bytes += write_fraction(fraction, trimmed_, places_, out + bytes);
  }
  std::memcpy(out + bytes, tail_.data(), tail_.size());
  return bytes + tail_.size();
}

std::size_t TimeLayout::format_slowly(std::int64_t units, char* out) const {
  const std::int64_t seconds = floor_div(units, units_per_second_);
  const std::int64_t days = floor_div(seconds, kDaySeconds);
  const auto of_day = static_cast<unsigned>(seconds - days * kDaySeconds);
  Fields f;
  if (has_date_) {
    const Civil civil = civil_from_days(days);
    f.year = civil.year, f.month = civil.month, f.day = civil.day;
  }
  f.hour = of_day / 3600, f.minute = of_day / 60 % 60, f.second = of_day % 60;
  f.fraction = static_cast<std::uint64_t>(units) -
               static_cast<std::uint64_t>(seconds) * static_cast<std::uint64_t>(units_per_second_);
  char* const begin = out;
  for (std::size_t i = 0; i < spec_.size(); ++i) {
    const char c = spec_[i];
    if (c == 'F' || c == 'G') {
      out += write_fraction(f.fraction, c == 'G', static_cast<std::size_t>(spec_[++i] - '0'), out);
      continue;
    }
    const std::size_t width = field_width(c);
    if (width == 0) *out++ = c;
    write_field(c, f, out);
    out += width;
  }
  return static_cast<std::size_t>(out - begin);
}

}  // namespace kvasir::chunks
