#include "logql/pipeline/value_text.h"

#include <cmath>

#include "common/labels.h"
#include "common/number.h"
#include "common/utf8.h"
#include "logql/pipeline/unicode_text.h"

namespace kvasir::logql {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Digits only, few enough to be exact.
std::optional<double> parse_small_integer(std::string_view text) {
  if (text.empty() || text.size() > 15) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return static_cast<double>(value);
}

bool is_hex_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// `1_000` without its underscores; nothing if one stands anywhere but between digits.
std::optional<std::string> without_separators(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
      continue;
    }
    const bool between = i > 0 && i + 1 < text.size() &&
                         (is_hex_digit(text[i - 1]) || text[i - 1] == 'x' || text[i - 1] == 'X') &&
                         is_hex_digit(text[i + 1]);
    if (!between) return std::nullopt;
  }
  return out;
}

void quote_into(std::string& out, std::string_view before, std::string_view text) {
  out += before;
  append_go_quoted(out, text);
}

// Says what Go would say about a text that is no duration.
void explain_duration(std::string_view text, std::string& details) {
  std::string_view rest = text;
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) rest.remove_prefix(1);
  while (!rest.empty()) {
    std::size_t digits = 0, number = 0;
    while (number < rest.size() && is_digit(rest[number])) ++number, ++digits;
    if (number < rest.size() && rest[number] == '.') {
      ++number;
      while (number < rest.size() && is_digit(rest[number])) ++number, ++digits;
    }
    if (digits == 0) break;
    rest.remove_prefix(number);
    std::size_t unit = 0;
    while (unit < rest.size() && rest[unit] != '.' && !is_digit(rest[unit])) ++unit;
    if (unit == 0) return quote_into(details, "time: missing unit in duration ", text);
    if (!parse_go_duration("0" + std::string(rest.substr(0, unit)))) {
      quote_into(details, "time: unknown unit ", rest.substr(0, unit));
      return quote_into(details, " in duration ", text);
    }
    rest.remove_prefix(unit);
  }
  quote_into(details, "time: invalid duration ", text);
}

std::optional<double> byte_unit(std::string_view unit) {
  constexpr std::string_view kPrefixes = "kmgtpe";
  if (unit.empty() || unit == "b") return 1;
  const std::size_t power = kPrefixes.find(unit[0]);
  if (power == std::string_view::npos) return std::nullopt;
  const auto tail = unit.substr(1);
  if (tail == "ib" || tail == "i") return std::pow(1024.0, static_cast<double>(power + 1));
  if (tail == "b" || tail.empty()) return std::pow(1000.0, static_cast<double>(power + 1));
  return std::nullopt;
}

}  // namespace

std::optional<double> parse_number_text(std::string_view text, std::string& details) {
  if (const auto value = parse_small_integer(text)) return value;
  std::optional<double> value;
  if (text.find('_') == std::string_view::npos) {
    value = parse_go_float(text);
  } else if (const auto plain = without_separators(text)) {
    value = parse_go_float(*plain);
  }
  if (!value) {
    quote_into(details, "strconv.ParseFloat: parsing ", text);
    details += ": invalid syntax";
  } else if (std::isinf(*value) && text.find_first_of("0123456789") != std::string_view::npos) {
    quote_into(details, "strconv.ParseFloat: parsing ", text);
    details += ": value out of range";
    return std::nullopt;
  }
  return value;
}

std::optional<Duration> parse_duration_text(std::string_view text, std::string& details) {
  const auto value = parse_go_duration(text);
  if (!value) explain_duration(text, details);
  return value;
}

std::optional<std::uint64_t> parse_bytes_text(std::string_view text, std::string& details) {
  std::size_t end = 0;
  std::string number;
  for (; end < text.size() && (is_digit(text[end]) || text[end] == '.' || text[end] == ','); ++end) {
    if (text[end] != ',') number += text[end];
  }
  const auto value = parse_number_text(number, details);
  if (!value) return std::nullopt;
  const std::string unit = to_lower(trim_unicode_space(text.substr(end)));
  const auto factor = byte_unit(unit);
  if (!factor) {
    details += "unhandled size name: " + unit;
    return std::nullopt;
  }
  const double bytes = *value * *factor;
  if (bytes >= 18446744073709551615.0) {
    details += "too large: " + std::string(text);
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace kvasir::logql
