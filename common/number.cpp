#include "common/number.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include <fmt/format.h>

#include "common/labels.h"

namespace kvasir {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t ns;
};

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

constexpr std::array<Unit, 7> kPrometheusUnits{{{"y", 365 * kDay}, {"w", 7 * kDay}, {"d", kDay}, {"h", kHour},
                                                {"m", kMinute}, {"s", kSecond}, {"ms", kMs}}};
constexpr std::array<Unit, 8> kGoUnits{{{"ns", 1}, {"us", 1000}, {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000}, {"ms", kMs},
                                        {"s", kSecond}, {"m", kMinute}, {"h", kHour}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

std::optional<double> parse_named_float(std::string_view unsigned_text) {
  const std::string name = lower(unsigned_text);
  if (name == "inf" || name == "infinity") return std::numeric_limits<double>::infinity();
  if (name == "nan") return std::numeric_limits<double>::quiet_NaN();
  return std::nullopt;
}

// from_chars refuses a leading '+', and reports overflow instead of infinity.
std::optional<double> parse_plain_float(std::string_view text, std::chars_format format) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, format);
  if (end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return std::strtod(std::string(text).c_str(), nullptr);
  if (error != std::errc()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> checked_multiply_add(std::int64_t total, std::int64_t count, std::int64_t unit) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(count, unit, &product) || __builtin_add_overflow(total, product, &total))
    return std::nullopt;
  return total;
}

// The digits (with at most one dot) at the front of `text`, which lose their place there.
std::string_view take_decimal(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && (is_digit(text[n]) || text[n] == '.')) ++n;
  const auto taken = text.substr(0, n);
  text.remove_prefix(n);
  return taken;
}

const Unit* take_go_unit(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && !is_digit(text[n]) && text[n] != '.') ++n;
  for (const auto& unit : kGoUnits) {
    if (text.substr(0, n) != unit.name) continue;
    text.remove_prefix(n);
    return &unit;
  }
  return nullptr;
}

// One `1.5h` of a Go duration, added to total.
bool add_go_part(std::string_view& text, std::int64_t& total) {
  const auto number = take_decimal(text);
  const auto dot = number.find('.');
  const auto whole = number.substr(0, dot);
  const auto fraction = dot == std::string_view::npos ? std::string_view() : number.substr(dot + 1);
  if ((whole.empty() && fraction.empty()) || fraction.find('.') != std::string_view::npos) return false;
  const Unit* unit = take_go_unit(text);
  if (unit == nullptr) return false;
  const auto count = whole.empty() ? std::optional<std::int64_t>(0) : parse_int64(whole);
  const auto sum = count ? checked_multiply_add(total, *count, unit->ns) : std::nullopt;
  if (!sum) return false;
  total = *sum;
  double scale = static_cast<double>(unit->ns);
  double part = 0;
  for (const char c : fraction) part += (c - '0') * (scale /= 10);
  total += static_cast<std::int64_t>(part + 1e-6);
  return true;
}

}  // namespace

std::optional<double> parse_go_float(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const bool negative = text.front() == '-';
  if (negative || text.front() == '+') text.remove_prefix(1);
  if (text.empty() || text.front() == '-' || text.front() == '+') return std::nullopt;
  std::optional<double> value;
  const bool hex = text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  if (hex) {
    // Go wants the exponent of a hex float; without one the text is not a float.
    if (text.find_first_of("pP") == std::string_view::npos) return std::nullopt;
    value = parse_plain_float(text.substr(2), std::chars_format::hex);
  } else if (is_digit(text.front()) || text.front() == '.') {
    value = parse_plain_float(text, std::chars_format::general);
  } else {
    value = parse_named_float(text);
  }
  if (value && negative) return -*value;
  return value;
}

std::string go_float_error(std::string_view text) {
  std::string out = "strconv.ParseFloat: parsing ";
  append_go_quoted(out, text);
  const auto value = parse_go_float(text);
  const bool out_of_range = value && std::isinf(*value);
  return out + (out_of_range ? ": value out of range" : ": invalid syntax");
}

std::optional<std::int64_t> parse_int64(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  if (!text.empty() && text.front() == '+') return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_uint64(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

void append_sample_value(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    char buffer[400];  // 1e308 without an exponent has 309 digits, 5e-324 has 326 characters
    const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
    out.append(buffer, end);
  }
}

std::string format_sample_value(double value) {
  std::string out;
  append_sample_value(out, value);
  return out;
}

std::string format_go_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  // Go's 'g' with shortest precision switches to an exponent below 1e-4 and from 1e6 on.
  const double magnitude = std::fabs(value);
  if (value == 0 || (magnitude >= 1e-4 && magnitude < 1e6)) return format_sample_value(value);
  char buffer[64];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  return std::string(buffer, end);
}

std::optional<Duration> parse_prometheus_duration(std::string_view text) {
  if (text == "0") return Duration(0);
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  std::size_t next_unit = 0;
  while (!text.empty()) {
    std::size_t n = 0;
    while (n < text.size() && is_digit(text[n])) ++n;
    const auto count = parse_int64(text.substr(0, n));
    if (n == 0 || !count) return std::nullopt;
    text.remove_prefix(n);
    std::size_t letters = 0;
    while (letters < text.size() && !is_digit(text[letters])) ++letters;
    while (next_unit < kPrometheusUnits.size() && kPrometheusUnits[next_unit].name != text.substr(0, letters))
      ++next_unit;
    if (next_unit == kPrometheusUnits.size()) return std::nullopt;
    const auto sum = checked_multiply_add(total, *count, kPrometheusUnits[next_unit].ns);
    if (!sum) return std::nullopt;
    total = *sum;
    ++next_unit;
    text.remove_prefix(letters);
  }
  return Duration(total);
}

std::optional<Duration> parse_go_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const bool negative = text.front() == '-';
  if (negative || text.front() == '+') text.remove_prefix(1);
  if (text == "0") return Duration(0);
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  while (!text.empty()) {
    if (!add_go_part(text, total)) return std::nullopt;
  }
  return Duration(negative ? -total : total);
}

std::optional<Duration> parse_duration(std::string_view text) {
  if (const auto duration = parse_prometheus_duration(text)) return duration;
  return parse_go_duration(text);
}

std::string format_go_duration(Duration duration) {
  const std::int64_t ns = duration.count();
  if (ns == 0) return "0s";
  const std::string sign = ns < 0 ? "-" : "";
  const auto magnitude = ns < 0 ? 0 - static_cast<std::uint64_t>(ns) : static_cast<std::uint64_t>(ns);
  const auto decimal = [](double value) { return format_sample_value(value); };
  if (magnitude < 1000) return sign + std::to_string(magnitude) + "ns";
  if (magnitude < kMs) return sign + decimal(static_cast<double>(magnitude) / 1e3) + "\xc2\xb5s";
  if (magnitude < kSecond) return sign + decimal(static_cast<double>(magnitude) / 1e6) + "ms";
  const std::uint64_t hours = magnitude / kHour;
  const std::uint64_t minutes = magnitude % kHour / kMinute;
  const std::uint64_t rest = magnitude % kMinute;
  std::string seconds = std::to_string(rest / kSecond);
  if (const auto fraction = rest % kSecond; fraction != 0) {
    seconds += fmt::format(".{:09}", fraction);
    while (seconds.back() == '0') seconds.pop_back();
  }
  std::string out = sign;
  if (hours != 0) out += std::to_string(hours) + "h";
  if (hours != 0 || minutes != 0) out += std::to_string(minutes) + "m";
  return out + seconds + "s";
}

std::string format_prometheus_duration(Duration duration) {
  std::int64_t ms = duration.count() / kMs;
  if (ms == 0) return "0s";
  std::string out = ms < 0 ? "-" : "";
  if (ms < 0) ms = -ms;
  for (const auto& unit : kPrometheusUnits) {
    const std::int64_t unit_ms = unit.ns / kMs;
    // Years and weeks appear only when they are exact, as Prometheus prints them.
    const bool must_be_exact = unit.name == "y" || unit.name == "w";
    if (ms < unit_ms || (must_be_exact && ms % unit_ms != 0)) continue;
    out += std::to_string(ms / unit_ms);
    out += unit.name;
    ms %= unit_ms;
  }
  return out;
}

std::optional<std::uint64_t> parse_byte_size(std::string_view text) {
  auto rest = text;
  const auto number = take_decimal(rest);
  const auto value = number.empty() ? std::nullopt : parse_go_float(number);
  if (!value) return std::nullopt;
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  std::string unit = lower(rest);
  if (unit.empty() || unit == "b") {
    if (*value >= 18446744073709551615.0) return std::nullopt;
    return static_cast<std::uint64_t>(*value);
  }
  if (unit.back() == 'b') unit.pop_back();
  const bool binary = unit.size() == 2 && unit[1] == 'i';
  if (unit.size() != 1 && !binary) return std::nullopt;
  const auto power = std::string_view("kmgtpe").find(unit[0]);
  if (power == std::string_view::npos) return std::nullopt;
  const double bytes = *value * std::pow(binary ? 1024.0 : 1000.0, static_cast<double>(power) + 1);
  if (bytes >= 18446744073709551615.0) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace kvasir
