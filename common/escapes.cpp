#include "common/escapes.h"

#include "common/utf8.h"

namespace kvasir {
namespace {

bool is_surrogate(char32_t value) { return value >= 0xd800 && value <= 0xdfff; }

std::optional<char32_t> take_digits(std::string_view& rest, std::size_t count, int base) {
  if (rest.size() < count) return std::nullopt;
  char32_t value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const int digit = hex_digit(rest[i]);
    if (digit < 0 || digit >= base) return std::nullopt;
    value = value * static_cast<char32_t>(base) + static_cast<char32_t>(digit);
  }
  rest.remove_prefix(count);
  return value;
}

using Kind = GoEscape::Kind;

GoEscape take_number(std::string_view& rest, std::size_t skip, std::size_t digits, bool octal) {
  std::string_view at = rest.substr(skip);
  const auto value = take_digits(at, digits, octal ? 8 : 16);
  if (!value) return {};
  rest = at;
  const bool is_byte = digits <= 3;
  if (is_byte ? *value > 0xff : *value > 0x10ffff || is_surrogate(*value)) return {Kind::kOutOfRange, *value};
  return {is_byte ? Kind::kByte : Kind::kRune, *value};
}

}  // namespace

void GoEscape::append_to(std::string& out) const {
  if (kind == Kind::kByte) out += static_cast<char>(value);
  else append_utf8(out, value);
}

GoEscape take_go_escape(std::string_view& rest, char quote) {
  if (rest.empty()) return {};
  const char c = rest.front();
  constexpr std::string_view kNames = "abfnrtv\\";
  constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\";
  const std::size_t named = kNames.find(c);
  if (named != std::string_view::npos || c == quote) {
    rest.remove_prefix(1);
    return {Kind::kRune, static_cast<char32_t>(named == std::string_view::npos ? quote : kValues[named])};
  }
  if (c >= '0' && c <= '7') return take_number(rest, 0, 3, true);
  if (c == 'x') return take_number(rest, 1, 2, false);
  if (c == 'u') return take_number(rest, 1, 4, false);
  return c == 'U' ? take_number(rest, 1, 8, false) : GoEscape{};
}

char json_short_escape(char kind) {
  switch (kind) {
    case '"':
    case '\\':
    case '/': return kind;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
  }
}

std::optional<JsonUnicode> take_json_unicode(std::string_view& rest) {
  const auto first = take_digits(rest, 4, 16);
  if (!first) return std::nullopt;
  if (!is_surrogate(*first)) return JsonUnicode{*first};
  if (*first < 0xdc00 && rest.starts_with("\\u")) {
    std::string_view behind = rest.substr(2);
    const auto second = take_digits(behind, 4, 16);
    if (second && *second >= 0xdc00 && *second <= 0xdfff) {
      rest = behind;
      return JsonUnicode{0x10000 + ((*first - 0xd800) << 10) + (*second - 0xdc00)};
    }
  }
  return JsonUnicode{0xfffd, true};
}

char* write_utf8(char* out, char32_t c) {
  const auto put = [&](char32_t byte) { *out++ = static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
  }
  if (c >= 0x80) put(0x80 | (c & 0x3f));
  return out;
}

}  // namespace kvasir
