// flush.h -- writes sealed chunks of one tenant into one segment and publishes it.
//
// Order:    segment file durable -> manifest durable -> chunks leave memory as the segment becomes visible.
// Errors:   io, corruption; the chunks are then where they were, and it may be tried again.
// Threads:  one flush of a tenant at a time (the caller's lock).
#pragma once

#include <span>
#include <vector>

#include "chunks/segment_writer.h"
#include "common/entry.h"
#include "common/filesystem.h"
#include "common/result.h"
#include "ingest/tenant_head.h"

namespace kvasir::ingest {

struct FlushOutcome {
  SegmentInfo info;
  std::uint32_t verify_failures = 0;
};

/// REQUIRES: chunks is not empty and comes from take_pending().
Result<FlushOutcome> flush_chunks(TenantHead& head, std::span<const SealedChunk> chunks, Filesystem& filesystem,
                                  std::uint32_t block_bytes);

/// Adds rows of one stream in blocks of about equal size near `block_bytes`, cut where the timestamp changes if that is
/// not far: blocks that do not touch in time need no search for repeated entries. REQUIRES: the writer's own block size
/// is at least twice `block_bytes`.
Result<void> add_in_blocks(chunks::SegmentWriter& writer, const Labels& labels, std::span<const EntryView> rows,
                           std::uint64_t block_bytes);

/// Sorts rows of one stream by position and drops those that repeat (timestamp, line, metadata) of an earlier one.
void order_rows(std::vector<EntryView>& rows);

}  // namespace kvasir::ingest
