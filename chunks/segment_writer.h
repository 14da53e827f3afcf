// segment_writer.h -- packs rows of many streams into one immutable segment.
//
// Shape:    add(labels, rows of one stream ascending by position) any number of times, in any stream order; finish()
//           or finish_file() once.
// Lifetime: labels, entries and their bytes are read during add() only.
// Memory:   the ids of the segment, scratch of about twice one block, and, without a file, the finished blocks (about
//           an eighth of the raw bytes).
// Threads:  one writer per thread; no locks inside.
// Errors:   invalid_argument (rows not ascending; after an error the writer is unusable), limit_exceeded (a segment
//           would pass kSegmentBytesMax), io, internal.
// Promise:  each block is decoded and compared with its rows before add() or finish() returns; one that would not come
//           back exactly is stored plain. A block that is copied was, when it was made.
// Source:   docs/formats/segment-v1.md
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "chunks/segment_reader.h"
#include "chunks/segment_types.h"
#include "common/entry.h"
#include "common/filesystem.h"
#include "common/labels.h"
#include "common/result.h"

namespace kvasir::chunks {

struct SegmentWriterOptions {
  /// Rows are cut into blocks of about this many line bytes (and at most kBlockRowsMax rows). Merging wants 4 MiB.
  std::uint32_t block_bytes = 1 << 20;
  /// Only the row encoding: about three times faster and twice as large, for when flushing is behind. A merge
  /// re-encodes.
  bool pressure = false;
  bool operator==(const SegmentWriterOptions&) const = default;
};

/// What the index needs to know of a finished segment; equal to what SegmentReader reads back.
struct SegmentSummary {
  std::vector<SegmentStream> streams;
  std::vector<BlockEntry> blocks;
  std::uint64_t file_bytes = 0;
  std::uint64_t rows = 0;
  std::uint64_t line_bytes = 0;
  TimestampNs first;  // of the oldest row; blocks is not empty
  TimestampNs last;   // of the newest row
  /// Blocks that had to be stored plain because the clever encoding did not give its input back. Worth an alarm.
  std::uint32_t verify_failures = 0;
};

class SegmentWriter {
 public:
  /// Into memory: to be ended with finish().
  explicit SegmentWriter(SegmentWriterOptions options = {});
  /// Into a file, to be ended with finish_file(): it appears then, whole, or never (AtomicFile). Blocks are written
  /// while rows come; the folder must be there.
  SegmentWriter(Filesystem& filesystem, Path path, SegmentWriterOptions options);
  ~SegmentWriter();
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;

  /// Rows must ascend strictly by position; also against rows of this stream that were added before. No rows: no
  /// effect.
  Result<void> add(const Labels& labels, std::span<const EntryView> rows);

  /// Takes the stored block behind `block` of a finished segment as it is, with the rows of every stream in it, without
  /// encoding it again. False: that cannot be done with this one; nothing happened. Its rows must ascend as in add().
  /// Errors: corruption; else as add().
  Result<bool> copy(const SegmentReader& segment, std::size_t block);

  std::uint64_t rows() const;
  std::uint64_t line_bytes() const;

  /// The file's bytes into `out`. REQUIRES: at least one row was added. The writer can only be destroyed afterwards.
  Result<SegmentSummary> finish(std::string& out);
  /// The file is durable on return. REQUIRES as finish().
  Result<SegmentSummary> finish_file();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kvasir::chunks
