#include "logql/pipeline/template/quoting.h"

#include <algorithm>
#include <charconv>

#include "common/escapes.h"
#include "common/number.h"
#include "common/utf8.h"

namespace kvasir::gotemplate {

namespace {

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); }

struct Character {
  char32_t value = 0;
  bool is_byte = false;  // \x, octal escapes and invalid UTF-8
};

std::optional<Character> take_character(std::string_view& text, char quote) {
  if (text[0] == '\\') {
    text.remove_prefix(1);
    const GoEscape escape = take_go_escape(text, quote);
    if (!escape.valid()) return std::nullopt;
    return Character{escape.value, escape.kind == GoEscape::Kind::kByte};
  }
  const Rune rune = decode_utf8(text);
  const Character character{rune.valid ? rune.value : static_cast<unsigned char>(text[0]), !rune.valid};
  text.remove_prefix(rune.length);
  return character;
}

// Underscores may stand between digits and behind a base prefix.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
      continue;
    }
    const bool after = i > 0 && is_alphanumeric(text[i - 1]);
    const bool before = i + 1 < text.size() && hex_digit(text[i + 1]) >= 0;
    if (!after || !before) return std::nullopt;
  }
  return out;
}

}  // namespace

std::optional<std::string> unquote_go(std::string_view literal) {
  if (literal.size() < 2 || literal.front() != literal.back()) return std::nullopt;
  const char quote = literal.front();
  std::string_view body = literal.substr(1, literal.size() - 2);
  if (quote == '`') {
    std::string raw(body);
    std::erase(raw, '\r');
    return raw;
  }
  std::string out;
  while (!body.empty()) {
    if (body[0] == quote || body[0] == '\n') return std::nullopt;
    const auto character = take_character(body, quote);
    if (!character) return std::nullopt;
    if (character->is_byte) out += static_cast<char>(character->value);
    else append_utf8(out, character->value);
  }
  return out;
}

std::optional<char32_t> unquote_go_character(std::string_view literal) {
  if (literal.size() < 3 || literal.front() != '\'' || literal.back() != '\'') return std::nullopt;
  std::string_view body = literal.substr(1, literal.size() - 2);
  const auto character = take_character(body, '\'');
  if (!character || !body.empty()) return std::nullopt;
  return character->value;
}

std::optional<std::int64_t> parse_go_integer(std::string_view text) {
  const auto plain = without_underscores(text);
  if (!plain) return std::nullopt;
  std::string_view digits = *plain;
  bool negative = false;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) {
    negative = digits[0] == '-';
    digits.remove_prefix(1);
  }
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    const char mark = static_cast<char>(digits[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    digits.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (digits.empty() || end != digits.data() + digits.size() || error != std::errc()) return std::nullopt;
  const std::uint64_t limit = static_cast<std::uint64_t>(INT64_MAX) + (negative ? 1 : 0);
  if (value > limit) return std::nullopt;
  return negative ? static_cast<std::int64_t>(-value) : static_cast<std::int64_t>(value);
}

std::optional<double> parse_go_float_literal(std::string_view text) {
  const auto plain = without_underscores(text);
  if (!plain || plain->find_first_of("0123456789") == std::string::npos) return std::nullopt;
  return parse_go_float(*plain);
}

}  // namespace kvasir::gotemplate
