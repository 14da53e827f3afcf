#include "chunks/id_text.h"

#include <algorithm>
#include <array>

namespace kvasir::chunks {
namespace {

constexpr std::size_t kHexDigitsMin = 16, kHexDigitsMax = 64;
constexpr std::size_t kUuidText = 36;

constexpr std::uint8_t kNot = 0xff;
constexpr std::array<std::uint8_t, 256> hex_values(bool upper) {
  std::array<std::uint8_t, 256> values{};
  for (auto& v : values) v = kNot;
  for (unsigned i = 0; i < 10; ++i) values['0' + i] = static_cast<std::uint8_t>(i);
  for (unsigned i = 0; i < 6; ++i) values[(upper ? 'A' : 'a') + i] = static_cast<std::uint8_t>(10 + i);
  return values;
}
constexpr auto kLowerValues = hex_values(false);
constexpr auto kUpperValues = hex_values(true);

// The two characters of each byte, so that formatting copies pairs.
constexpr std::array<std::array<char, 2>, 256> hex_pairs(bool upper) {
  std::array<std::array<char, 2>, 256> pairs{};
  const char* const digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  for (unsigned i = 0; i < 256; ++i) pairs[i] = {digits[i >> 4], digits[i & 15]};
  return pairs;
}
constexpr auto kLowerPairs = hex_pairs(false);
constexpr auto kUpperPairs = hex_pairs(true);

bool is_uuid_hyphen(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

bool append_hex(std::string_view text, const std::array<std::uint8_t, 256>& values, std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + text.size() / 2);
  unsigned bad = 0;
  for (std::size_t i = 0; i < text.size() / 2; ++i) {
    const unsigned high = values[static_cast<unsigned char>(text[i * 2])];
    const unsigned low = values[static_cast<unsigned char>(text[i * 2 + 1])];
    bad |= high | low;
    out[before + i] = static_cast<char>(high << 4 | low);
  }
  if (bad < 16) return true;
  out.resize(before);
  return false;
}

bool append_uuid(std::string_view text, std::string& out) {
  if (text.size() != kUuidText) return false;
  char digits[32];
  std::size_t n = 0;
  for (std::size_t i = 0; i < kUuidText; ++i) {
    if (!is_uuid_hyphen(i)) digits[n++] = text[i];
    else if (text[i] != '-') return false;
  }
  return append_hex(std::string_view(digits, 32), kLowerValues, out);
}

}  // namespace

std::optional<IdShape> id_shape_of(std::string_view text) {
  std::string scratch;
  if (append_uuid(text, scratch)) return IdShape{IdStyle::kUuid, 16};
  if (text.size() < kHexDigitsMin || text.size() > kHexDigitsMax || text.size() % 2 != 0) return std::nullopt;
  const auto bytes = static_cast<std::uint32_t>(text.size() / 2);
  if (append_hex(text, kLowerValues, scratch)) return IdShape{IdStyle::kHexLower, bytes};
  if (append_hex(text, kUpperValues, scratch)) return IdShape{IdStyle::kHexUpper, bytes};
  return std::nullopt;
}

bool append_id_bytes(IdShape shape, std::string_view text, std::string& out) {
  if (text.size() != id_text_bytes(shape.style, shape.bytes)) return false;
  if (shape.style == IdStyle::kUuid) return append_uuid(text, out);
  return append_hex(text, shape.style == IdStyle::kHexUpper ? kUpperValues : kLowerValues, out);
}

std::optional<std::string> id_bytes_of(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const auto shape = id_shape_of(lower);
  if (!shape) return std::nullopt;
  std::string bytes;
  append_id_bytes(*shape, lower, bytes);
  return bytes;
}

void format_id(IdShape shape, const char* bytes, char* out) {
  const auto& pairs = shape.style == IdStyle::kHexUpper ? kUpperPairs : kLowerPairs;
  for (std::uint32_t i = 0; i < shape.bytes; ++i) {
    const auto& pair = pairs[static_cast<unsigned char>(bytes[i])];
    *out++ = pair[0];
    *out++ = pair[1];
    if (shape.style == IdStyle::kUuid && (i == 3 || i == 5 || i == 7 || i == 9)) *out++ = '-';
  }
}

}  // namespace kvasir::chunks
