// segment_types.h -- what a segment says about itself without a block being opened: streams and blocks.
//
// Units:    timestamps ns since the Unix epoch; sizes bytes; line_bytes counts line bytes without separators.
// Order:    blocks ascend by (stream, first position); the rows of one stream never overlap inside a segment when they
//           were added in order.
// Source:   docs/formats/segment-v1.md sections 3 and 4.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/entry.h"
#include "common/labels.h"

namespace kvasir::chunks {

/// Rows are counted by the value of their structured metadata `detected_level`.
enum class Level : std::uint8_t {
  kNone,  // no such metadata
  kUnknown,
  kTrace,
  kDebug,
  kInfo,
  kWarn,
  kError,
  kCritical,
  kFatal,
  kOther,  // a value outside this list
};
inline constexpr std::size_t kLevelCount = 10;
using LevelCounts = std::array<std::uint32_t, kLevelCount>;

/// Of rows that have nothing but a level.
std::uint64_t metadata_bytes_of(const LevelCounts& levels);
/// "" for kNone and kOther.
std::string_view level_name(Level level);
Level level_of(std::string_view detected_level);
/// Of one row's metadata: kNone without a `detected_level`, kOther if it is there twice.
Level level_of_metadata(std::span<const LabelView> metadata);

struct SegmentStream {
  Labels labels;
  Fingerprint fingerprint;
};

namespace block_flags {
inline constexpr std::uint16_t kNonAscii = 1;      // some line has a byte >= 0x80
inline constexpr std::uint16_t kHasNewline = 2;    // some line holds 0x0a
inline constexpr std::uint16_t kHasMetadata = 4;   // some row has structured metadata
inline constexpr std::uint16_t kHasBackslash = 8;  // some line holds a backslash (escaped text is possible)
inline constexpr std::uint16_t kHasTrigrams = 16;
inline constexpr std::uint16_t kHasIdFilter = 32;
inline constexpr std::uint16_t kOnlyLevels = 64;  // rows have metadata, but none has more than one `detected_level`
}  // namespace block_flags

struct BlockEntry {
  std::uint32_t stream = 0;      // index into the segment's streams
  std::uint32_t rows = 0;        // >= 1
  EntryPosition first;           // of the oldest row
  EntryPosition last;            // of the newest row
  std::uint64_t line_bytes = 0;  // sum of the line lengths
  std::uint64_t metadata_bytes = 0;  // names and values, of every row; versions 1 and 2: of levels only
  std::uint64_t offset = 0;      // of the stored block in the file
  std::uint32_t stored_bytes = 0;
  std::uint8_t encoding = 0;        // 0 rows, 1 templates and typed columns
  std::uint16_t flags = 0;          // block_flags
  std::uint64_t token_lengths = 0;  // bit n: an id-like token of n bytes occurs (bit 63: of 63 or more)
  std::uint32_t part = 0;           // number of the stored block; blocks of small streams may share one
  std::uint32_t first_row = 0;      // its first row in there
  LevelCounts levels{};
};

}  // namespace kvasir::chunks
