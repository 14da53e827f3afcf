// escaped_text.h -- reads text byte by byte as those see it who decode it, without knowing how often that is done.
//
// Model:    `%5B`, `%255B`, `\u005b` and `\x5b` are `[`; what stands for no byte is read as it is written.
// Cost:     no more than kBackslashesMax bytes, and what was encoded again, are looked at for one byte.
#pragma once

#include <cstddef>
#include <string_view>

#include "common/escapes.h"

namespace kvasir::server {

inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

/// The byte that two hexadecimal digits at `at` stand for; -1: none.
inline int hex_byte(std::string_view text, std::size_t at) {
  if (at + 2 > text.size()) return -1;
  const int high = hex_digit(text[at]), low = hex_digit(text[at + 1]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/// A byte of the decoded text, and where the next one begins.
struct Unit {
  char byte;
  std::size_t next;
};

inline Unit percent_unit(std::string_view text, std::size_t at) {
  std::size_t digits = at + 1;
  while (text.substr(digits, 2) == "25" && hex_byte(text, digits + 2) >= 0) digits += 2;  // encoded again
  const int byte = hex_byte(text, digits);
  return byte < 0 ? Unit{'%', at + 1} : Unit{static_cast<char>(byte), digits + 2};
}

inline constexpr std::size_t kBackslashesMax = 64;

inline Unit backslash_unit(std::string_view text, std::size_t at) {
  const std::size_t count = text.substr(at, kBackslashesMax).find_first_not_of('\\');
  if (count == std::string_view::npos) return {'\\', at + 1};
  const std::size_t kind = at + count;
  const std::string_view rest = text.substr(kind);
  const std::size_t digits = rest.starts_with("u00") ? 3 : rest.starts_with('x') ? 1 : 0;
  const int byte = digits == 0 ? -1 : hex_byte(rest, digits);
  if (byte >= 0) return {static_cast<char>(byte), kind + digits + 2};
  if (rest.starts_with("033")) return {'\x1b', kind + 3};
  const bool space = kind == at + 1 && (rest[0] == 'n' || rest[0] == 'r' || rest[0] == 't');
  return space ? Unit{'\n', at + 2} : Unit{'\\', at + 1};
}

/// The byte at `at` as those see it who decode the text: `%5B`, `%255B`, `\u005b` and `\x5b` are `[`.
inline Unit unit_at(std::string_view text, std::size_t at) {
  if (text[at] == '%') return percent_unit(text, at);
  if (text[at] == '\\') return backslash_unit(text, at);
  return {text[at], at + 1};
}

}  // namespace kvasir::server
