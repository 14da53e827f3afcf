#include "chunks/block_encoder.h"

#include <deque>
#include <vector>

#include "chunks/column_type.h"
#include "chunks/compression.h"
#include "chunks/int_codec.h"
#include "chunks/metadata_pairs.h"
#include "chunks/table_writer.h"
#include "common/crc32c.h"

namespace kvasir::chunks {
namespace {

std::size_t write_ints(std::span<const std::int64_t> values, TableTarget& target) {
  std::string packed;
  encode_ints(values, packed);
  target.parts.dense(packed, target.meta);
  return packed.size();
}

struct Positions {
  std::vector<std::int64_t> times;
  std::size_t bytes = 0;  // stored
};

Positions write_positions(std::span<const EntryView> rows, TableTarget& target) {
  std::vector<std::int64_t> times(rows.size()), sequences(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    times[i] = rows[i].timestamp.value;
    sequences[i] = static_cast<std::int64_t>(rows[i].sequence);
  }
  std::string packed;  // every query reads the times, so they are kept quick to read
  encode_ints_fast(times, packed);
  target.parts.dense(packed, target.meta);
  const std::size_t bytes = packed.size() + write_ints(sequences, target);
  return {std::move(times), bytes};
}

void write_rows(std::span<const EntryView> rows, TableTarget& target) {
  std::vector<std::int64_t> lengths(rows.size());
  std::string bytes;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    lengths[i] = static_cast<std::int64_t>(rows[i].line.size());
    bytes.append(rows[i].line);
  }
  target.meta.fixed(static_cast<std::uint8_t>(TextsType::kPlain));
  write_ints(lengths, target);
  target.parts.text(bytes, target.meta);
}

void write_metadata(std::span<const EntryView> rows, std::span<const std::int64_t> times, TableTarget& target) {
  bool any = false;
  for (const EntryView& row : rows) any = any || !row.metadata.empty();
  target.meta.fixed(static_cast<std::uint8_t>(any));
  if (!any) return;
  TableBuilder table;
  std::vector<std::string_view> names, values;
  std::deque<std::string> odd;  // rows whose names fit no template; views point here until the table is written
  for (const EntryView& row : rows) {
    names.clear();
    values.clear();
    for (const LabelView& pair : row.metadata) {
      names.push_back(pair.name);
      values.push_back(pair.value);
    }
    if (!table.add_named(names, values)) table.add_whole(odd.emplace_back(join_pairs(row.metadata)));
  }
  write_table(table, times, 0, target);
}

}  // namespace

std::size_t encode_block(std::span<const EntryView> rows, Encoding encoding, PendingIdStore& ids, std::string& out,
                         LineFactsBuilder* facts) {
  std::string meta_bytes;
  ByteWriter meta(meta_bytes);
  PartWriter parts;
  TableTarget target{meta, parts, ids, facts};
  const auto [times, position_bytes] = write_positions(rows, target);
  if (encoding == Encoding::kRows) {
    write_rows(rows, target);
  } else {
    static thread_local TableBuilder table;
    table.start();
    for (const EntryView& row : rows) table.add(row.line);
    write_table(table, times, 0, target);
    if (facts != nullptr) facts->finish(table, rows);
  }
  const std::size_t line_slots = ids.size();
  write_metadata(rows, times, target);
  ids.set_hashed(line_slots);  // tokens of metadata are found in the rows

  std::string frames, head;
  zstd_append(meta_bytes, frames);
  const std::size_t meta_stored = frames.size();
  if (!parts.small().empty()) zstd_append(parts.small(), frames);
  ByteWriter writer(head);
  writer.fixed(static_cast<std::uint8_t>(encoding));
  writer.varint(rows.size());
  writer.varint(meta_bytes.size());
  writer.varint(meta_stored);
  writer.varint(parts.small().size());
  writer.varint(frames.size() - meta_stored);
  head.append(frames);
  ByteWriter(out).fixed(crc32c(head));
  out.append(head);
  out.append(parts.area());
  return position_bytes;
}

}  // namespace kvasir::chunks
