// block_draft.h -- everything a segment needs to know of a block besides its stored bytes.
//
// Shape:    draft_rows() for what the rows say at once; then the facts of the lines, from a LineFactsBuilder or by
//           scan_lines().
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "chunks/id_tokens.h"
#include "chunks/segment_types.h"
#include "chunks/trigrams.h"
#include "common/entry.h"

namespace kvasir::chunks {

struct BlockDraft {
  BlockEntry entry;                // of all rows
  IdTokens tokens;  // of lines and of metadata values
  TrigramSet trigrams;
  std::vector<BlockEntry> slices;  // of each stream in it; one is the entry itself
  std::optional<std::string> filter;  // of a block that was copied; else it is made of the tokens
  std::uint32_t slot_shift = 0;
};

/// Fills the entry but for stream, place, encoding and what lines say; tokens of metadata only. REQUIRES: rows is not
/// empty.
BlockDraft draft_rows(std::span<const EntryView> rows);
/// Takes the rows of one stream into the draft of a shared block.
void add_slice(std::uint32_t stream, std::span<const EntryView> rows, BlockDraft& draft);
/// Tells the slices what is known of the whole block only: place, encoding, what lines say.
void finish_slices(std::uint32_t part, BlockDraft& draft);
/// Looks at every line.
void scan_lines(std::span<const EntryView> rows, TrigramCollector& collector, BlockDraft& draft);
/// Adds the tokens of the lines.
void add_line_tokens(const IdTokens& tokens, BlockDraft& draft);

}  // namespace kvasir::chunks
