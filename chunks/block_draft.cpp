#include "chunks/block_draft.h"

#include <cstring>

namespace kvasir::chunks {
namespace {

bool has_high_byte(std::string_view text) {
  std::uint64_t bits = 0;
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    bits |= word;
  }
  for (; i < text.size(); ++i) bits |= static_cast<unsigned char>(text[i]);
  return (bits & 0x8080808080808080ULL) != 0;
}

bool holds(std::string_view text, char c) { return std::memchr(text.data(), c, text.size()) != nullptr; }

std::uint16_t line_flags(std::string_view line) {
  using namespace block_flags;
  if (line.empty()) return 0;
  return static_cast<std::uint16_t>((has_high_byte(line) ? kNonAscii : 0) | (holds(line, '\n') ? kHasNewline : 0) |
                                    (holds(line, '\\') ? kHasBackslash : 0));
}

Level level_of_row(const EntryView& row) {
  for (const LabelView& pair : row.metadata) {
    if (pair.name == "detected_level") return level_of(pair.value);
  }
  return Level::kNone;
}

}  // namespace

BlockDraft draft_block(std::span<const EntryView> rows, TrigramCollector& collector) {
  BlockDraft draft;
  draft.entry.rows = static_cast<std::uint32_t>(rows.size());
  draft.entry.first = rows.front().position();
  draft.entry.last = rows.back().position();
  for (const EntryView& row : rows) {
    draft.entry.line_bytes += row.line.size();
    draft.entry.flags |= line_flags(row.line);
    if (!row.metadata.empty()) draft.entry.flags |= block_flags::kHasMetadata;
    ++draft.entry.levels[static_cast<std::size_t>(level_of_row(row))];
    find_id_tokens(row.line, draft.tokens);
    collector.add(row.line);
  }
  draft.entry.token_lengths = draft.tokens.lengths;  // of lines only: needles are looked for in lines
  for (const EntryView& row : rows) {
    for (const LabelView& pair : row.metadata) find_id_tokens(pair.value, draft.tokens);
  }
  draft.trigrams = collector.take();
  return draft;
}

}  // namespace kvasir::chunks
