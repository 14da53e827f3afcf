// number_scan.h -- how long the number literal at the start of a text is, and what is wrong with it.
//
// Dialect:  Go's: decimal, 0x 0o 0b and leading-zero octal, digit separators, exponents, hexadecimal floats.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kvasir::logql {

struct NumberScan {
  std::size_t length = 0;
  std::string problem;  // empty: none
};

/// REQUIRES: text starts with a digit, or with a dot and a digit.
NumberScan scan_number(std::string_view text);

}  // namespace kvasir::logql
