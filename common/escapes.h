// escapes.h -- what may follow a backslash in Go's string literals and in JSON strings. Every parser of either uses
// these.
//
// Use:      on a backslash, cut it off and call; `rest` loses what was read.
// Threads:  free functions without state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvasir {

/// The value of a hex digit in either case, or -1.
constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct GoEscape {
  enum class Kind : std::uint8_t {
    kMalformed,   // no escape of Go's, or digits are missing; `rest` is unchanged
    kOutOfRange,  // written well, but no byte or code point has this number
    kByte,        // \x41 and \101
    kRune,        // anything else
  };
  Kind kind = Kind::kMalformed;
  char32_t value = 0;

  bool valid() const { return kind == Kind::kByte || kind == Kind::kRune; }
  /// REQUIRES: valid().
  void append_to(std::string& out) const;
};

/// As strconv.Unquote reads it between such quotes: \a \b \f \n \r \t \v \\ \ooo \xhh \uhhhh \Uhhhhhhhh and the quote
/// itself.
GoEscape take_go_escape(std::string_view& rest, char quote);

/// The character that \" \\ \/ \b \f \n \r \t stand for; 0 for any other.
char json_short_escape(char kind);

struct JsonUnicode {
  char32_t value = 0;
  bool lone_surrogate = false;  // half of a pair; `value` is U+FFFD
};

/// Behind `\u`: four digits, and the second half of a pair with its own `\u`. Nothing if a digit is missing.
std::optional<JsonUnicode> take_json_unicode(std::string_view& rest);

/// Writes 1 to 4 bytes and gives the end of them.
char* write_utf8(char* out, char32_t code_point);

}  // namespace kvasir
