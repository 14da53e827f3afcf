#include "chunks/block_copy.h"

namespace kvasir::chunks {
namespace {

/// Entries of versions 1 and 2 do not tell how long metadata is, unless all of it is levels.
bool tells_all(const BlockEntry& entry, std::uint16_t major) {
  const auto metadata = entry.flags & (block_flags::kHasMetadata | block_flags::kOnlyLevels);
  return major > kSegmentMajorShared || metadata != block_flags::kHasMetadata;
}

TrigramSet trigrams_of_part(const TrigramIndex& index, std::size_t part) {
  TrigramSet set;
  for (std::size_t trigram = 0; trigram < kTrigramCount; ++trigram) {
    const std::string_view row = index.blocks_with(static_cast<std::uint16_t>(trigram));
    if (!row.empty() && (static_cast<unsigned char>(row[part / 8]) >> part % 8 & 1) != 0) set.set(trigram);
  }
  return set;
}

/// The ids of a slot. When each of them came is not known: they are spread evenly over the block's time, which is all
/// that the order in a pool needs.
Result<PendingIds> read_ids(const StoredSegment& segment, std::uint32_t slot, const BlockEntry& whole) {
  const SlotEntry& entry = segment.ids().entries().slots[slot];
  PendingIds ids;
  ids.width = entry.width;
  ids.pooled = entry.way == SlotWay::kRanks;
  ids.bytes.resize(std::size_t{entry.width} * entry.count);
  KVASIR_CHECK_OK(segment.ids().read_slot(slot, entry.width, entry.count, ids.bytes.data()));
  ids.first = whole.first.timestamp.value;
  ids.step = static_cast<double>(whole.last.timestamp.value - ids.first) / entry.count;
  return ids;
}

BlockDraft draft_of_part(const StoredSegment& segment, std::size_t part) {
  BlockDraft draft;
  for (const std::uint32_t b : segment.blocks_of_part(part)) {
    const BlockEntry& slice = segment.blocks()[b];
    draft.slices.push_back(slice);
    if (draft.slices.size() == 1) draft.entry = slice;
    draft.entry.first = std::min(draft.entry.first, slice.first);
    draft.entry.last = std::max(draft.entry.last, slice.last);
  }
  return draft;
}

}  // namespace

Result<std::optional<BlockCopy>> copy_of_part(const StoredSegment& segment, std::size_t part) {
  constexpr std::optional<BlockCopy> kCannot;
  const auto slots = segment.slots_of_part(part);
  const TrigramIndex* const trigrams = segment.trigrams();
  if (!slots || trigrams == nullptr || !segment.filters_usable()) return kCannot;
  BlockCopy copy;
  copy.draft = draft_of_part(segment, part);
  for (const BlockEntry& slice : copy.draft.slices) {
    if (!tells_all(slice, segment.index().major)) return kCannot;
  }
  // Damage must not be carried into a new file while the old one goes.
  KVASIR_TRY(const auto opened, segment.open_part(copy.draft.entry, RowOrder::kBySlice));
  KVASIR_CHECK_OK(opened->check_parts());
  copy.bytes = segment.stored_part(copy.draft.entry);
  copy.draft.filter = std::string(segment.filter_of(part));
  copy.draft.trigrams = trigrams_of_part(*trigrams, part);
  copy.first_slot = slots->first - segment.index().slot_shifts[part];
  for (std::uint32_t slot = slots->first; slot < slots->first + slots->count; ++slot) {
    KVASIR_TRY(PendingIds ids, read_ids(segment, slot, copy.draft.entry));
    copy.slots.push_back(std::move(ids));
  }
  return copy;
}

}  // namespace kvasir::chunks
