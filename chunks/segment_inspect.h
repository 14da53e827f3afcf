// segment_inspect.h -- looks into a segment for people and for scrubbing: what is in it, and whether all of it can be
// read.
//
// Errors:   describe: corruption of the index or of a block's directory. verify: the first damage it meets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chunks/segment_reader.h"

namespace kvasir::chunks {

struct ColumnDescription {
  std::string key;   // left context; what a variable stands behind
  std::string type;  // texts, dictionary, numbers, instants, ids
  std::uint64_t values = 0;
  std::uint64_t stored_bytes = 0;  // without ids and short texts
  std::uint64_t text_bytes_min = 0, text_bytes_max = 0;
};

/// A stored block.
struct BlockDescription {
  BlockEntry entry;                    // of all its rows; the stream is that of the first slice
  std::uint32_t slices = 1;            // how many blocks share it
  std::uint64_t filter_bytes = 0;
  std::uint64_t id_bytes = 0;          // of its ids, which lie in a region of their own; of shared ids a fair part
  std::uint64_t meta_bytes = 0;        // of the directory, expanded
  std::vector<std::string> templates;  // fixed text, `<*>` for each variable; a count of rows in front
  std::vector<ColumnDescription> columns;
  std::vector<ColumnDescription> metadata_columns;
};

struct SegmentDescription {
  std::uint32_t format_version = 0;
  std::uint64_t file_bytes = 0, rows = 0, line_bytes = 0;
  std::uint64_t block_bytes = 0, id_bytes = 0, filter_bytes = 0, trigram_bytes = 0, index_bytes = 0;
  std::uint64_t pooled_ids = 0;
  std::vector<SegmentStream> streams;
  std::vector<BlockEntry> entries;       // ascending by stream and time; `part` is an index into blocks
  std::vector<BlockDescription> blocks;
};

Result<SegmentDescription> describe_segment(const SegmentReader& segment);

/// Reads every row of every block, and compares what the index says of it. Of a shared block every row must belong to
/// one stream.
Result<void> verify_segment(const SegmentReader& segment);

}  // namespace kvasir::chunks
