#include "chunks/segment_inspect.h"

#include <algorithm>
#include <map>

#include "chunks/stored_segment.h"

namespace kvasir::chunks {
namespace {

constexpr std::string_view kTypeNames[] = {"texts", "dictionary", "numbers", "instants", "ids"};

std::vector<ColumnDescription> describe_columns(const TableReader& table) {
  std::vector<ColumnDescription> columns;
  for (std::uint16_t c = 0; c < table.column_count(); ++c) {
    const ColumnReader& column = table.column_head(c);
    if (column.count() == 0) continue;
    columns.push_back({std::string(column.key()), std::string(kTypeNames[static_cast<std::size_t>(column.type())]),
                       column.count(), column.stored_bytes(), column.shortest(), column.longest()});
  }
  return columns;
}

std::string describe_template(const RowTemplate& shape) {
  std::string text = std::to_string(shape.rows) + " " + std::string(shape.fixed[0]);
  for (std::size_t i = 1; i < shape.fixed.size(); ++i) text.append("<*>").append(shape.fixed[i]);
  return text;
}

/// Of all slices together.
BlockEntry entry_of_part(const StoredSegment& segment, std::span<const std::uint32_t> slices) {
  BlockEntry whole = segment.blocks()[slices[0]];
  for (const std::uint32_t b : slices.subspan(1)) {
    const BlockEntry& slice = segment.blocks()[b];
    whole.rows += slice.rows;
    whole.line_bytes += slice.line_bytes;
    whole.first = std::min(whole.first, slice.first);
    whole.last = std::max(whole.last, slice.last);
    whole.flags |= slice.flags;
    for (std::size_t level = 0; level < kLevelCount; ++level) whole.levels[level] += slice.levels[level];
  }
  return whole;
}

Result<BlockDescription> describe_part(const StoredSegment& segment, std::size_t part) {
  const auto slices = segment.blocks_of_part(part);
  BlockDescription description;
  description.entry = entry_of_part(segment, slices);
  description.slices = static_cast<std::uint32_t>(slices.size());
  const RowOrder order = slices.size() > 1 ? RowOrder::kBySlice : RowOrder::kByTime;
  KVASIR_TRY(const std::unique_ptr<StoredBlock> block, segment.open_part(description.entry, order));
  description.filter_bytes = segment.filter_of(part).size();
  description.meta_bytes = block->meta_bytes();
  if (const TableReader* const table = block->line_table()) {
    for (const RowTemplate& shape : table->templates()) {
      if (shape.rows != 0) description.templates.push_back(describe_template(shape));
    }
    description.columns = describe_columns(*table);
  }
  if (const TableReader* const table = block->metadata_table()) description.metadata_columns = describe_columns(*table);
  return description;
}

/// The bytes of the id region, spread over the parts: a slot is its block's own; a pool is of those that name its ids,
/// by how often they do.
std::vector<std::uint64_t> id_bytes_by_part(const IdRegionEntries& ids, std::size_t parts) {
  std::vector<std::uint64_t> bytes(parts);
  std::map<std::uint32_t, std::uint64_t> names;  // of pooled ids, by width
  for (const SlotEntry& slot : ids.slots) {
    bytes[slot.block] += slot.bytes;
    if (slot.way == SlotWay::kRanks) names[slot.width] += slot.count;
  }
  for (const SlotEntry& slot : ids.slots) {
    if (slot.way != SlotWay::kRanks || names[slot.width] == 0) continue;
    for (const PoolEntry& pool : ids.pools) {
      if (pool.width != slot.width) continue;
      const double pooled = static_cast<double>(pool.rank_bytes) + static_cast<double>(pool.width) * pool.count;
      bytes[slot.block] += static_cast<std::uint64_t>(pooled * slot.count / static_cast<double>(names[slot.width]));
    }
  }
  return bytes;
}

Error mismatch(std::string_view what, std::size_t block) {
  return Error(ErrorCode::kCorruption,
               "segment index disagrees with block: " + std::string(what) + " of block " + std::to_string(block));
}

Result<void> verify_block(const SegmentReader& segment, std::size_t index) {
  const BlockEntry& entry = segment.blocks()[index];
  KVASIR_TRY(const std::unique_ptr<Block> block, segment.open_block(index));
  const std::size_t rows = block->rows();
  KVASIR_TRY(const auto sequences, block->sequences());
  if (EntryPosition{{block->timestamps()[0]}, sequences[0]} != entry.first)
    return fail(mismatch("first position", index));
  if (EntryPosition{{block->timestamps()[rows - 1]}, sequences[rows - 1]} != entry.last)
    return fail(mismatch("last position", index));
  std::vector<std::uint64_t> all((rows + 63) / 64, ~std::uint64_t{0});
  if (rows % 64 != 0) all.back() >>= 64 - rows % 64;
  std::vector<std::string_view> lines(rows);
  KVASIR_CHECK_OK(block->lines({all, rows}, lines));
  std::uint64_t bytes = 0, metadata_bytes = 0;
  LevelCounts levels{};
  bool only_levels = true;
  for (std::size_t row = 0; row < rows; ++row) {
    bytes += lines[row].size();
    KVASIR_TRY(const auto metadata, block->metadata(row));
    for (const LabelView& pair : metadata) metadata_bytes += pair.name.size() + pair.value.size();
    const Level level = level_of_metadata(metadata);
    ++levels[static_cast<std::size_t>(level)];
    only_levels = only_levels && (metadata.empty() || (metadata.size() == 1 && level != Level::kNone));
  }
  if (bytes != entry.line_bytes) return fail(mismatch("line bytes", index));
  const bool told = static_cast<const StoredSegment&>(segment).index().major > kSegmentMajorShared;
  if (told && metadata_bytes != entry.metadata_bytes) return fail(mismatch("metadata bytes", index));
  if (levels != entry.levels) return fail(mismatch("levels", index));
  if ((entry.flags & block_flags::kOnlyLevels) != 0 && !only_levels) return fail(mismatch("metadata", index));
  return {};
}

/// Each row of a shared block is in one slice.
Result<void> verify_slices(const StoredSegment& segment, std::size_t part) {
  const auto slices = segment.blocks_of_part(part);
  if (slices.size() == 1) return {};
  KVASIR_TRY(const auto block, segment.open_part(segment.blocks()[slices[0]], RowOrder::kBySlice));
  std::vector<std::uint8_t> taken(block->rows());
  for (const std::uint32_t b : slices) {
    const BlockEntry& slice = segment.blocks()[b];
    for (std::size_t row = slice.first_row; row < std::size_t{slice.first_row} + slice.rows; ++row) {
      if (row >= taken.size() || taken[row] != 0) return fail(mismatch("slice", b));
      taken[row] = 1;
    }
  }
  if (std::find(taken.begin(), taken.end(), 0) != taken.end()) return fail(mismatch("rows of no stream", slices[0]));
  return {};
}

}  // namespace

Result<SegmentDescription> describe_segment(const SegmentReader& reader) {
  const auto& segment = static_cast<const StoredSegment&>(reader);  // the only kind there is
  SegmentDescription description;
  description.format_version = segment.index().major;
  description.file_bytes = segment.file_bytes();
  description.streams.assign(segment.streams().begin(), segment.streams().end());
  description.id_bytes = segment.index().ids.bytes;
  description.filter_bytes = segment.index().filters.bytes;
  description.trigram_bytes = segment.index().trigrams.bytes;
  for (const PoolEntry& pool : segment.ids().entries().pools) description.pooled_ids += pool.count;
  description.entries.assign(segment.blocks().begin(), segment.blocks().end());
  const auto id_bytes = id_bytes_by_part(segment.ids().entries(), segment.parts());
  for (std::size_t part = 0; part < segment.parts(); ++part) {
    KVASIR_TRY(BlockDescription block, describe_part(segment, part));
    block.id_bytes = id_bytes[part];
    description.rows += block.entry.rows;
    description.line_bytes += block.entry.line_bytes;
    description.block_bytes += block.entry.stored_bytes;
    description.blocks.push_back(std::move(block));
  }
  description.index_bytes = description.file_bytes - description.block_bytes - description.id_bytes -
                            description.filter_bytes - description.trigram_bytes;
  return description;
}

Result<void> verify_segment(const SegmentReader& segment) {
  const auto& stored = static_cast<const StoredSegment&>(segment);
  // Queries do without these when they are damaged, and read more.
  if (!stored.filters_usable()) return fail(ErrorCode::kCorruption, "segment damaged: checksum of the id filters");
  if (stored.trigrams() == nullptr) return fail(ErrorCode::kCorruption, "segment damaged: trigrams");
  for (std::size_t part = 0; part < stored.parts(); ++part) KVASIR_CHECK_OK(verify_slices(stored, part));
  for (std::size_t b = 0; b < segment.blocks().size(); ++b) {
    if (auto checked = verify_block(segment, b); !checked)
      return fail(checked.error().with_context("block " + std::to_string(b)));
  }
  return {};
}

}  // namespace kvasir::chunks
