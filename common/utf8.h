// utf8.h -- one code point at a time, and replacement of bad bytes. Lines are bytes in storage; only borders use this.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kvasir {

struct Rune {
  char32_t value = 0xfffd;
  std::uint8_t length = 1;  // bytes consumed; 1 for an invalid byte
  bool valid = false;
};

/// The first code point of `text`. REQUIRES: not empty. Overlong forms, surrogates and values past U+10FFFF are
/// invalid.
Rune decode_utf8(std::string_view text);

void append_utf8(std::string& out, char32_t code_point);

bool is_valid_utf8(std::string_view text);

/// Each invalid byte becomes U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

}  // namespace kvasir
