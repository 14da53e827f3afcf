#include "chunks/segment_index.h"

#include <algorithm>
#include <functional>

#include "chunks/compression.h"
#include "chunks/id_filter.h"
#include "chunks/int_codec.h"
#include "chunks/limits.h"
#include "common/crc32c.h"

namespace kvasir::chunks {
namespace {

constexpr std::uint64_t kIndexBytesMax = 1ull << 30;

Error damaged(std::string_view what) { return Error(ErrorCode::kCorruption, "segment damaged: " + std::string(what)); }

/// A column of the block table: how to get and set it.
struct BlockField {
  std::function<std::int64_t(const BlockEntry&)> get;
  std::function<void(BlockEntry&, std::int64_t)> set;
};

template <class T>
BlockField field(T BlockEntry::* member) {
  return {[member](const BlockEntry& b) { return static_cast<std::int64_t>(b.*member); },
          [member](BlockEntry& b, std::int64_t v) { b.*member = static_cast<T>(v); }};
}

BlockField time_field(EntryPosition BlockEntry::* position) {
  return {[position](const BlockEntry& b) { return (b.*position).timestamp.value; },
          [position](BlockEntry& b, std::int64_t v) { (b.*position).timestamp.value = v; }};
}

BlockField sequence_field(EntryPosition BlockEntry::* position) {
  return {[position](const BlockEntry& b) { return static_cast<std::int64_t>((b.*position).sequence); },
          [position](BlockEntry& b, std::int64_t v) { (b.*position).sequence = static_cast<std::uint64_t>(v); }};
}

/// In the order in which they are stored; levels follow.
std::vector<BlockField> block_fields() {
  std::vector<BlockField> fields = {
      field(&BlockEntry::stream),     field(&BlockEntry::rows),           time_field(&BlockEntry::first),
      time_field(&BlockEntry::last),  sequence_field(&BlockEntry::first), sequence_field(&BlockEntry::last),
      field(&BlockEntry::line_bytes), field(&BlockEntry::offset),         field(&BlockEntry::stored_bytes),
      field(&BlockEntry::encoding),   field(&BlockEntry::flags),          field(&BlockEntry::token_lengths)};
  for (std::size_t level = 0; level < kLevelCount; ++level) {
    fields.push_back({[level](const BlockEntry& b) { return std::int64_t{b.levels[level]}; },
                      [level](BlockEntry& b, std::int64_t v) { b.levels[level] = static_cast<std::uint32_t>(v); }});
  }
  return fields;
}

void write_streams(const std::vector<SegmentStream>& streams, std::string& out) {
  ByteWriter writer(out);
  writer.varint(streams.size());
  for (const SegmentStream& stream : streams) {
    writer.varint(stream.labels.size());
    for (const Label& label : stream.labels) {
      writer.sized(label.name);
      writer.sized(label.value);
    }
  }
}

bool read_streams(ByteReader& reader, std::vector<SegmentStream>& streams) {
  streams.resize(std::min<std::uint64_t>(reader.count(1), kStreamsMax));
  for (SegmentStream& stream : streams) {
    std::vector<Label> pairs;
    for (std::uint64_t n = reader.count(2); n > 0; --n) {
      const std::string_view name = reader.sized();
      const std::string_view value = reader.sized();
      if (!pairs.empty() && name <= pairs.back().name) return false;
      pairs.push_back({std::string(name), std::string(value)});
    }
    stream.labels = Labels::from_sorted(std::move(pairs));
    stream.fingerprint = stream.labels.fingerprint();
  }
  return reader.ok();
}

void write_blocks(const SegmentIndex& index, std::string& out) {
  ByteWriter(out).varint(index.blocks.size());
  std::vector<std::int64_t> column(index.blocks.size());
  for (const BlockField& field : block_fields()) {
    std::transform(index.blocks.begin(), index.blocks.end(), column.begin(), field.get);
    encode_ints(column, out);
  }
  for (const BlockField& field :
       {field(&BlockEntry::part), field(&BlockEntry::first_row), field(&BlockEntry::metadata_bytes)}) {
    std::transform(index.blocks.begin(), index.blocks.end(), column.begin(), field.get);
    encode_ints(column, out);
  }
  ByteWriter(out).varint(index.parts());
  column.assign(index.slot_shifts.begin(), index.slot_shifts.end());
  encode_ints(column, out);
  column.assign(index.filter_ends.begin(), index.filter_ends.end());
  encode_ints(column, out);
}

/// From version 2 on, behind the fields of the blocks; gives the number of parts, 0 on damage.
std::uint64_t read_slices(std::string_view& rest, SegmentIndex& index) {
  std::vector<std::int64_t> column(index.blocks.size());
  std::vector<BlockField> fields = {field(&BlockEntry::part), field(&BlockEntry::first_row)};
  if (index.major > kSegmentMajorShared) fields.push_back(field(&BlockEntry::metadata_bytes));
  for (const BlockField& member : fields) {
    if (!decode_ints(rest, column)) return 0;
    for (std::size_t b = 0; b < column.size(); ++b) member.set(index.blocks[b], column[b]);
  }
  ByteReader reader(rest);
  const std::uint64_t parts = reader.varint();
  rest = reader.rest();
  return reader.ok() && parts <= index.blocks.size() ? parts : 0;
}

bool read_blocks(ByteReader& reader, SegmentIndex& index) {
  const std::uint64_t count = reader.varint();
  if (!reader.ok() || count == 0 || count > kBlocksMax) return false;
  std::vector<std::int64_t> column(count);
  std::string_view rest = reader.rest();
  index.blocks.resize(count);
  for (const BlockField& field : block_fields()) {
    if (!decode_ints(rest, column)) return false;
    for (std::size_t b = 0; b < count; ++b) field.set(index.blocks[b], column[b]);
  }
  if (index.major <= kSegmentMajorShared) {
    for (BlockEntry& block : index.blocks) block.metadata_bytes = metadata_bytes_of(block.levels);
  }
  if (index.major >= kSegmentMajorShared) {
    const std::uint64_t parts = read_slices(rest, index);
    if (parts == 0) return false;
    column.resize(parts);
  } else {
    for (std::size_t b = 0; b < count; ++b) index.blocks[b].part = static_cast<std::uint32_t>(b);
  }
  index.slot_shifts.resize(column.size());
  if (index.major > kSegmentMajorShared) {
    if (!decode_ints(rest, column)) return false;
    index.slot_shifts.assign(column.begin(), column.end());
  }
  if (!decode_ints(rest, column)) return false;
  index.filter_ends.assign(column.begin(), column.end());
  reader = ByteReader(rest);
  return true;
}

void write_region(const Region& region, ByteWriter& writer) {
  writer.varint(region.offset);
  writer.varint(region.bytes);
  writer.fixed(region.crc);
}

Region read_region(ByteReader& reader) {
  Region region;
  region.offset = reader.varint();
  region.bytes = reader.varint();
  region.crc = reader.fixed<std::uint32_t>();
  return region;
}

bool region_fits(const Region& region, std::uint64_t limit) {
  return region.offset <= limit && region.bytes <= limit - region.offset;
}

bool block_is_sane(const BlockEntry& block, std::size_t streams, std::uint64_t limit) {
  return block.stream < streams && block.rows > 0 && block.rows <= kBlockRowsMax && block.offset <= limit &&
         block.stored_bytes <= limit - block.offset && block.first <= block.last;
}

bool blocks_are_sane(const SegmentIndex& index, std::uint64_t limit) {
  std::vector<const BlockEntry*> first_of_part(index.parts());
  for (std::size_t b = 0; b < index.blocks.size(); ++b) {
    const BlockEntry& block = index.blocks[b];
    if (!block_is_sane(block, index.streams.size(), limit) || block.part >= index.parts()) return false;
    const BlockEntry*& first = first_of_part[block.part];
    if (first == nullptr) first = &block;
    if (first->offset != block.offset || first->stored_bytes != block.stored_bytes) return false;
    if (b == 0) continue;
    const BlockEntry& before = index.blocks[b - 1];
    if (before.stream > block.stream || (before.stream == block.stream && before.first > block.first)) return false;
  }
  const bool all_used = std::find(first_of_part.begin(), first_of_part.end(), nullptr) == first_of_part.end();
  return all_used && std::is_sorted(index.filter_ends.begin(), index.filter_ends.end()) &&
         index.filter_ends.back() <= index.filters.bytes / kFilterBucketBytes;
}

}  // namespace

void append_segment_header(std::string& out) {
  ByteWriter writer(out);
  writer.raw(kSegmentMagic);
  writer.fixed(kSegmentMajor);
  writer.fixed(kSegmentMinor);
  writer.fixed(std::uint64_t{0});
}

void append_segment_index(const SegmentIndex& index, std::uint64_t offset, std::string& out) {
  std::string raw;
  write_streams(index.streams, raw);
  write_blocks(index, raw);
  ByteWriter writer(raw);
  write_region(index.ids, writer);
  write_region(index.filters, writer);
  write_region(index.trigrams, writer);
  write_id_entries(index.id_entries, raw);

  const std::size_t before = out.size();
  zstd_append(raw, out);
  std::string footer;
  ByteWriter foot(footer);
  foot.fixed(offset);
  foot.fixed(static_cast<std::uint64_t>(out.size() - before));
  foot.fixed(static_cast<std::uint64_t>(raw.size()));
  foot.fixed(crc32c(std::string_view(out).substr(before)));
  foot.fixed(kSegmentMajor);
  foot.fixed(kSegmentMinor);
  footer.resize(kFooterBytes - 12);  // reserved, zero
  foot.fixed(crc32c(footer));
  foot.raw(kFooterMagic);
  out.append(footer);
}

Result<SegmentIndex> read_segment_index(std::string_view file) {
  if (file.size() < kHeaderBytes + kFooterBytes || file.size() > kSegmentBytesMax)
    return fail(damaged("impossible size"));
  if (!file.starts_with(kSegmentMagic) || !file.ends_with(kFooterMagic)) return fail(damaged("no segment magic"));
  ByteReader header(file.substr(kSegmentMagic.size()));
  const auto major = header.fixed<std::uint16_t>();
  if (major < kSegmentMajorFirst || major > kSegmentMajor)
    return fail(ErrorCode::kUnsupported, "segment of format version " + std::to_string(major) +
                                             ": this program reads 1 to " + std::to_string(kSegmentMajor));
  const auto minor = header.fixed<std::uint16_t>();
  if (header.fixed<std::uint64_t>() != 0) return fail(damaged("header"));
  const std::string_view footer = file.substr(file.size() - kFooterBytes);
  ByteReader foot(footer);
  const auto offset = foot.fixed<std::uint64_t>();
  const auto stored = foot.fixed<std::uint64_t>();
  const auto raw_bytes = foot.fixed<std::uint64_t>();
  const auto crc = foot.fixed<std::uint32_t>();
  std::uint32_t footer_crc;
  std::memcpy(&footer_crc, footer.data() + kFooterBytes - 12, 4);
  if (crc32c(footer.substr(0, kFooterBytes - 12)) != footer_crc) return fail(damaged("footer checksum"));
  if (foot.fixed<std::uint16_t>() != major || foot.fixed<std::uint16_t>() != minor)
    return fail(damaged("header and footer name different versions"));
  const std::uint64_t limit = file.size() - kFooterBytes;
  if (offset < kHeaderBytes || offset > limit || stored != limit - offset || raw_bytes > kIndexBytesMax)
    return fail(damaged("index place"));
  const std::string_view frame = file.substr(offset, stored);
  if (crc32c(frame) != crc) return fail(damaged("index checksum"));
  std::string raw(raw_bytes, '\0');
  if (!zstd_expand(frame, raw.data(), raw.size())) return fail(damaged("index frame"));

  SegmentIndex index;
  index.major = major;
  ByteReader reader(raw);
  if (!read_streams(reader, index.streams) || !read_blocks(reader, index))
    return fail(damaged("index tables"));
  index.ids = read_region(reader);
  index.filters = read_region(reader);
  index.trigrams = read_region(reader);
  for (const Region& region : {index.ids, index.filters, index.trigrams}) {
    if (!reader.ok() || !region_fits(region, offset)) return fail(damaged("region place"));
  }
  std::string_view rest = reader.rest();
  if (!read_id_entries(rest, index.ids.bytes, index.parts(), index.id_entries) || !rest.empty())
    return fail(damaged("id table"));
  if (!blocks_are_sane(index, offset)) return fail(damaged("block table"));
  return index;
}

}  // namespace kvasir::chunks
