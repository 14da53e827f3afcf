#include "common/utf8.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "common/escapes.h"

namespace kvasir {
namespace {

struct LeadByte {
  int extra;           // continuation bytes, -1 when it cannot lead
  char32_t bits;
  char32_t smallest;   // below it the form is overlong
};

LeadByte classify(unsigned char c) {
  if (c < 0x80) return {0, c, 0};
  if (c >= 0xc2 && c < 0xe0) return {1, static_cast<char32_t>(c & 0x1f), 0x80};
  if (c >= 0xe0 && c < 0xf0) return {2, static_cast<char32_t>(c & 0x0f), 0x800};
  if (c >= 0xf0 && c < 0xf5) return {3, static_cast<char32_t>(c & 0x07), 0x10000};
  return {-1, 0, 0};
}

/// How many bytes in front are ASCII.
std::size_t ascii_prefix(std::string_view text) {
  std::size_t at = 0;
#if defined(__SSE2__)
  for (; at + 16 <= text.size(); at += 16) {
    const int high = _mm_movemask_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at)));
    if (high != 0) return at + static_cast<std::size_t>(__builtin_ctz(static_cast<unsigned>(high)));
  }
#endif
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

}  // namespace

Rune decode_utf8(std::string_view text) {
  const LeadByte lead = classify(static_cast<unsigned char>(text[0]));
  if (lead.extra < 0 || text.size() <= static_cast<std::size_t>(lead.extra)) return {};
  char32_t value = lead.bits;
  for (int i = 1; i <= lead.extra; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c & 0xc0) != 0x80) return {};
    value = value << 6 | (c & 0x3f);
  }
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < lead.smallest || value > 0x10ffff || surrogate) return {};
  return {value, static_cast<std::uint8_t>(lead.extra + 1), true};
}

void append_utf8(std::string& out, char32_t code_point) {
  char bytes[4];
  out.append(bytes, static_cast<std::size_t>(write_utf8(bytes, code_point) - bytes));
}

bool is_valid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t ascii = ascii_prefix(text.substr(i));
    if (ascii > 0) {
      i += ascii;
      continue;
    }
    const Rune rune = decode_utf8(text.substr(i));
    if (!rune.valid) return false;
    i += rune.length;
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const Rune rune = decode_utf8(text.substr(i));
    append_utf8(out, rune.value);
    i += rune.length;
  }
  return out;
}

}  // namespace kvasir
