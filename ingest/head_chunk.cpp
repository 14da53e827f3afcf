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
constexpr std::size_t kSlabBytesMin = 256;
constexpr std::size_t kSlabBytesMax = 64 << 10;  // larger ones would stand half empty in each of many streams

std::uint64_t content_hash(std::int64_t timestamp, std::string_view line) {
  return XXH3_64bits_withSeed(line.data(), line.size(), static_cast<std::uint64_t>(timestamp));
}

std::uint64_t time_hash(std::int64_t timestamp) {
  const std::uint64_t mixed = static_cast<std::uint64_t>(timestamp) * 0x9e3779b97f4a7c15U;
  return mixed ^ mixed >> 29;
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

void RowTable::start(std::size_t rows) {
  slots_.assign(std::bit_ceil(std::max<std::size_t>(rows * 4, 64)), 0);
  used_ = 0;
}

void RowTable::add(std::uint64_t hash, std::uint32_t row) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at] != 0) at = (at + 1) & mask;
  slots_[at] = (hash & kHashTag) | (row + 1);
  ++used_;
}

void HeadChunk::note_time(std::int64_t timestamp, std::uint32_t row) {
  if (by_time_.has_room()) return by_time_.add(time_hash(timestamp), row);
  start_times(row);
  by_time_.add(time_hash(timestamp), row);
}

/// Room for so many rows and as many again, and the instants of these rows, each once.
void HeadChunk::start_times(std::uint32_t rows) {
  by_time_.start(rows + 1);
  for (std::uint32_t i = 0; i < rows; ++i) {
    if (!is_in_table(stored(i).timestamp)) by_time_.add(time_hash(stored(i).timestamp), i);
  }
}

bool HeadChunk::is_in_table(std::int64_t timestamp) const {
  return by_time_.any(time_hash(timestamp), [&](std::uint32_t row) { return stored(row).timestamp == timestamp; });
}

bool HeadChunk::has_time(std::int64_t timestamp) {
  if (!by_time_.empty()) return is_in_table(timestamp);
  const bool found = runs_.has(timestamp, [this](std::uint32_t row) { return stored(row).timestamp; });
  if (runs_.too_costly(summary_.rows)) {
    start_times(summary_.rows);
    runs_ = {};
  }
  return found;
}

void HeadChunk::note_content(std::uint64_t hash, std::uint32_t row) {
  if (by_content_.has_room()) return by_content_.add(hash, row);
  by_content_.start(row + 1);
  for (std::uint32_t i = 0; i < row; ++i)
    by_content_.add(content_hash(stored(i).timestamp, {stored(i).line, stored(i).length}), i);
  by_content_.add(hash, row);
}

/// Of an instant that some row has.
bool HeadChunk::is_repeat(std::int64_t timestamp, std::string_view line, const MetadataSet* metadata) {
  if (by_content_.empty()) {
    by_content_.start(summary_.rows);
    for (std::uint32_t i = 0; i < summary_.rows; ++i)
      by_content_.add(content_hash(stored(i).timestamp, {stored(i).line, stored(i).length}), i);
  }
  return by_content_.any(content_hash(timestamp, line), [&](std::uint32_t i) {
    const Row& row = stored(i);
    return row.timestamp == timestamp && std::string_view(row.line, row.length) == line &&
           (row.metadata == metadata || same_labels(labels_of(row.metadata), labels_of(metadata)));
  });
}

bool HeadChunk::append(TimestampNs timestamp, std::uint64_t sequence, std::string_view line,
                       const MetadataSet* metadata) {
  const std::uint32_t i = summary_.rows;
  KVASIR_DASSERT(i < kChunkRowsMax, "chunk is full");
  const bool is_new_time = i == 0 || !has_time(timestamp.value);
  if (!is_new_time && is_repeat(timestamp.value, line, metadata)) return false;
  if (timestamp < summary_.last) summary_.in_order = false;
  if (by_time_.empty()) runs_.note(timestamp.value, i);
  else if (is_new_time) note_time(timestamp.value, i);
  if (!by_content_.empty()) note_content(content_hash(timestamp.value, line), i);
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
  return {
      {row.timestamp}, summary_.first_sequence + row.sequence_offset, {row.line, row.length}, labels_of(row.metadata)};
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
