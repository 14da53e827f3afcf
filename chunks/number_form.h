// number_form.h -- texts that are exactly one 64-bit number written in one fixed way.
//
// Law:      parse succeeds only if format would give the same bytes back.
// Limits:   a formatted number takes at most kNumberTextMax bytes.
// Source:   docs/formats/segment-v1.md section 5.3.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace kvasir::chunks {

enum class NumberKind : std::uint8_t {
  kInteger = 0,           // -12, 0, 7; no plus, no leading zeros, no -0
  kFixedDigits = 1,       // width digits, leading zeros kept
  kFixedHex = 2,          // width lower-case hex digits, width <= 16
  kFixedHexUpper = 3,     // the same in upper case
  kDecimalFixed = 4,      // exactly scale digits after the point: 1.50
  kDecimalShortest = 5,   // up to scale digits, no trailing zeros, no bare point: 1.5, 2
  kDecimalPython = 6,     // as shortest, but one digit after the point stays: 2.0
  kIpv4 = 7,              // 10.0.0.1
};

struct NumberForm {
  NumberKind kind = NumberKind::kInteger;
  std::uint8_t width = 0;  // digits, or the scale of a decimal
  friend bool operator==(const NumberForm&, const NumberForm&) = default;
};

inline constexpr std::size_t kNumberTextMax = 40;

bool is_valid_form(NumberForm form);
/// False: not written in this form, or out of range.
bool parse_number(NumberForm form, std::string_view text, std::int64_t& value);
/// Bytes written to out, which has room for kNumberTextMax. Any value gives some text. REQUIRES: is_valid_form(form).
std::size_t format_number(NumberForm form, std::int64_t value, char* out);

/// The form in which every text may be written, judged by characters and lengths; parse_number has the last word.
std::optional<NumberForm> guess_number_form(std::span<const std::string_view> texts);

/// The double that parsing the text gives. False: the form is not a plain decimal number, or not exact.
bool number_as_double(NumberForm form, std::int64_t value, double& out);

}  // namespace kvasir::chunks
