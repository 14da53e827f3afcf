#include "logql/pipeline/unicode_text.h"

#include <cstdint>
#include <cstring>
#include <emmintrin.h>
#include <utf8proc.h>

#include "common/utf8.h"

namespace kvasir::logql {

namespace {

bool is_ascii(std::string_view text) {
  std::size_t at = 0;
  for (; at + 16 <= text.size(); at += 16) {
    if (_mm_movemask_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at))) != 0) return false;
  }
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text.data() + at, sizeof bytes);
    if ((bytes & 0x8080808080808080ULL) != 0) return false;
  }
  for (; at < text.size(); ++at) {
    if (static_cast<unsigned char>(text[at]) >= 0x80) return false;
  }
  return true;
}

bool is_bad(const Rune& rune) { return !rune.valid || rune.value == U'\ufffd'; }

// Bytes before the first bad character.
std::size_t good_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Rune rune = decode_utf8(text.substr(at));
    if (is_bad(rune)) return at;
    at += rune.length;
  }
  return at;
}

template <class Map>
std::string map_text(std::string_view text, Map map) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Rune rune = decode_utf8(text);
    append_utf8(out, rune.valid ? map(rune.value) : U'\ufffd');
    text.remove_prefix(rune.length);
  }
  return out;
}

// Start of the last code point.
std::size_t last_rune_start(std::string_view text) {
  std::size_t at = text.size() - 1;
  for (int steps = 0; steps < 3 && at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; ++steps) --at;
  const Rune rune = decode_utf8(text.substr(at));
  return rune.valid && at + rune.length == text.size() ? at : text.size() - 1;
}

}  // namespace

bool is_unicode_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
         c == 0x202f || c == 0x205f || c == 0x3000;
}

std::string_view trim_unicode_space_left(std::string_view text) {
  while (!text.empty()) {
    const Rune rune = decode_utf8(text);
    if (!rune.valid || !is_unicode_space(rune.value)) break;
    text.remove_prefix(rune.length);
  }
  return text;
}

std::string_view trim_unicode_space(std::string_view text) {
  text = trim_unicode_space_left(text);
  while (!text.empty()) {
    const std::size_t at = last_rune_start(text);
    const Rune rune = decode_utf8(text.substr(at));
    if (!rune.valid || !is_unicode_space(rune.value)) break;
    text = text.substr(0, at);
  }
  return text;
}

char32_t to_upper(char32_t c) { return static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))); }
char32_t to_lower(char32_t c) { return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))); }

std::string to_upper(std::string_view text) {
  if (!is_ascii(text)) return map_text(text, [](char32_t c) { return to_upper(c); });
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

std::string to_lower(std::string_view text) {
  if (!is_ascii(text)) return map_text(text, [](char32_t c) { return to_lower(c); });
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

std::string_view spaces_for_bad_utf8(std::string_view text, Arena& arena) {
  if (is_ascii(text)) return text;
  std::size_t good = good_prefix(text);
  if (good == text.size()) return text;
  char* const begin = arena.allocate(text.size());
  char* out = begin;
  for (; !text.empty(); good = good_prefix(text)) {
    std::memcpy(out, text.data(), good);
    out += good;
    text.remove_prefix(good);
    if (text.empty()) break;
    *out++ = ' ';
    text.remove_prefix(decode_utf8(text).length);
  }
  return {begin, static_cast<std::size_t>(out - begin)};
}

bool is_unicode_letter(char32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_unicode_digit(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_ND;
}

}  // namespace kvasir::logql
