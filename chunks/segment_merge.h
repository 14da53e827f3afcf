// segment_merge.h -- several segments of one tenant -> one, with the rows of each stream in order.
//
// Order:    rows of a stream are merged by (timestamp, sequence); a position that occurs twice is kept once, so merging
//           a segment with a copy of itself is harmless.
// Memory:   the rows of one stream at a time, at most kMergeRowsMax of them decoded at once, and the growing file.
// Errors:   corruption, io, unsupported: nothing was written. limit_exceeded: the result would pass kSegmentBytesMax.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "chunks/segment_reader.h"
#include "chunks/segment_writer.h"

namespace kvasir::chunks {

struct MergeOptions {
  SegmentWriterOptions writer{.block_bytes = 4 << 20};
  /// Keeps a row if it gives true; for deletes. Empty: keeps all.
  std::function<bool(const Labels& stream, const EntryView& row)> keep;
};

/// An empty optional inside: no row was kept, no file was made.
Result<std::optional<SegmentSummary>> merge_segments(std::span<const std::shared_ptr<const SegmentReader>> segments,
                                                     const MergeOptions& options, Filesystem& filesystem,
                                                     const Path& path);
/// The same into bytes.
Result<std::optional<SegmentSummary>> merge_segments(std::span<const std::shared_ptr<const SegmentReader>> segments,
                                                     const MergeOptions& options, std::string& out);

}  // namespace kvasir::chunks
