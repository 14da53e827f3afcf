// segment_index.h -- the last part of a segment file: header, footer, and the index of streams, blocks, ids and
// filters.
//
// Source:   docs/formats/segment-v1.md sections 2 and 3.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chunks/id_region.h"
#include "chunks/segment_types.h"
#include "common/result.h"

namespace kvasir::chunks {

inline constexpr std::string_view kSegmentMagic = "KVSG";
inline constexpr std::string_view kFooterMagic = "KVSGEND1";
inline constexpr std::uint16_t kSegmentMajor = 3;        // what is written
inline constexpr std::uint16_t kSegmentMajorShared = 2;  // from here on blocks may share a stored block
inline constexpr std::uint16_t kSegmentMajorFirst = 1;
inline constexpr std::uint16_t kSegmentMinor = 0;
inline constexpr std::size_t kHeaderBytes = 16;
inline constexpr std::size_t kFooterBytes = 64;

struct Region {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint32_t crc = 0;  // 0 for the id region, whose parts have their own
};

struct SegmentIndex {
  std::uint16_t major = kSegmentMajor;
  std::vector<SegmentStream> streams;
  std::vector<BlockEntry> blocks;
  std::size_t parts() const { return filter_ends.size(); }  // stored blocks
  /// Of each part in the filter region: one past its last bucket.
  std::vector<std::uint32_t> filter_ends;
  /// Of each part: what to add, modulo 2^32, to the numbers of id slots in it. Not 0 in blocks that were copied.
  std::vector<std::uint32_t> slot_shifts;
  Region ids, filters, trigrams;
  IdRegionEntries id_entries;
};

void append_segment_header(std::string& out);
/// The index frame and the footer, of the version that is written. `offset`: the bytes of the file before it.
void append_segment_index(const SegmentIndex& index, std::uint64_t offset, std::string& out);

/// Checks header, footer, checksums, and every offset against the file's size.
Result<SegmentIndex> read_segment_index(std::string_view file);

}  // namespace kvasir::chunks
