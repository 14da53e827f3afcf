#include "chunks/segment_reader.h"

#include <algorithm>

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
      ids_(bytes.substr(index_.ids.offset, index_.ids.bytes), std::move(index_.id_entries)) {}

std::pair<std::size_t, std::size_t> StoredSegment::blocks_of(std::size_t stream) const {
  const auto by_stream = [](const BlockEntry& block, std::size_t wanted) { return block.stream < wanted; };
  const auto begin = std::lower_bound(index_.blocks.begin(), index_.blocks.end(), stream, by_stream);
  const auto end = std::lower_bound(begin, index_.blocks.end(), stream + 1, by_stream);
  return {static_cast<std::size_t>(begin - index_.blocks.begin()),
          static_cast<std::size_t>(end - index_.blocks.begin())};
}

Result<std::unique_ptr<StoredBlock>> StoredSegment::open_stored(std::size_t index) const {
  const BlockEntry& entry = index_.blocks[index];
  auto block = StoredBlock::open(bytes_.substr(entry.offset, entry.stored_bytes), ids_, shared_from_this());
  if (block && (*block)->rows() != entry.rows) return fail(ErrorCode::kCorruption, "block damaged: row count");
  return block;
}

Result<std::unique_ptr<Block>> StoredSegment::open_block(std::size_t index) const {
  KVASIR_TRY(std::unique_ptr<Block> block, open_stored(index));
  return block;
}

std::optional<std::vector<std::uint32_t>> StoredSegment::blocks_with_id(std::string_view id) const {
  if (!is_indexed_id(id)) return std::nullopt;
  std::vector<std::uint32_t> found;
  if (const auto bytes = id_bytes_of(id)) ids_.blocks_of_pooled(*bytes, found);
  const std::uint64_t hash = id_hash(id);
  const bool usable = filters_usable();
  for (std::uint32_t b = 0; b < index_.blocks.size(); ++b) {
    if (!usable || id_filter_contains(filter_of(b), hash)) found.push_back(b);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

bool StoredSegment::filters_usable() const {
  int state = filters_state_.load(std::memory_order_acquire);
  if (state == 0) {
    state = crc32c(bytes_.substr(index_.filters.offset, index_.filters.bytes)) == index_.filters.crc ? 1 : 2;
    filters_state_.store(state, std::memory_order_release);
  }
  return state == 1;
}

std::string_view StoredSegment::filter_of(std::size_t block) const {
  const std::size_t begin = block == 0 ? 0 : index_.filter_ends[block - 1];
  return bytes_.substr(index_.filters.offset + begin * kFilterBucketBytes,
                       (index_.filter_ends[block] - begin) * kFilterBucketBytes);
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
      if (zstd_expand(reader.rest(), raw.data(), raw.size())) *made = TrigramIndex::read(raw, index_.blocks.size());
    }
    std::shared_ptr<const std::optional<TrigramIndex>> none;
    trigrams_.compare_exchange_strong(none, std::move(made));
    loaded = trigrams_.load();
  }
  return loaded->has_value() ? &**loaded : nullptr;
}

}  // namespace kvasir::chunks
