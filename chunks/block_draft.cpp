#include "chunks/block_draft.h"

#include "chunks/line_facts.h"

namespace kvasir::chunks {
namespace {

/// Rows mostly share their metadata with a row shortly before: then nothing new is in it.
class RecentMetadata {
 public:
  struct Item {
    std::span<const LabelView> pairs;
    Level level = Level::kNone;
    std::size_t bytes = 0;
  };
  /// What is known of the pairs, and whether the very same were seen lately.
  std::pair<const Item*, bool> look_up(std::span<const LabelView> pairs) {
    for (const Item& item : items_) {
      if (item.pairs.data() == pairs.data() && item.pairs.size() == pairs.size() && !pairs.empty())
        return {&item, true};
    }
    Item& item = items_[next_++ % items_.size()];
    item = {pairs, level_of_metadata(pairs), 0};
    for (const LabelView& pair : pairs) item.bytes += pair.name.size() + pair.value.size();
    return {&item, false};
  }

 private:
  std::array<Item, 8> items_;
  std::size_t next_ = 0;
};

}  // namespace

BlockDraft draft_rows(std::span<const EntryView> rows) {
  BlockDraft draft;
  draft.entry.rows = static_cast<std::uint32_t>(rows.size());
  draft.entry.first = rows.front().position();
  draft.entry.last = rows.back().position();
  bool only_levels = true;
  RecentMetadata recent;
  for (const EntryView& row : rows) {
    draft.entry.line_bytes += row.line.size();
    if (row.metadata.empty()) {
      ++draft.entry.levels[static_cast<std::size_t>(Level::kNone)];
      continue;
    }
    draft.entry.flags |= block_flags::kHasMetadata;
    const auto [item, known] = recent.look_up(row.metadata);
    ++draft.entry.levels[static_cast<std::size_t>(item->level)];
    draft.entry.metadata_bytes += item->bytes;
    if (known) continue;
    only_levels = only_levels && row.metadata.size() == 1 && item->level != Level::kNone;
    for (const LabelView& pair : row.metadata) find_id_tokens(pair.value, draft.tokens);
  }
  const bool has_metadata = (draft.entry.flags & block_flags::kHasMetadata) != 0;
  if (has_metadata && only_levels) draft.entry.flags |= block_flags::kOnlyLevels;
  return draft;
}

void add_slice(std::uint32_t stream, std::span<const EntryView> rows, BlockDraft& draft) {
  BlockDraft slice = draft_rows(rows);
  BlockEntry& entry = slice.entry;
  entry.stream = stream;
  entry.first_row = draft.entry.rows;
  draft.entry.rows += entry.rows;
  draft.entry.line_bytes += entry.line_bytes;
  draft.tokens.hashes.insert(draft.tokens.hashes.end(), slice.tokens.hashes.begin(), slice.tokens.hashes.end());
  draft.slices.push_back(entry);
}

void finish_slices(std::uint32_t part, BlockDraft& draft) {
  for (BlockEntry& slice : draft.slices) {
    slice.part = part;
    slice.offset = draft.entry.offset;
    slice.stored_bytes = draft.entry.stored_bytes;
    slice.encoding = draft.entry.encoding;
    slice.token_lengths = draft.entry.token_lengths;
    slice.flags |= draft.entry.flags;
  }
}

void scan_lines(std::span<const EntryView> rows, TrigramCollector& collector, BlockDraft& draft) {
  IdTokens tokens;
  for (const EntryView& row : rows) {
    draft.entry.flags |= line_flags(row.line);
    find_id_tokens(row.line, tokens);
    collector.add(row.line);
  }
  draft.trigrams = collector.take();
  add_line_tokens(tokens, draft);
}

void add_line_tokens(const IdTokens& tokens, BlockDraft& draft) {
  draft.entry.token_lengths = tokens.lengths;  // of lines only: needles are looked for in lines
  draft.tokens.hashes.insert(draft.tokens.hashes.end(), tokens.hashes.begin(), tokens.hashes.end());
}

}  // namespace kvasir::chunks
