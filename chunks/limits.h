// limits.h -- how large the parts of a segment may be, and why. Readers refuse more before they allocate.
#pragma once

#include <cstdint>

namespace kvasir::chunks {

inline constexpr std::uint64_t kSegmentBytesMax = 4ull << 30;   // offsets inside a segment stay below 2^32
inline constexpr std::uint32_t kBlockRowsMax = 1u << 16;        // a block of short lines is cut here
inline constexpr std::uint64_t kBlockBytesMax = 256ull << 20;   // line bytes; one huge line can make a block this large
inline constexpr std::uint64_t kPartBytesMax = 512ull << 20;    // one expanded part of a block
inline constexpr std::uint32_t kTemplatesMax = 1024;            // per table; further lines are kept whole
inline constexpr std::uint32_t kColumnsMax = 512;               // per table
inline constexpr std::uint32_t kSlotsMax = 256;                 // variables in one template
inline constexpr std::uint32_t kTokenisedLineMax = 64u << 10;   // longer lines are kept whole
inline constexpr std::uint32_t kStreamsMax = 1u << 24;
inline constexpr std::uint32_t kBlocksMax = 1u << 24;
inline constexpr std::uint32_t kMetadataPairsMax = 4096;        // structured metadata of one row
inline constexpr unsigned kTableDepthMax = 2;                   // lines, and texts inside a column

}  // namespace kvasir::chunks
