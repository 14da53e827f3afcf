#include "common/utf8.h"

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

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

bool is_valid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      ++i;
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
