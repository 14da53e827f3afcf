// head_chunk.h -- rows of one stream in memory: appended by one thread at a time, read by many without a lock.
//
// Shape:    rows in slabs that double in size and never move; text and metadata in an arena; recent metadata sets are
//           shared.
// Order:    rows stand in arrival order, which is not always the order of time; sorted_rows() sorts a view.
// Lifetime: a ChunkView keeps its chunk alive; every view into lines and metadata lives as long as the chunk.
// Threads:  writing members by one thread at a time (the shard's lock); row() of a row that a ChunkView, made under
//           that lock, counts, by any thread without the lock.
// Limits:   kChunkRowsMax rows; sequences of a chunk span less than 2^32.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "common/entry.h"
#include "ingest/time_runs.h"

namespace kvasir::ingest {

inline constexpr std::uint32_t kChunkRowsMax = 65532;  // 4 * (2^14 - 1): what the row slabs hold
/// Memory of a chunk beside its rows and texts: the object, half-empty slabs, the allocator's own.
inline constexpr std::uint64_t kChunkOwnBytes = 1024;

/// Counted while rows are appended; describes exactly the rows of a view.
struct ChunkSummary {
  std::uint32_t rows = 0;
  std::uint64_t line_bytes = 0;
  std::uint64_t metadata_bytes = 0;  // names and values, per row
  TimestampNs first = TimestampNs::max();
  TimestampNs last = TimestampNs::min();
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = 0;
  bool in_order = true;              // arrival order is the order of time
};

/// Labels of a row, inside the chunk.
struct MetadataSet {
  std::span<const LabelView> labels;
  std::uint64_t bytes = 0;
};

/// Row numbers by a hash: open addressing, the hash's upper half, then row + 1; 0 is free.
class RowTable {
 public:
  bool empty() const { return slots_.empty(); }
  /// Forgets all; room for so many rows and as many again.
  void start(std::size_t rows);
  bool has_room() const { return (used_ + 1) * 2 <= slots_.size(); }
  /// REQUIRES: has_room().
  void add(std::uint64_t hash, std::uint32_t row);
  /// Whether `is_it` holds for a row that was added with this hash.
  template <class IsIt>
  bool any(std::uint64_t hash, const IsIt& is_it) const {
    for (std::size_t at = hash & (slots_.size() - 1); slots_[at] != 0; at = (at + 1) & (slots_.size() - 1)) {
      if (((slots_[at] ^ hash) >> 32) == 0 && is_it(static_cast<std::uint32_t>(slots_[at]) - 1)) return true;
    }
    return false;
  }

 private:
  std::vector<std::uint64_t> slots_;
  std::size_t used_ = 0;
};

class HeadChunk {
 public:
  /// `released` is told the charge of the chunk when it goes.
  explicit HeadChunk(std::function<void(std::uint64_t)> released = {}) : released_(std::move(released)) {}
  ~HeadChunk();
  HeadChunk(const HeadChunk&) = delete;
  HeadChunk& operator=(const HeadChunk&) = delete;

  /// How many rows from this sequence on find room.
  std::uint32_t room(std::uint64_t sequence) const;
  /// The chunk's own copy.
  std::string_view keep(std::string_view text);
  /// The chunk's own copy of a set; nullptr for the empty one.
  const MetadataSet* keep(std::span<const LabelView> metadata);
  /// False: the same (timestamp, line, metadata) is in the chunk already, nothing was added. REQUIRES: `line` and
  ///        `metadata` come
  /// from keep(); room(sequence) > 0; sequences ascend.
  bool append(TimestampNs timestamp, std::uint64_t sequence, std::string_view line, const MetadataSet* metadata);
  /// Adds to what is handed to `released`.
  void add_charge(std::uint64_t bytes) { charge_ += bytes; }

  const ChunkSummary& summary() const { return summary_; }
  std::uint64_t charge() const { return charge_; }
  /// Row `i` in arrival order.
  EntryView row(std::uint32_t i) const;
  std::int64_t timestamp(std::uint32_t i) const { return stored(i).timestamp; }

 private:
  struct Row {
    std::int64_t timestamp;
    const char* line;
    const MetadataSet* metadata;
    std::uint32_t length;
    std::uint32_t sequence_offset;
  };
  static constexpr std::uint32_t kFirstSlabRows = 4;
  static constexpr std::size_t kRowSlabs = 14;
  static constexpr std::size_t kRecentSets = 8;

  const Row& stored(std::uint32_t i) const;
  void note_time(std::int64_t timestamp, std::uint32_t row);
  void note_content(std::uint64_t hash, std::uint32_t row);
  void start_times(std::uint32_t rows);
  bool is_in_table(std::int64_t timestamp) const;
  bool has_time(std::int64_t timestamp);
  bool is_repeat(std::int64_t timestamp, std::string_view line, const MetadataSet* metadata);
  char* allocate(std::size_t bytes);

  ChunkSummary summary_;
  std::uint64_t charge_ = 0;
  std::function<void(std::uint64_t)> released_;
  std::array<std::unique_ptr<Row[]>, kRowSlabs> rows_;
  std::vector<std::unique_ptr<char[]>> slabs_;
  char* free_ = nullptr;
  std::size_t left_ = 0;
  std::array<const MetadataSet*, kRecentSets> recent_sets_{};
  std::size_t next_recent_ = 0;
  TimeRuns runs_;        // until rows come in too little order
  RowTable by_time_;     // from then on: a row of each instant
  RowTable by_content_;  // every row by (timestamp, line); kept from the first instant on that comes twice
};

/// The first `summary.rows` rows of a chunk.
struct ChunkView {
  std::shared_ptr<const HeadChunk> chunk;
  ChunkSummary summary;
};

/// Row numbers of the view, ascending by (timestamp, sequence).
std::vector<std::uint32_t> sorted_rows(const ChunkView& view);

}  // namespace kvasir::ingest
