#include "chunks/column_type.h"

namespace kvasir::chunks {
namespace {

constexpr CharMask mask_of(unsigned c) {
  using namespace char_class;
  if (c >= '0' && c <= '9') return kDigit;
  if (c >= 'a' && c <= 'f') return kHexLower;
  if (c >= 'g' && c <= 'z') return kOtherLower;
  if (c >= 'A' && c <= 'F') return kHexUpper;
  if (c >= 'G' && c <= 'Z') return kOtherUpper;
  if (c < 0x20 || c == 0x7f) return kControl;
  if (c >= 0x80) return kHigh;
  switch (c) {
    case ' ': return kSpace;
    case '-': return kHyphen;
    case '.': return kPoint;
    case ':': return kColon;
    case '/': return kSlash;
    case '_': return kUnderscore;
    case '"': return kQuote;
    case '\\': return kBackslash;
    default: return kOtherAscii;
  }
}

constexpr std::array<CharMask, 256> make_masks() {
  std::array<CharMask, 256> masks{};
  for (unsigned c = 0; c < 256; ++c) masks[c] = mask_of(c);
  return masks;
}

}  // namespace

constexpr std::array<CharMask, 256> kCharMasks = make_masks();

CharMask char_mask(std::string_view text) {
  CharMask mask = 0;
  for (const char c : text) mask |= kCharMasks[static_cast<unsigned char>(c)];
  return mask;
}

}  // namespace kvasir::chunks
