#include "ingest/head_chunk.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <numeric>

#include "common/assert.h"

namespace kvasir::ingest {
namespace {

constexpr std::uint64_t kHashTag = ~std::uint64_t{0} << 32;
constexpr std::size_t kSlabBytesMin = 512;
constexpr std::size_t kSlabBytesMax = 64 << 10;  // larger ones would stand half empty in each of many streams

std::uint64_t content_hash(std::int64_t timestamp, std::string_view line) {
  return XXH3_64bits_withSeed(line.data(), line.size(), static_cast<std::uint64_t>(timestamp));
}

bool same_labels(std::span<const LabelView> a, std::span<const LabelView> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

std::span<const LabelView> labels_of(const MetadataSet* set) {
  return set == nullptr ? std::span<const LabelView>() : set->labels;
}

}  // namespace

HeadChunk::~HeadChunk() {
  if (released_) released_(charge_);
}

std::uint32_t HeadChunk::room(std::uint64_t sequence) const {
  if (summary_.rows == 0) return kChunkRowsMax;
  const std::uint64_t offset = sequence - summary_.first_sequence;
  if (offset > UINT32_MAX) return 0;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(kChunkRowsMax - summary_.rows, UINT32_MAX - offset));
}

char* HeadChunk::allocate(std::size_t bytes) {
  constexpr std::size_t kAlign = alignof(MetadataSet);
  bytes = (bytes + kAlign - 1) / kAlign * kAlign;
  if (bytes > left_) {
    const std::size_t grown = std::min(kSlabBytesMax, kSlabBytesMin << std::min<std::size_t>(slabs_.size(), 20));
    left_ = std::max(grown, bytes);
    slabs_.push_back(std::make_unique_for_overwrite<char[]>(left_));
    free_ = slabs_.back().get();
  }
  char* const place = free_;
  free_ += bytes;
  left_ -= bytes;
  return place;
}

std::string_view HeadChunk::keep(std::string_view text) {
  if (text.empty()) return {};
  char* const place = allocate(text.size());
  std::memcpy(place, text.data(), text.size());
  return {place, text.size()};
}

const MetadataSet* HeadChunk::keep(std::span<const LabelView> metadata) {
  if (metadata.empty()) return nullptr;
  for (const MetadataSet* recent : recent_sets_) {
    if (recent != nullptr && same_labels(recent->labels, metadata)) return recent;
  }
  char* const place = allocate(sizeof(MetadataSet) + metadata.size() * sizeof(LabelView));
  auto* const labels = reinterpret_cast<LabelView*>(place + sizeof(MetadataSet));
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < metadata.size(); ++i) {
    ::new (static_cast<void*>(labels + i)) LabelView{keep(metadata[i].name), keep(metadata[i].value)};
    bytes += metadata[i].name.size() + metadata[i].value.size();
  }
  const auto* const set =
      ::new (static_cast<void*>(place)) MetadataSet{std::span<const LabelView>(labels, metadata.size()), bytes};
  recent_sets_[next_recent_++ % kRecentSets] = set;
  return set;
}

void HeadChunk::note_content(std::uint64_t hash, std::uint32_t row) {
  const std::size_t mask = by_content_.size() - 1;
  std::size_t at = hash & mask;
  while (by_content_[at] != 0) at = (at + 1) & mask;
  by_content_[at] = (hash & kHashTag) | (row + 1);
}

/// Notes all rows anew in so many slots. REQUIRES: a power of two, at least twice the rows.
void HeadChunk::grow_content(std::size_t slots) {
  by_content_.assign(slots, 0);
  for (std::uint32_t i = 0; i < summary_.rows; ++i) {
    const Row& row = stored(i);
    note_content(content_hash(row.timestamp, {row.line, row.length}), i);
  }
}

bool HeadChunk::is_repeat(std::int64_t timestamp, std::string_view line, const MetadataSet* metadata) {
  if (by_content_.empty()) grow_content(std::bit_ceil(std::size_t{summary_.rows} * 4));
  const std::uint64_t hash = content_hash(timestamp, line);
  const std::size_t mask = by_content_.size() - 1;
  for (std::size_t at = hash & mask; by_content_[at] != 0; at = (at + 1) & mask) {
    if (((by_content_[at] ^ hash) & kHashTag) != 0) continue;
    const Row& row = stored(static_cast<std::uint32_t>(by_content_[at]) - 1);
    if (row.timestamp == timestamp && std::string_view(row.line, row.length) == line &&
        (row.metadata == metadata || same_labels(labels_of(row.metadata), labels_of(metadata)))) {
      return true;
    }
  }
  return false;
}

bool HeadChunk::append(TimestampNs timestamp, std::uint64_t sequence, std::string_view line,
                       const MetadataSet* metadata) {
  const std::uint32_t i = summary_.rows;
  KVASIR_DASSERT(i < kChunkRowsMax, "chunk is full");
  if (i > 0 && timestamp <= summary_.last) {
    if (is_repeat(timestamp.value, line, metadata)) return false;
    if (timestamp < summary_.last) summary_.in_order = false;
  }
  if (!by_content_.empty()) {
    if (by_content_.size() < 2 * (std::size_t{i} + 1)) grow_content(by_content_.size() * 4);
    note_content(content_hash(timestamp.value, line), i);
  }
  if (i == 0) summary_.first_sequence = sequence;
  const auto slab = static_cast<std::size_t>(std::bit_width(i / kFirstSlabRows + 1) - 1);
  if (rows_[slab] == nullptr) rows_[slab] = std::make_unique_for_overwrite<Row[]>(kFirstSlabRows << slab);
  Row& row = rows_[slab][i - kFirstSlabRows * ((1u << slab) - 1)];
  row = {timestamp.value, line.data(), metadata, static_cast<std::uint32_t>(line.size()),
         static_cast<std::uint32_t>(sequence - summary_.first_sequence)};
  ++summary_.rows;
  summary_.line_bytes += line.size();
  summary_.metadata_bytes += metadata == nullptr ? 0 : metadata->bytes;
  summary_.first = std::min(summary_.first, timestamp);
  summary_.last = std::max(summary_.last, timestamp);
  summary_.last_sequence = sequence;
  return true;
}

const HeadChunk::Row& HeadChunk::stored(std::uint32_t i) const {
  const auto slab = static_cast<std::size_t>(std::bit_width(i / kFirstSlabRows + 1) - 1);
  return rows_[slab][i - kFirstSlabRows * ((1u << slab) - 1)];
}

EntryView HeadChunk::row(std::uint32_t i) const {
  const Row& row = stored(i);
  return {{row.timestamp}, summary_.first_sequence + row.sequence_offset, {row.line, row.length}, labels_of(row.metadata)};
}

std::vector<std::uint32_t> sorted_rows(const ChunkView& view) {
  std::vector<std::uint32_t> order(view.summary.rows);
  std::iota(order.begin(), order.end(), 0u);
  if (!view.summary.in_order) {  // stable: among equal timestamps arrival order is the order of sequences
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return view.chunk->timestamp(a) < view.chunk->timestamp(b); });
  }
  return order;
}

}  // namespace kvasir::ingest
