#include "chunks/segment_reader.h"

#include <algorithm>
#include <numeric>

#include "chunks/compression.h"
#include "chunks/id_filter.h"
#include "chunks/id_text.h"
#include "chunks/id_tokens.h"
#include "chunks/limits.h"
#include "chunks/stored_segment.h"
#include "common/crc32c.h"

namespace kvasir::chunks {

Result<std::shared_ptr<const SegmentReader>> SegmentReader::open(std::shared_ptr<const RandomFile> file) {
  KVASIR_TRY(const std::string_view bytes, file->view(0, file->size()));
  KVASIR_TRY(SegmentIndex index, read_segment_index(bytes));
  return std::make_shared<const StoredSegment>(std::move(file), bytes, std::move(index));
}

Result<std::shared_ptr<const SegmentReader>> SegmentReader::open_bytes(std::string_view bytes) {
  KVASIR_TRY(SegmentIndex index, read_segment_index(bytes));
  return std::make_shared<const StoredSegment>(nullptr, bytes, std::move(index));
}

StoredSegment::StoredSegment(std::shared_ptr<const RandomFile> file, std::string_view bytes, SegmentIndex index)
    : file_(std::move(file)),
      bytes_(bytes),
      index_(std::move(index)),
      ids_(bytes.substr(index_.ids.offset, index_.ids.bytes), std::move(index_.id_entries)),
      part_starts_(index_.parts() + 1),
      part_blocks_(index_.blocks.size()),
      part_slots_(index_.parts()),
      slot_counts_(index_.parts()) {
  for (const BlockEntry& block : index_.blocks) ++part_starts_[block.part + 1];
  std::partial_sum(part_starts_.begin(), part_starts_.end(), part_starts_.begin());
  std::vector<std::uint32_t> next(part_starts_.begin(), part_starts_.end() - 1);
  for (std::uint32_t b = 0; b < index_.blocks.size(); ++b) part_blocks_[next[index_.blocks[b].part]++] = b;
  const auto& slots = ids_.entries().slots;
  for (std::uint32_t s = 0; s < slots.size(); ++s) {
    SlotRange& range = part_slots_[slots[s].block];
    if (slot_counts_[slots[s].block]++ == 0) range.first = s;
    range.count = s + 1 - range.first;
  }
}

std::optional<StoredSegment::SlotRange> StoredSegment::slots_of_part(std::size_t part) const {
  if (part_slots_[part].count != slot_counts_[part]) return std::nullopt;
  return part_slots_[part];
}

std::span<const std::uint32_t> StoredSegment::blocks_of_part(std::size_t part) const {
  return std::span(part_blocks_).subspan(part_starts_[part], part_starts_[part + 1] - part_starts_[part]);
}

std::pair<std::size_t, std::size_t> StoredSegment::blocks_of(std::size_t stream) const {
  const auto by_stream = [](const BlockEntry& block, std::size_t wanted) { return block.stream < wanted; };
  const auto begin = std::lower_bound(index_.blocks.begin(), index_.blocks.end(), stream, by_stream);
  const auto end = std::lower_bound(begin, index_.blocks.end(), stream + 1, by_stream);
  return {static_cast<std::size_t>(begin - index_.blocks.begin()),
          static_cast<std::size_t>(end - index_.blocks.begin())};
}

Result<std::unique_ptr<StoredBlock>> StoredSegment::open_part(const BlockEntry& entry, RowOrder order) const {
  // A shared block may be kept by this segment: it must not keep the segment in turn.
  const auto owner = order == RowOrder::kByTime ? shared_from_this() : nullptr;
  return StoredBlock::open(stored_part(entry), {ids_, index_.slot_shifts[entry.part]}, owner, order);
}

Result<std::shared_ptr<SharedBlock>> StoredSegment::shared_block(std::size_t index) const {
  const BlockEntry& entry = index_.blocks[index];
  if (!is_slice(index)) return std::shared_ptr<SharedBlock>();
  OpenParts& open = open_parts_[entry.part % kStripes];
  MutexLock lock(open.mutex);
  auto& known = open.by_part[entry.part];
  if (auto block = known.lock()) return block;
  KVASIR_TRY(auto stored, open_part(entry, RowOrder::kBySlice));
  auto block = std::make_shared<SharedBlock>(std::move(stored));
  known = block;
  return block;
}

void StoredSegment::keep_recent(const std::shared_ptr<SharedBlock>& block) const {
  std::shared_ptr<SharedBlock> before = block;  // is freed without the lock
  MutexLock lock(recent_mutex_);
  recent_.swap(before);
}

Result<std::unique_ptr<Block>> StoredSegment::open_block(std::size_t index) const {
  const BlockEntry& entry = index_.blocks[index];
  KVASIR_TRY(auto shared, shared_block(index));
  if (shared != nullptr) {
    keep_recent(shared);
    return SliceBlock::open(std::move(shared), entry, shared_from_this());
  }
  KVASIR_TRY(std::unique_ptr<StoredBlock> block, open_part(entry, RowOrder::kByTime));
  if (block->rows() != entry.rows) return fail(ErrorCode::kCorruption, "block damaged: row count");
  return std::unique_ptr<Block>(std::move(block));
}

std::optional<std::vector<std::uint32_t>> StoredSegment::parts_with_id(std::string_view id) const {
  if (!is_indexed_id(id)) return std::nullopt;
  std::vector<std::uint32_t> found;
  if (const auto bytes = id_bytes_of(id)) ids_.blocks_of_pooled(*bytes, found);
  const std::uint64_t hash = id_hash(id);
  const bool usable = filters_usable();
  for (std::uint32_t part = 0; part < parts(); ++part) {
    if (!usable || id_filter_contains(filter_of(part), hash)) found.push_back(part);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::optional<std::vector<std::uint32_t>> StoredSegment::blocks_with_id(std::string_view id) const {
  const auto found = parts_with_id(id);
  if (!found) return std::nullopt;
  std::vector<std::uint32_t> blocks;
  for (const std::uint32_t part : *found) {
    const auto slices = blocks_of_part(part);
    blocks.insert(blocks.end(), slices.begin(), slices.end());
  }
  std::sort(blocks.begin(), blocks.end());
  return blocks;
}

bool StoredSegment::filters_usable() const {
  int state = filters_state_.load(std::memory_order_acquire);
  if (state == 0) {
    state = crc32c(bytes_.substr(index_.filters.offset, index_.filters.bytes)) == index_.filters.crc ? 1 : 2;
    filters_state_.store(state, std::memory_order_release);
  }
  return state == 1;
}

std::string_view StoredSegment::filter_of(std::size_t part) const {
  const std::size_t begin = part == 0 ? 0 : index_.filter_ends[part - 1];
  return bytes_.substr(index_.filters.offset + begin * kFilterBucketBytes,
                       (index_.filter_ends[part] - begin) * kFilterBucketBytes);
}

const TrigramIndex* StoredSegment::trigrams() const {
  auto loaded = trigrams_.load();
  if (loaded == nullptr) {
    auto made = std::make_shared<std::optional<TrigramIndex>>();
    const std::string_view region = bytes_.substr(index_.trigrams.offset, index_.trigrams.bytes);
    ByteReader reader(region);
    const auto raw_bytes = reader.fixed<std::uint64_t>();
    if (reader.ok() && crc32c(region) == index_.trigrams.crc && raw_bytes <= kPartBytesMax) {
      std::string raw(raw_bytes, '\0');
      if (zstd_expand(reader.rest(), raw.data(), raw.size())) *made = TrigramIndex::read(raw, parts());
    }
    std::shared_ptr<const std::optional<TrigramIndex>> none;
    trigrams_.compare_exchange_strong(none, std::move(made));
    loaded = trigrams_.load();
  }
  return loaded->has_value() ? &**loaded : nullptr;
}

}  // namespace kvasir::chunks
