// block_draft.h -- everything a segment needs to know of a block besides its stored bytes, gathered from its rows.
#pragma once

#include <span>

#include "chunks/id_tokens.h"
#include "chunks/segment_types.h"
#include "chunks/trigrams.h"
#include "common/entry.h"

namespace kvasir::chunks {

struct BlockDraft {
  BlockEntry entry;
  IdTokens tokens;  // of lines and of metadata values
  TrigramSet trigrams;
};

/// Fills the entry but for stream, place and encoding. REQUIRES: rows is not empty.
BlockDraft draft_block(std::span<const EntryView> rows, TrigramCollector& collector);

}  // namespace kvasir::chunks
