#include "chunks/number_form.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace kvasir::chunks {
namespace {

constexpr std::array<std::int64_t, 19> kPowers = [] {
  std::array<std::int64_t, 19> powers{};
  std::int64_t p = 1;
  for (auto& power : powers) {
    power = p;
    p = p < 1'000'000'000'000'000'000 ? p * 10 : p;
  }
  return powers;
}();
constexpr std::size_t kDigitsMax = 18;  // always fit an int64

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_decimal(NumberKind kind) {
  return kind == NumberKind::kDecimalFixed || kind == NumberKind::kDecimalShortest ||
         kind == NumberKind::kDecimalPython;
}

/// Digits only, at most kDigitsMax.
bool parse_digits(std::string_view text, std::int64_t& value) {
  if (text.empty() || text.size() > kDigitsMax) return false;
  std::int64_t v = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    v = v * 10 + (c - '0');
  }
  value = v;
  return true;
}

bool parse_integer(std::string_view text, std::int64_t& value) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  if (!parse_digits(text, value)) return false;
  if (text[0] == '0' && (text.size() > 1 || negative)) return false;
  if (negative) value = -value;
  return true;
}

int hex_digit(char c, bool upper) {
  if (is_digit(c)) return c - '0';
  const char first = upper ? 'A' : 'a';
  return c >= first && c <= first + 5 ? c - first + 10 : -1;
}

bool parse_hex(std::string_view text, std::size_t width, bool upper, std::int64_t& value) {
  if (text.size() != width) return false;
  std::uint64_t v = 0;
  for (const char c : text) {
    const int digit = hex_digit(c, upper);
    if (digit < 0) return false;
    v = v << 4 | static_cast<unsigned>(digit);
  }
  value = static_cast<std::int64_t>(v);
  return true;
}

/// Whether `places` digits after the point, of which the last is `last`, are how this kind writes them.
bool places_are_canonical(NumberForm form, std::size_t places, bool ends_in_zero) {
  switch (form.kind) {
    case NumberKind::kDecimalFixed: return places == form.width;
    case NumberKind::kDecimalShortest: return places == 0 || !ends_in_zero;
    default: return places == 1 || (places > 1 && !ends_in_zero);
  }
}

bool parse_decimal(NumberForm form, std::string_view text, std::int64_t& value) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction = point == text.npos ? std::string_view() : text.substr(point + 1);
  if (point != text.npos && fraction.empty()) return false;
  if (whole.empty() || (whole[0] == '0' && whole.size() > 1) || fraction.size() > form.width) return false;
  if (whole.size() + form.width > kDigitsMax) return false;
  if (!places_are_canonical(form, fraction.size(), !fraction.empty() && fraction.back() == '0')) return false;
  std::int64_t high = 0, low = 0;
  if (!parse_digits(whole, high) || (!fraction.empty() && !parse_digits(fraction, low))) return false;
  value = high * kPowers[form.width] + low * kPowers[form.width - fraction.size()];
  if (negative && value == 0) return false;
  if (negative) value = -value;
  return true;
}

bool parse_ipv4(std::string_view text, std::int64_t& value) {
  std::int64_t address = 0;
  for (int part = 0; part < 4; ++part) {
    std::size_t digits = 0;
    std::int64_t octet = 0;
    while (digits < text.size() && digits < 4 && is_digit(text[digits])) octet = octet * 10 + (text[digits++] - '0');
    if (digits == 0 || octet > 255 || (text[0] == '0' && digits > 1)) return false;
    text.remove_prefix(digits);
    if (part < 3 && (text.empty() || text[0] != '.')) return false;
    if (part < 3) text.remove_prefix(1);
    address = address << 8 | octet;
  }
  value = address;
  return text.empty();
}

std::size_t put_padded(std::uint64_t value, std::size_t width, char* out) {
  for (std::size_t i = width; i-- > 0; value /= 10) out[i] = static_cast<char>('0' + value % 10);
  return width;
}

std::size_t put_integer(std::int64_t value, char* out) {
  return static_cast<std::size_t>(std::to_chars(out, out + 24, value).ptr - out);
}

std::size_t format_hex(std::uint64_t value, std::size_t width, bool upper, char* out) {
  const char* const digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  for (std::size_t i = width; i-- > 0; value >>= 4) out[i] = digits[value & 15];
  return width;
}

std::size_t format_decimal(NumberForm form, std::int64_t value, char* out) {
  char* p = out;
  const std::uint64_t magnitude = value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  if (value < 0) *p++ = '-';
  const auto power = static_cast<std::uint64_t>(kPowers[form.width]);
  p = std::to_chars(p, p + 24, magnitude / power).ptr;
  char* const point = p;
  *p++ = '.';
  p += put_padded(magnitude % power, form.width, p);
  if (form.kind == NumberKind::kDecimalFixed) return static_cast<std::size_t>(p - out);
  while (p[-1] == '0') --p;
  if (p - 1 == point) {
    if (form.kind == NumberKind::kDecimalShortest) --p;
    else *p++ = '0';
  }
  return static_cast<std::size_t>(p - out);
}

std::size_t format_ipv4(std::uint32_t address, char* out) {
  char* p = out;
  for (int shift = 24; shift >= 0; shift -= 8) {
    p = std::to_chars(p, p + 4, address >> shift & 255).ptr;
    if (shift != 0) *p++ = '.';
  }
  return static_cast<std::size_t>(p - out);
}

// What guess_number_form looks at.
struct Shape {
  bool hex_lower = true, hex_upper = true, digits = true, numeric = true;
  bool leading_zero = false, no_point = false, trailing_zero = false;
  std::size_t shortest = ~std::size_t{0}, longest = 0, points = 0, places_least = ~std::size_t{0}, places_most = 0;
};

void look_at(std::string_view text, Shape& shape) {
  shape.shortest = std::min(shape.shortest, text.size());
  shape.longest = std::max(shape.longest, text.size());
  std::size_t points = 0;
  std::size_t point_at = text.size();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_digit(c)) continue;
    shape.digits = false;
    if (hex_digit(c, false) < 0) shape.hex_lower = false;
    if (hex_digit(c, true) < 0) shape.hex_upper = false;
    if (c == '.') ++points, point_at = i;
    else if (c != '-') shape.numeric = false;
  }
  shape.points = std::max(shape.points, points);
  shape.no_point |= points == 0;
  const std::size_t places = points == 0 ? 0 : text.size() - point_at - 1;
  shape.places_least = std::min(shape.places_least, places);
  shape.places_most = std::max(shape.places_most, places);
  shape.trailing_zero |= places > 0 && text.back() == '0';
  shape.leading_zero |= text.size() > 1 && text[0] == '0' && is_digit(text[1]);
}

std::optional<NumberForm> decimal_form(const Shape& shape) {
  const auto scale = static_cast<std::uint8_t>(std::min<std::size_t>(shape.places_most, 255));
  if (shape.points > 1 || scale > 17) return std::nullopt;
  if (shape.places_least == shape.places_most) return NumberForm{NumberKind::kDecimalFixed, scale};
  if (shape.no_point) return NumberForm{NumberKind::kDecimalShortest, scale};
  return NumberForm{NumberKind::kDecimalPython, scale};
}

}  // namespace

bool is_valid_form(NumberForm form) {
  if (form.kind > NumberKind::kIpv4) return false;
  if (form.kind == NumberKind::kFixedDigits) return form.width >= 1 && form.width <= kDigitsMax;
  if (form.kind == NumberKind::kFixedHex || form.kind == NumberKind::kFixedHexUpper)
    return form.width >= 1 && form.width <= 16;
  if (is_decimal(form.kind)) return form.width >= 1 && form.width <= 17;
  return true;
}

bool parse_number(NumberForm form, std::string_view text, std::int64_t& value) {
  switch (form.kind) {
    case NumberKind::kInteger: return parse_integer(text, value);
    case NumberKind::kFixedDigits: return text.size() == form.width && parse_digits(text, value);
    case NumberKind::kFixedHex: return parse_hex(text, form.width, false, value);
    case NumberKind::kFixedHexUpper: return parse_hex(text, form.width, true, value);
    case NumberKind::kIpv4: return parse_ipv4(text, value);
    default: return parse_decimal(form, text, value);
  }
}

std::size_t format_number(NumberForm form, std::int64_t value, char* out) {
  switch (form.kind) {
    case NumberKind::kInteger: return put_integer(value, out);
    case NumberKind::kFixedDigits: return put_padded(static_cast<std::uint64_t>(value), form.width, out);
    case NumberKind::kFixedHex: return format_hex(static_cast<std::uint64_t>(value), form.width, false, out);
    case NumberKind::kFixedHexUpper: return format_hex(static_cast<std::uint64_t>(value), form.width, true, out);
    case NumberKind::kIpv4: return format_ipv4(static_cast<std::uint32_t>(value), out);
    default: return format_decimal(form, value, out);
  }
}

std::optional<NumberForm> guess_number_form(std::span<const std::string_view> texts) {
  constexpr std::size_t kTextMax = 20;
  constexpr std::size_t kSample = 16;  // most columns of words are turned away here
  Shape shape;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].empty() || texts[i].size() > kTextMax) return std::nullopt;
    look_at(texts[i], shape);
    if (i % kSample == 0 && !shape.numeric && !shape.hex_lower && !shape.hex_upper) return std::nullopt;
  }
  const bool same_length = shape.shortest == shape.longest;
  const auto width = static_cast<std::uint8_t>(shape.longest);
  if (shape.digits && (shape.leading_zero || shape.longest > kDigitsMax)) {
    if (!same_length || shape.longest > kDigitsMax) return std::nullopt;
    return NumberForm{NumberKind::kFixedDigits, width};
  }
  if (shape.digits) return NumberForm{NumberKind::kInteger, 0};
  if (shape.numeric && shape.points == 0) return NumberForm{NumberKind::kInteger, 0};
  if (shape.numeric && shape.points == 3) return NumberForm{NumberKind::kIpv4, 0};
  if (shape.numeric) return decimal_form(shape);
  if (shape.hex_lower && same_length && width <= 16) return NumberForm{NumberKind::kFixedHex, width};
  if (shape.hex_upper && same_length && width <= 16) return NumberForm{NumberKind::kFixedHexUpper, width};
  return std::nullopt;
}

bool number_as_double(NumberForm form, std::int64_t value, double& out) {
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  if (value > kExact || value < -kExact) return false;
  switch (form.kind) {
    case NumberKind::kInteger:
    case NumberKind::kFixedDigits: out = static_cast<double>(value); return true;
    case NumberKind::kDecimalFixed:
    case NumberKind::kDecimalShortest:
    case NumberKind::kDecimalPython:
      // Both sides are exact doubles, so one division rounds as reading the text would.
      out = static_cast<double>(value) / static_cast<double>(kPowers[form.width]);
      return true;
    default: return false;
  }
}

}  // namespace kvasir::chunks
