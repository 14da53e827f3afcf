// rewrite.h -- makes one segment out of several, leaving rows out: merging, retention of some streams, erasing deleted
// rows.
//
// Copies:   a block of columns that is large enough, lies alone in its stream's time and loses no row is taken byte
//           for byte; the rest is encoded again. A block that small streams share is taken when each of these streams
//           has no other rows here: then nothing would be won.
// Order:    new file durable -> one manifest edit adds it and removes the old ones -> queries change over at once.
// Law:      every row that `keep` leaves alive is in the new segment once; of rows that repeat (timestamp, line,
//           metadata) in a stream the one with the smallest sequence stays.
// Memory:   the rows of one stream whose blocks overlap in time, one shared block of each input, the ids of all rows.
//           Finished blocks go to the new file at once. Inputs are read through readers of their own, which are closed
//           before ids and index are put together.
// Threads:  one rewrite of a tenant at a time (the caller's concern); flushes go on meanwhile.
// Errors:   io, corruption. Nothing has changed then.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "chunks/block.h"
#include "common/filesystem.h"
#include "common/result.h"
#include "ingest/storage.h"

namespace kvasir::ingest {

/// Clears the bits of rows that are to go. All bits are set when it is called.
using KeepRows = std::function<Result<void>(const Labels& stream, chunks::Block& block, chunks::RowBits rows)>;

struct RewriteOptions {
  std::uint32_t block_bytes = 4u << 20;
  std::uint64_t dense_bytes_min = 512u << 10;   // of lines; smaller blocks are put together, unless there is one input
  KeepRows keep;                     // empty: all rows stay
  std::function<bool()> stop;        // true: give up (cancelled)
  /// Told of each piece of work, in bytes of lines (of blocks that are copied: stored bytes); may wait. Empty: never
  /// waits.
  std::function<void(std::uint64_t bytes)> pace;
  ManifestEdit also;                 // goes into the same edit
};

struct RewriteOutcome {
  std::optional<SegmentInfo>
      written;  // empty: no row was left; the only input itself if all its rows stay (no edit is made)
  std::uint64_t rows_before = 0;
  std::uint64_t rows_after = 0;
  std::uint64_t rows_copied = 0;  // of these, in blocks that were not encoded again
};

/// REQUIRES: `inputs` are live segments of the tenant, at least one.
Result<RewriteOutcome> rewrite_segments(TenantStorage& tenant, std::span<const std::shared_ptr<const Segment>> inputs,
                                        Filesystem& filesystem, const RewriteOptions& options);

/// Segments that are worth merging now: many small ones of about one size, close in time. Empty: none.
struct MergeRules {
  std::size_t segments_min = 8;
  std::size_t large_block_segments_min = 32;      // when blocks are of full size already, merging gains little
  std::size_t segments_max = 32;                  // each keeps one shared block decoded while it is read
  std::uint64_t small_block_bytes = 256u << 10;
  std::uint64_t output_bytes_max = 512u << 20;    // raw
  Duration span_max = std::chrono::hours(24);
};
std::vector<std::shared_ptr<const Segment>> choose_merge(const SegmentSet& set, const MergeRules& rules);

}  // namespace kvasir::ingest
