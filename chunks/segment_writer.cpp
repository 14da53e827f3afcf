#include "chunks/segment_writer.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "chunks/block_copy.h"
#include "chunks/block_draft.h"
#include "chunks/block_encoder.h"
#include "chunks/compression.h"
#include "chunks/gathered_rows.h"
#include "chunks/id_filter.h"
#include "chunks/id_region.h"
#include "chunks/id_text.h"
#include "chunks/limits.h"
#include "chunks/segment_index.h"
#include "chunks/segment_output.h"
#include "chunks/stored_block.h"
#include "common/assert.h"
#include "common/crc32c.h"

namespace kvasir::chunks {
namespace {

constexpr std::size_t kColumnsLineBytesMin = 16 << 10;  // below, columns hardly ever beat rows
constexpr std::size_t kSampleBytes = 64 << 10;
constexpr std::uint32_t kTraceIdBytes = 16;
constexpr std::size_t kOwnBlockBytesMin = 128 << 10;  // a stream with less shares a block with its neighbours
constexpr std::size_t kSharedBlockBytes = 1 << 20;    // larger ones pack no better, and each reader opens all of it

/// Rows per block: up to `bytes` of lines, at least one.
std::size_t rows_for_block(std::span<const EntryView> rows, std::size_t bytes) {
  std::size_t taken = 0, n = 0;
  while (n < rows.size() && n < kBlockRowsMax && (n == 0 || taken + rows[n].line.size() <= bytes))
    taken += rows[n++].line.size();
  return n;
}

bool metadata_equal(std::span<const LabelView> a, std::span<const LabelView> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

/// Decodes the block and compares everything with the rows it was made of.
bool gives_back(std::string_view stored, const PendingIdStore& ids, std::span<const EntryView> rows) {
  const auto block = StoredBlock::open(stored, ids, nullptr, RowOrder::kBySlice);
  if (!block || (*block)->rows() != rows.size()) return false;
  std::vector<std::uint64_t> all((rows.size() + 63) / 64, ~std::uint64_t{0});
  if (rows.size() % 64 != 0) all.back() >>= 64 - rows.size() % 64;
  std::vector<std::string_view> lines(rows.size());
  if (!(*block)->lines({all, rows.size()}, lines)) return false;
  const auto sequences = (*block)->sequences();
  if (!sequences) return false;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if ((*block)->timestamps()[i] != rows[i].timestamp.value || (*sequences)[i] != rows[i].sequence) return false;
    if (lines[i] != rows[i].line) return false;
    const auto metadata = (*block)->metadata(i);
    if (!metadata || !metadata_equal(*metadata, rows[i].metadata)) return false;
  }
  return true;
}

/// What rows through zstd would take, judged by a sample.
std::size_t estimate_row_bytes(std::span<const EntryView> rows) {
  std::string sample, frame;
  std::size_t total = 0;
  for (const EntryView& row : rows) {
    const bool sampled = sample.size() < kSampleBytes;
    total += row.line.size();
    if (sampled) sample.append(row.line.substr(0, kSampleBytes));
    for (const LabelView& pair : row.metadata) {
      total += pair.value.size();
      if (sampled) sample.append(pair.value);
    }
  }
  if (sample.empty()) return rows.size();
  zstd_append(sample, frame);
  const double share = static_cast<double>(frame.size()) / static_cast<double>(sample.size());
  return static_cast<std::size_t>(share * static_cast<double>(total)) + rows.size();
}

/// Bytes that pending id columns will take: columns of one width mostly repeat each other's ids, and wide ones (traces)
/// those of other blocks.
std::size_t estimate_id_bytes(std::span<const PendingIds> slots) {
  std::map<std::uint32_t, std::size_t> largest;
  for (const PendingIds& slot : slots) largest[slot.width] = std::max(largest[slot.width], slot.bytes.size());
  std::size_t bytes = 0;
  for (const auto& [width, most] : largest) bytes += width >= kTraceIdBytes ? most / 2 : most;
  return bytes + slots.size() * slots[0].count();
}

}  // namespace

struct SegmentWriter::State {
  State(SegmentWriterOptions given, SegmentOutput where) : options(given), output(std::move(where)) {
    append_segment_header(output.tail());
  }

  SegmentWriterOptions options;
  SegmentOutput output;
  PendingIdStore ids;
  std::vector<SegmentStream> streams;
  std::vector<EntryPosition> last_positions;  // of each stream
  std::unordered_map<Fingerprint, std::vector<std::uint32_t>> stream_of;
  std::vector<BlockDraft> parts;
  GatheredRows gathered;  // of small streams
  TrigramCollector collector;
  std::uint64_t rows = 0, line_bytes = 0;
  std::uint32_t verify_failures = 0;

  std::pair<std::uint32_t, bool> stream_for(const Labels& labels);
  void add_rows(std::uint32_t stream, std::span<const EntryView> stream_rows);
  void add_gathered();
  void add_part(std::span<const EntryView> block_rows, BlockDraft draft);
  void add_copy(BlockCopy copied);
  Result<void> hand_on();
  Encoding encode(std::span<const EntryView> block_rows, BlockDraft& draft);
  bool try_columns(std::span<const EntryView> block_rows, BlockDraft& draft);
  std::vector<std::size_t> place_blocks(SegmentIndex& index);
  Result<void> write_ids(SegmentIndex& index, const std::vector<std::size_t>& order);
  void write_filters(SegmentIndex& index, const std::vector<std::size_t>& order, const IdRegionEntries& entries);
  void write_trigrams(SegmentIndex& index, const std::vector<std::size_t>& order);
  struct SlotHashes {
    std::vector<std::uint64_t> pooled;  // are not to be in the filter, though they are in the draft
    std::vector<std::uint64_t> others;  // are to be in it, and are not in the draft
  };
  std::vector<SlotHashes> slot_hashes(const IdRegionEntries& entries) const;
  std::vector<std::uint64_t> filter_hashes(std::size_t part, SlotHashes& slots) const;
  /// Of all that is not yet in a file; the rest of the summary is the caller's.
  Result<SegmentSummary> finish();
};

std::pair<std::uint32_t, bool> SegmentWriter::State::stream_for(const Labels& labels) {
  const Fingerprint fingerprint = labels.fingerprint();
  auto& same = stream_of[fingerprint];
  for (const std::uint32_t s : same) {
    if (streams[s].labels == labels) return {s, false};
  }
  same.push_back(static_cast<std::uint32_t>(streams.size()));
  streams.push_back({labels, fingerprint});
  last_positions.emplace_back();
  return {same.back(), true};
}

bool SegmentWriter::State::try_columns(std::span<const EntryView> block_rows, BlockDraft& draft) {
  if (options.pressure || draft.entry.line_bytes < kColumnsLineBytesMin) return false;
  std::string& file = output.tail();
  const std::size_t before = file.size(), ids_before = ids.size();
  LineFactsBuilder facts(collector);
  const std::size_t positions = encode_block(block_rows, Encoding::kColumns, ids, file, &facts);
  draft.trigrams = collector.take();
  std::size_t stored = file.size() - before;
  if (ids.size() != ids_before) stored += estimate_id_bytes(std::span(ids.slots()).subspan(ids_before));
  if (stored * 10 < (estimate_row_bytes(block_rows) + positions) * 9) {
    if (gives_back(std::string_view(file).substr(before), ids, block_rows)) {
      draft.entry.flags |= facts.flags();
      add_line_tokens(facts.tokens(), draft);
      return true;
    }
    ++verify_failures;
  }
  file.resize(before);
  ids.truncate(ids_before);
  return false;
}

Encoding SegmentWriter::State::encode(std::span<const EntryView> block_rows, BlockDraft& draft) {
  if (try_columns(block_rows, draft)) return Encoding::kColumns;
  scan_lines(block_rows, collector, draft);
  std::string& file = output.tail();
  const std::size_t before = file.size(), ids_before = ids.size();
  encode_block(block_rows, Encoding::kRows, ids, file, nullptr);
  ids.set_hashed(ids_before);
  KVASIR_ASSERT(gives_back(std::string_view(file).substr(before), ids, block_rows), "row encoding lost something");
  return Encoding::kRows;
}

/// The rows of a stream, or what is left of them behind whole blocks.
void SegmentWriter::State::add_rows(std::uint32_t stream, std::span<const EntryView> stream_rows) {
  std::size_t bytes = 0;
  for (const EntryView& row : stream_rows) {
    bytes += row.line.size();
    for (const LabelView& pair : row.metadata) bytes += pair.value.size();
  }
  const auto own_block_min = std::min<std::size_t>(kOwnBlockBytesMin, options.block_bytes / 2);
  if (bytes >= own_block_min || stream_rows.size() > kBlockRowsMax / 2) {
    BlockDraft draft;
    add_slice(stream, stream_rows, draft);
    return add_part(stream_rows, std::move(draft));
  }
  if (gathered.bytes() + bytes > kSharedBlockBytes || gathered.rows().size() + stream_rows.size() > kBlockRowsMax)
    add_gathered();
  gathered.add(stream, stream_rows);
}

void SegmentWriter::State::add_gathered() {
  if (gathered.empty()) return;
  BlockDraft draft;
  std::span<const EntryView> left = gathered.rows();
  for (const GatheredRows::Piece& piece : gathered.pieces()) {
    add_slice(piece.stream, left.first(piece.rows), draft);
    left = left.subspan(piece.rows);
  }
  add_part(gathered.rows(), std::move(draft));
  gathered.clear();
}

void SegmentWriter::State::add_part(std::span<const EntryView> block_rows, BlockDraft draft) {
  draft.entry.offset = output.size();
  const std::size_t ids_before = ids.size();
  draft.entry.encoding = static_cast<std::uint8_t>(encode(block_rows, draft));
  draft.entry.stored_bytes = static_cast<std::uint32_t>(output.size() - draft.entry.offset);
  const auto part = static_cast<std::uint32_t>(parts.size());
  ids.set_block(ids_before, part);
  std::sort(draft.tokens.hashes.begin(), draft.tokens.hashes.end());
  draft.tokens.hashes.erase(std::unique(draft.tokens.hashes.begin(), draft.tokens.hashes.end()),
                            draft.tokens.hashes.end());
  draft.entry.flags |= block_flags::kHasTrigrams;
  finish_slices(part, draft);
  parts.push_back(std::move(draft));
}

void SegmentWriter::State::add_copy(BlockCopy copied) {
  output.tail().append(copied.bytes);
  if (!copied.slots.empty())
    copied.draft.slot_shift = static_cast<std::uint32_t>(ids.size()) - copied.first_slot;
  for (PendingIds& slot : copied.slots) {
    slot.block = static_cast<std::uint32_t>(parts.size());
    ids.add(std::move(slot));
  }
  parts.push_back(std::move(copied.draft));
}

Result<void> SegmentWriter::State::hand_on() {
  if (output.size() > kSegmentBytesMax / 2) return fail(ErrorCode::kLimitExceeded, "segment too large");
  return output.hand_on();
}

/// Fills in the blocks, ascending; gives the order of the parts, which is that of their first blocks.
std::vector<std::size_t> SegmentWriter::State::place_blocks(SegmentIndex& index) {
  for (const BlockDraft& part : parts) index.blocks.insert(index.blocks.end(), part.slices.begin(), part.slices.end());
  std::sort(index.blocks.begin(), index.blocks.end(), [](const BlockEntry& x, const BlockEntry& y) {
    return x.stream != y.stream ? x.stream < y.stream : x.first < y.first;
  });
  constexpr std::uint32_t kUnplaced = 0xffffffff;
  std::vector<std::uint32_t> place(parts.size(), kUnplaced);
  std::vector<std::size_t> order;
  for (BlockEntry& block : index.blocks) {
    std::uint32_t& number = place[block.part];
    if (number == kUnplaced) {
      number = static_cast<std::uint32_t>(order.size());
      order.push_back(block.part);
    }
    block.part = number;
  }
  return order;
}

/// Of each block, the hashes of its id columns as far as they matter to its filter.
std::vector<SegmentWriter::State::SlotHashes> SegmentWriter::State::slot_hashes(const IdRegionEntries& entries) const {
  std::vector<SlotHashes> hashes(parts.size());
  for (std::size_t s = 0; s < entries.slots.size(); ++s) {
    const PendingIds& slot = ids.slots()[s];
    const bool pooled = entries.slots[s].way == SlotWay::kRanks;
    if (pooled != slot.hashed || parts[slot.block].filter) continue;
    auto& out = pooled ? hashes[slot.block].pooled : hashes[slot.block].others;
    char text[kIdTokenMax];
    for (std::size_t i = 0; i < slot.count(); ++i) {
      format_id({IdStyle::kHexLower, slot.width}, slot.bytes.data() + i * slot.width, text);
      out.push_back(id_hash(std::string_view(text, slot.width * 2)));
    }
  }
  return hashes;
}

/// Hashes of a block's id tokens that no pool answers for.
std::vector<std::uint64_t> SegmentWriter::State::filter_hashes(std::size_t part, SlotHashes& slots) const {
  std::sort(slots.pooled.begin(), slots.pooled.end());
  std::vector<std::uint64_t> left;
  const auto& all = parts[part].tokens.hashes;
  std::set_difference(all.begin(), all.end(), slots.pooled.begin(), slots.pooled.end(), std::back_inserter(left));
  left.insert(left.end(), slots.others.begin(), slots.others.end());
  std::sort(left.begin(), left.end());
  left.erase(std::unique(left.begin(), left.end()), left.end());
  return left;
}

/// The id region and, which depends on it, the filters. The pending ids are gone afterwards.
Result<void> SegmentWriter::State::write_ids(SegmentIndex& index, const std::vector<std::size_t>& order) {
  std::string region;
  IdRegionEntries entries = write_id_region(ids, region);
  // The ids were packed after the blocks were verified; now they have to prove themselves too.
  const IdRegion packed(region, entries);
  std::string again;
  for (std::uint32_t s = 0; s < ids.slots().size(); ++s) {
    const PendingIds& slot = ids.slots()[s];
    again.resize(slot.bytes.size());
    const auto read = packed.read_slot(s, slot.width, slot.count(), again.data());
    if (!read || again != slot.bytes) return fail(ErrorCode::kInternal, "ids of a new segment do not come back");
  }
  index.ids = {output.size(), region.size(), 0};
  output.tail().append(region);
  KVASIR_CHECK_OK(output.hand_on());
  region = {};
  write_filters(index, order, entries);
  ids.clear();
  std::vector<std::uint32_t> place(order.size());
  for (std::size_t p = 0; p < order.size(); ++p) place[order[p]] = static_cast<std::uint32_t>(p);
  for (SlotEntry& slot : entries.slots) slot.block = place[slot.block];
  index.id_entries = std::move(entries);
  return {};
}

void SegmentWriter::State::write_filters(SegmentIndex& index, const std::vector<std::size_t>& order,
                                         const IdRegionEntries& entries) {
  std::vector<SlotHashes> slots = slot_hashes(entries);
  std::vector<bool> has_filter;  // by part
  std::string& file = output.tail();
  const std::size_t begin = file.size();
  index.filters.offset = output.size();
  for (std::size_t b = 0; b < order.size(); ++b) {
    const std::size_t before = file.size();
    if (parts[order[b]].filter) file.append(*parts[order[b]].filter);
    else append_id_filter(filter_hashes(order[b], slots[order[b]]), file);
    has_filter.push_back(file.size() != before);
    index.filter_ends.push_back(static_cast<std::uint32_t>((file.size() - begin) / kFilterBucketBytes));
  }
  for (BlockEntry& block : index.blocks) {
    if (has_filter[block.part]) block.flags |= block_flags::kHasIdFilter;
  }
  index.filters.bytes = file.size() - begin;
  index.filters.crc = crc32c(std::string_view(file).substr(begin));
}

void SegmentWriter::State::write_trigrams(SegmentIndex& index, const std::vector<std::size_t>& order) {
  std::vector<TrigramSet> sets;
  for (const std::size_t part : order) sets.push_back(parts[part].trigrams);
  std::string raw;
  write_trigram_index(sets, raw);
  std::string& file = output.tail();
  const std::size_t begin = file.size();
  index.trigrams.offset = output.size();
  ByteWriter(file).fixed(static_cast<std::uint64_t>(raw.size()));
  zstd_append(raw, file);
  index.trigrams.bytes = file.size() - begin;
  index.trigrams.crc = crc32c(std::string_view(file).substr(begin));
}

SegmentWriter::SegmentWriter(SegmentWriterOptions options)
    : state_(std::make_unique<State>(options, SegmentOutput())) {}
SegmentWriter::SegmentWriter(Filesystem& filesystem, Path path, SegmentWriterOptions options)
    : state_(std::make_unique<State>(options, SegmentOutput(filesystem, std::move(path)))) {}
SegmentWriter::~SegmentWriter() = default;

std::uint64_t SegmentWriter::rows() const { return state_->rows; }
std::uint64_t SegmentWriter::line_bytes() const { return state_->line_bytes; }

Result<void> SegmentWriter::add(const Labels& labels, std::span<const EntryView> rows) {
  if (rows.empty()) return {};
  const auto [stream, is_new] = state_->stream_for(labels);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool first_ever = i == 0 && is_new;
    if (!first_ever && rows[i].position() <= (i == 0 ? state_->last_positions[stream] : rows[i - 1].position())) {
      return fail(ErrorCode::kInvalidArgument, "rows of a segment stream do not ascend: " + labels.to_string());
    }
    if (rows[i].line.size() > kBlockBytesMax || rows[i].metadata.size() > kMetadataPairsMax) {
      return fail(ErrorCode::kLimitExceeded, "row too large for a segment: " + std::to_string(rows[i].line.size()));
    }
  }
  state_->last_positions[stream] = rows.back().position();
  for (const EntryView& row : rows) state_->line_bytes += row.line.size();
  state_->rows += rows.size();
  while (!rows.empty()) {
    const std::size_t n = rows_for_block(rows, state_->options.block_bytes);
    state_->add_rows(stream, rows.first(n));
    rows = rows.subspan(n);
  }
  return state_->hand_on();
}

Result<bool> SegmentWriter::copy(const SegmentReader& segment, std::size_t block) {
  const auto& source = static_cast<const StoredSegment&>(segment);  // the only kind there is
  KVASIR_TRY(std::optional<BlockCopy> copied, copy_of_part(source, source.blocks()[block].part));
  if (!copied) return false;
  for (BlockEntry& slice : copied->draft.slices) {
    const Labels& labels = source.streams()[slice.stream].labels;
    const auto [stream, is_new] = state_->stream_for(labels);
    if (!is_new && slice.first <= state_->last_positions[stream])
      return fail(ErrorCode::kInvalidArgument, "rows of a segment stream do not ascend: " + labels.to_string());
    state_->last_positions[stream] = slice.last;
    slice.stream = stream;
    slice.part = static_cast<std::uint32_t>(state_->parts.size());
    slice.offset = state_->output.size();
    slice.flags = static_cast<std::uint16_t>(slice.flags & ~block_flags::kHasIdFilter);  // set with the filters
    state_->rows += slice.rows;
    state_->line_bytes += slice.line_bytes;
  }
  state_->add_copy(std::move(*copied));
  KVASIR_CHECK_OK(state_->hand_on());
  return true;
}

Result<SegmentSummary> SegmentWriter::State::finish() {
  add_gathered();
  KVASIR_ASSERT(!parts.empty(), "finish of an empty segment");
  SegmentIndex index;
  index.streams = std::move(streams);  // many small streams: copies would take more than the blocks
  const std::vector<std::size_t> order = place_blocks(index);
  for (const std::size_t part : order) index.slot_shifts.push_back(parts[part].slot_shift);
  KVASIR_CHECK_OK(write_ids(index, order));
  write_trigrams(index, order);
  append_segment_index(index, output.size(), output.tail());

  SegmentSummary summary{std::move(index.streams), std::move(index.blocks), output.size(), rows, line_bytes, {}, {},
                         verify_failures};
  summary.first = summary.blocks[0].first.timestamp;
  summary.last = summary.blocks[0].last.timestamp;
  for (const BlockEntry& block : summary.blocks) {
    summary.first = std::min(summary.first, block.first.timestamp);
    summary.last = std::max(summary.last, block.last.timestamp);
  }
  return summary;
}

Result<SegmentSummary> SegmentWriter::finish(std::string& out) {
  const std::unique_ptr<State> state = std::move(state_);
  KVASIR_TRY(SegmentSummary summary, state->finish());
  out = state->output.take();
  return summary;
}

Result<SegmentSummary> SegmentWriter::finish_file() {
  const std::unique_ptr<State> state = std::move(state_);
  KVASIR_TRY(SegmentSummary summary, state->finish());
  KVASIR_CHECK_OK(state->output.commit());
  return summary;
}

}  // namespace kvasir::chunks
