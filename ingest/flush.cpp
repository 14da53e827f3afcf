#include "ingest/flush.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <map>
#include <unordered_map>

namespace kvasir::ingest {
namespace {

bool same_content(const EntryView& a, const EntryView& b) {
  return a.timestamp == b.timestamp && a.line == b.line &&
         std::equal(a.metadata.begin(), a.metadata.end(), b.metadata.begin(), b.metadata.end());
}

/// Moves the rows of one instant that repeat no earlier one to `out`, which may be `begin`.
std::vector<EntryView>::iterator keep_distinct(std::vector<EntryView>::iterator begin,
                                               std::vector<EntryView>::iterator end,
                                               std::vector<EntryView>::iterator out) {
  const auto first = out;
  std::unordered_multimap<std::uint64_t, std::size_t> seen;
  for (auto row = begin; row != end; ++row) {
    const std::uint64_t hash = XXH3_64bits(row->line.data(), row->line.size());
    const auto [from, to] = seen.equal_range(hash);
    if (std::any_of(from, to, [&](const auto& item) { return same_content(first[item.second], *row); })) continue;
    seen.emplace(hash, static_cast<std::size_t>(out - first));
    *out++ = *row;
  }
  return out;
}

/// Chunks of each stream, streams in the order of their labels so that alike ones stand together.
std::map<std::string_view, std::vector<const SealedChunk*>> by_stream(std::span<const SealedChunk> chunks) {
  std::map<std::string_view, std::vector<const SealedChunk*>> streams;
  for (const auto& chunk : chunks) streams[chunk.slot->identity->text].push_back(&chunk);
  return streams;
}

std::vector<EntryView> rows_of(std::span<const SealedChunk* const> chunks) {
  std::vector<EntryView> rows;
  bool in_order = chunks.size() == 1;
  for (const SealedChunk* item : chunks) {
    const auto& summary = item->chunk->summary();
    in_order = in_order && summary.in_order;
    for (std::uint32_t i = 0; i < summary.rows; ++i) rows.push_back(item->chunk->row(i));
  }
  if (!in_order) order_rows(rows);
  return rows;
}

SegmentInfo info_of(std::uint64_t id, const chunks::SegmentSummary& summary, std::span<const SealedChunk> chunks) {
  SegmentInfo info{.id = id, .rows = summary.rows, .line_bytes = summary.line_bytes, .file_bytes = summary.file_bytes,
                   .first = summary.first, .last = summary.last};
  info.first_sequence = UINT64_MAX;
  for (const auto& item : chunks) {
    info.first_sequence = std::min(info.first_sequence, item.chunk->summary().first_sequence);
    info.last_sequence = std::max(info.last_sequence, item.chunk->summary().last_sequence);
  }
  return info;
}

}  // namespace

Result<void> add_in_blocks(chunks::SegmentWriter& writer, const Labels& labels, std::span<const EntryView> rows,
                           std::uint64_t block_bytes) {
  std::uint64_t left = 0;
  for (const auto& row : rows) left += row.line.size();
  while (!rows.empty()) {
    const std::uint64_t blocks = std::max<std::uint64_t>(1, (left + block_bytes / 2) / block_bytes);
    const std::uint64_t target = blocks == 1 ? left : left / blocks;
    std::uint64_t bytes = 0;
    std::size_t n = 0;
    while (n < rows.size() && (n == 0 || bytes < target ||
                               (rows[n].timestamp == rows[n - 1].timestamp && bytes < target + block_bytes / 4))) {
      bytes += rows[n++].line.size();
    }
    if (blocks == 1) n = rows.size();
    KVASIR_CHECK_OK(writer.add(labels, rows.first(n)));
    rows = rows.subspan(n);
    left -= std::min(left, bytes);
  }
  return {};
}

void order_rows(std::vector<EntryView>& rows) {
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.position() < b.position(); });
  auto out = rows.begin();
  for (auto row = rows.begin(); row != rows.end();) {
    const auto next = std::find_if(row, rows.end(), [&](const auto& r) { return r.timestamp != row->timestamp; });
    if (next - row == 1) {
      *out++ = *row;
    } else {
      out = keep_distinct(row, next, out);
    }
    row = next;
  }
  rows.erase(out, rows.end());
}

Result<FlushOutcome> flush_chunks(TenantHead& head, std::span<const SealedChunk> chunks, Filesystem& filesystem,
                                  std::uint32_t block_bytes) {
  TenantStorage& storage = head.storage();
  KVASIR_CHECK_OK(storage.prepare_folder());
  const std::uint64_t id = storage.next_segment_id();
  chunks::SegmentWriter writer(filesystem, storage.segment_path(id), {.block_bytes = 2 * block_bytes});
  for (const auto& [text, parts] : by_stream(chunks)) {
    KVASIR_CHECK_OK(add_in_blocks(writer, parts.front()->slot->identity->labels, rows_of(parts), block_bytes));
  }
  KVASIR_TRY(const auto summary, writer.finish_file());
  FlushOutcome outcome{info_of(id, summary, chunks), summary.verify_failures};
  ManifestEdit edit;
  edit.added.push_back(outcome.info);
  KVASIR_CHECK_OK(storage.commit(edit, [&] { head.drop_flushed(chunks); }));
  return outcome;
}

}  // namespace kvasir::ingest
