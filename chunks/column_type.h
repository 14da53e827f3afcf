// column_type.h -- the kinds of typed column, and the character classes by which a search tells what a column cannot
// hold.
//
// Source:   docs/formats/segment-v1.md section 5.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace kvasir::chunks {

enum class ColumnType : std::uint8_t {
  kTexts = 0,       // one text per value
  kDictionary = 1,  // distinct texts and a code per value
  kNumbers = 2,     // a NumberForm and an integer per value
  kInstants = 3,    // a TimeLayout and the difference to the entry's timestamp
  kIds = 4,         // fixed-width hex or UUIDs, kept in the id region of the segment
};

/// How a list of texts is packed.
enum class TextsType : std::uint8_t {
  kPlain = 0,  // lengths, and the bytes one after the other
  kTable = 1,  // templates and columns again
};

enum class IdStyle : std::uint8_t { kHexLower = 0, kHexUpper = 1, kUuid = 2 };

/// Letters of an id with that many bytes: 2 per byte, and four hyphens in a UUID.
inline std::uint32_t id_text_bytes(IdStyle style, std::uint32_t bytes) {
  return style == IdStyle::kUuid ? 36 : bytes * 2;
}

/// A set of character classes, one bit each.
using CharMask = std::uint16_t;
namespace char_class {
inline constexpr CharMask kDigit = 1, kHexLower = 2, kOtherLower = 4, kHexUpper = 8, kOtherUpper = 16, kSpace = 32,
                          kHyphen = 64, kPoint = 128, kColon = 256, kSlash = 512, kUnderscore = 1024, kQuote = 2048,
                          kBackslash = 4096, kOtherAscii = 8192, kControl = 16384, kHigh = 32768;
}
extern const std::array<CharMask, 256> kCharMasks;

CharMask char_mask(std::string_view text);

}  // namespace kvasir::chunks
