// head_chunk.h -- rows of one stream in memory: appended by one thread at a time, read by many without a lock.
//
// Shape:    rows in slabs that double in size and never move; text in slabs likewise; equal metadata sets are kept once.
// Order:    rows stand in arrival order, which is not always the order of time; sorted_rows() sorts a view.
// Lifetime: a ChunkView keeps its chunk alive; every view into lines and metadata lives as long as the chunk.
// Threads:  append() by one thread at a time (the shard's lock); readers use the rows that a ChunkView counted under that lock.
// Limits:   kChunkRowsMax rows; sequences of a chunk span less than 2^32.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/entry.h"

namespace kvasir::ingest {

inline constexpr std::uint32_t kChunkRowsMax = 65536;

/// Counted while rows are appended; describes exactly the rows of a view.
struct ChunkSummary {
  std::uint32_t rows = 0;
  std::uint64_t line_bytes = 0;
  std::uint64_t metadata_bytes = 0;
  TimestampNs first = TimestampNs::max();
  TimestampNs last = TimestampNs::min();
  std::uint64_t first_sequence = 0;  // of the first row in arrival order
  std::uint64_t last_sequence = 0;
};

class HeadChunk {
 public:
  using MetadataSet = std::vector<LabelView>;

  HeadChunk() = default;
  HeadChunk(const HeadChunk&) = delete;
  HeadChunk& operator=(const HeadChunk&) = delete;

  /// True if `sequence` may be the next one and a row is free.
  bool has_room(std::uint64_t sequence) const;
  /// Copies the line. `metadata` comes from intern(). False: the same (timestamp, line, metadata) is in the chunk already.
  /// REQUIRES: has_room(sequence); sequences ascend.
  bool append(TimestampNs timestamp, std::uint64_t sequence, std::string_view line, const MetadataSet* metadata);
  /// The chunk's own copy of a metadata set; nullptr for the empty one. Equal sets give equal pointers.
  const MetadataSet* intern(std::span<const LabelView> metadata);

  const ChunkSummary& summary() const { return summary_; }
  std::uint64_t memory_bytes() const { return memory_bytes_; }
  /// Row `i` in arrival order. REQUIRES: i < rows of a view taken before.
  EntryView row(std::uint32_t i) const;

 private:
  struct Row {
    std::int64_t timestamp;
    const char* line;
    const MetadataSet* metadata;
    std::uint32_t length;
    std::uint32_t sequence_offset;
  };
  static constexpr std::uint32_t kFirstSlabRows = 16;
  static constexpr std::size_t kRowSlabs = 13;  // 16 * (2^13 - 1) >= kChunkRowsMax

  static std::size_t slab_of(std::uint32_t i);
  const Row& stored(std::uint32_t i) const;
  bool is_repeat(std::int64_t timestamp, std::string_view line, const MetadataSet* metadata);
  void remember(std::uint32_t row);
  const char* copy_text(std::string_view text);
  static std::uint64_t hash_of(std::int64_t timestamp, std::string_view line);

  ChunkSummary summary_;
  std::uint64_t memory_bytes_ = 0;
  std::array<std::unique_ptr<Row[]>, kRowSlabs> rows_;
  std::vector<std::unique_ptr<char[]>> text_slabs_;
  char* text_free_ = nullptr;
  std::size_t text_left_ = 0;
  std::size_t text_slab_next_ = 512;
  std::unordered_map<std::string, std::unique_ptr<MetadataSet>> metadata_;
  const MetadataSet* last_metadata_ = nullptr;
  // Row numbers by hash of (timestamp, line); filled from the first row on that is not newer than all before it.
  std::unordered_multimap<std::uint64_t, std::uint32_t> by_content_;
  bool by_content_used_ = false;
};

/// The first `summary.rows` rows of a chunk.
struct ChunkView {
  std::shared_ptr<const HeadChunk> chunk;
  ChunkSummary summary;
};

/// Row numbers of the view, ascending by (timestamp, sequence).
std::vector<std::uint32_t> sorted_rows(const ChunkView& view);

}  // namespace kvasir::ingest
