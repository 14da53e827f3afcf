#include "chunks/stored_block.h"

#include <algorithm>

#include "chunks/compression.h"
#include "chunks/int_codec.h"
#include "chunks/limits.h"
#include "chunks/literal_search.h"
#include "chunks/metadata_pairs.h"
#include "chunks/pattern_reader.h"
#include "common/crc32c.h"

namespace kvasir::chunks {
namespace {

Error damaged(std::string_view what) { return Error(ErrorCode::kCorruption, "block damaged: " + std::string(what)); }

struct Head {
  std::uint64_t rows, meta_raw, meta_stored, small_raw, small_stored;
};

}  // namespace

Result<std::unique_ptr<StoredBlock>> StoredBlock::open(std::string_view stored, IdSlots ids,
                                                       std::shared_ptr<const void> owner, RowOrder order) {
  ByteReader reader(stored);
  const auto crc = reader.fixed<std::uint32_t>();
  const std::string_view body = reader.rest();
  const auto encoding = reader.fixed<std::uint8_t>();
  Head head{reader.varint(), reader.varint(), reader.varint(), reader.varint(), reader.varint()};
  const std::string_view meta_frame = reader.raw(head.meta_stored);
  const std::string_view small_frame = reader.raw(head.small_stored);
  if (!reader.ok()) return fail(damaged("short header"));
  if (crc32c(body.substr(0, body.size() - reader.remaining())) != crc) return fail(damaged("header checksum"));
  if (encoding > static_cast<std::uint8_t>(Encoding::kColumns)) {
    return fail(ErrorCode::kUnsupported, "block encoding of a newer version: " + std::to_string(encoding));
  }
  if (head.rows == 0 || head.rows > kBlockRowsMax || head.meta_raw > kPartBytesMax)
    return fail(damaged("header sizes"));

  std::unique_ptr<StoredBlock> block(new StoredBlock());
  block->owner_ = std::move(owner);
  block->encoding_ = static_cast<Encoding>(encoding);
  block->rows_ = head.rows;
  block->meta_bytes_ = head.meta_raw;
  block->context_.ids = ids.source;
  block->context_.slot_shift = ids.shift;
  block->context_.parts.emplace(small_frame, head.small_raw, reader.rest(), block->context_.arena);
  char* const meta = block->context_.arena.allocate(head.meta_raw);
  if (!zstd_expand(meta_frame, meta, head.meta_raw)) return fail(damaged("meta frame"));
  ByteReader described(std::string_view(meta, head.meta_raw));
  block->times_part_ = block->context_.parts->describe(described);
  block->sequences_part_ = block->context_.parts->describe(described);
  if (!described.ok()) return fail(damaged("meta"));
  block->tables_meta_ = described.rest();
  KVASIR_CHECK_OK(block->load_times(order));
  return block;
}

Result<void> StoredBlock::check_parts() {
  KVASIR_CHECK_OK(context_.parts->load(sequences_part_));
  context_.parts->check_described();
  return tables() ? Result<void>() : Result<void>(fail(damaged("checksum of a part")));
}

Result<StoredBlock::Tables*> StoredBlock::tables() const {
  if (tables_ != nullptr) return tables_.get();
  if (tables_damaged_) return fail(damaged("meta"));
  auto made = std::make_unique<Tables>();
  ByteReader reader(tables_meta_);
  tables_damaged_ = !parse_tables(reader, *made);
  if (tables_damaged_) return fail(damaged("meta"));
  tables_ = std::move(made);
  return tables_.get();
}

bool StoredBlock::parse_tables(ByteReader& meta, Tables& out) const {
  if (encoding_ == Encoding::kRows) {
    // A list of lines is never a nested table here.
    if (!out.texts.parse(meta, rows_, kTableDepthMax, context_)) return false;
  } else {
    out.lines.emplace();
    if (!out.lines->parse(meta, rows_, 0, context_)) return false;
    out.lines->set_times(times_);
  }
  if (meta.fixed<std::uint8_t>() != 0) {
    out.metadata.emplace();
    if (!out.metadata->parse(meta, rows_, 0, context_)) return false;
    out.metadata->set_times(times_);
  }
  return meta.ok() && meta.at_end();
}

TableReader* StoredBlock::line_table() const {
  const auto found = tables();
  return found && (*found)->lines ? &*(*found)->lines : nullptr;
}

TableReader* StoredBlock::metadata_table() const {
  const auto found = tables();
  return found && (*found)->metadata ? &*(*found)->metadata : nullptr;
}

/// The lines of a block without columns.
Result<std::span<const std::string_view>> StoredBlock::plain_lines() {
  KVASIR_TRY(Tables* const found, tables());
  KVASIR_CHECK_OK(found->texts.load({}));
  return found->texts.texts();
}

Result<void> StoredBlock::load_times(RowOrder order) {
  KVASIR_TRY(std::string_view packed, context_.parts->load(times_part_));
  times_.resize(rows_);
  if (!decode_ints(packed, times_) || !packed.empty()) return fail(damaged("timestamps"));
  if (order == RowOrder::kByTime && !std::is_sorted(times_.begin(), times_.end()))
    return fail(damaged("timestamps out of order"));
  return {};
}

Result<std::span<const std::uint64_t>> StoredBlock::sequences() {
  if (sequences_.empty()) {
    KVASIR_TRY(std::string_view packed, context_.parts->load(sequences_part_));
    std::vector<std::int64_t> values(rows_);
    if (!decode_ints(packed, values) || !packed.empty()) return fail(damaged("sequences"));
    sequences_.assign(values.begin(), values.end());
  }
  return std::span<const std::uint64_t>(sequences_);
}

Result<std::span<const std::uint32_t>> StoredBlock::line_lengths() {
  if (lengths_.empty()) {
    std::vector<std::uint32_t> lengths(rows_);
    if (TableReader* const table = line_table()) {
      KVASIR_CHECK_OK(table->lengths(lengths));
    } else {
      KVASIR_TRY(const auto lines, plain_lines());
      for (std::size_t row = 0; row < rows_; ++row) lengths[row] = static_cast<std::uint32_t>(lines[row].size());
    }
    lengths_ = std::move(lengths);
  }
  return std::span<const std::uint32_t>(lengths_);
}

Result<void> StoredBlock::lines(ConstRowBits rows, std::span<std::string_view> out) {
  if (TableReader* const table = line_table()) return table->build(rows, out, lines_);
  KVASIR_TRY(const auto lines, plain_lines());
  for (std::size_t row = 0; row < rows_; ++row) {
    if (rows.test(row)) out[row] = lines[row];
  }
  return {};
}

bool StoredBlock::pattern_field(std::span<const PatternPart> parts, std::size_t capture, FieldValues& out) {
  TableReader* const table = line_table();
  return table != nullptr && read_pattern(*table, parts, capture, out);
}

std::uint64_t StoredBlock::memory_bytes() const {
  std::uint64_t bytes = sizeof *this + context_.arena.total_bytes() + lines_.total_bytes();
  bytes += times_.capacity() * sizeof(std::int64_t) + sequences_.capacity() * sizeof(std::uint64_t);
  bytes +=
      (lengths_.capacity() + pair_starts_.capacity()) * sizeof(std::uint32_t) + pairs_.capacity() * sizeof(LabelView);
  if (tables_ != nullptr) {
    bytes += sizeof *tables_ + tables_->texts.memory_bytes();
    for (const auto* table : {&tables_->lines, &tables_->metadata}) bytes += *table ? (*table)->memory_bytes() : 0;
  }
  for (const auto& reader : fields_) bytes += reader == nullptr ? 0 : reader->memory_bytes();
  return bytes;
}

Result<std::span<const LabelView>> StoredBlock::metadata(std::size_t row) {
  if (metadata_table() == nullptr) return std::span<const LabelView>();
  if (pair_starts_.empty()) KVASIR_CHECK_OK(load_metadata());
  return std::span<const LabelView>(pairs_).subspan(pair_starts_[row], pair_starts_[row + 1] - pair_starts_[row]);
}

bool StoredBlock::may_have_metadata(std::string_view name) const {
  const TableReader* const metadata = metadata_table();
  if (metadata == nullptr) return false;
  const auto& templates = metadata->templates();
  // The first template holds whole texts: any name may be in there.
  if (!templates.empty() && templates.front().rows > 0) return true;
  return std::any_of(templates.begin(), templates.end(), [&](const RowTemplate& shape) {
    const auto names = std::span(shape.fixed).first(shape.columns.size());
    return shape.rows > 0 && std::find(names.begin(), names.end(), name) != names.end();
  });
}

Result<void> StoredBlock::load_metadata() {
  TableReader& metadata = *metadata_table();
  KVASIR_TRY(const auto ids, metadata.template_ids());
  std::vector<std::span<const std::string_view>> texts(metadata.column_count());
  for (std::uint16_t c = 0; c < texts.size(); ++c) {
    KVASIR_TRY(ColumnReader* const column, metadata.column(c));
    KVASIR_TRY(texts[c], column->all_texts());
  }
  std::vector<std::uint32_t> next(texts.size()), starts;
  std::vector<LabelView> pairs;
  for (std::size_t row = 0; row < rows_; ++row) {
    starts.push_back(static_cast<std::uint32_t>(pairs.size()));
    const RowTemplate& shape = metadata.templates()[ids[row]];
    if (ids[row] == 0) {  // the template of whole texts
      if (shape.columns.size() != 1 || !split_pairs(texts[shape.columns[0]][next[shape.columns[0]]++], pairs))
        return fail(damaged("metadata"));
      continue;
    }
    for (std::size_t i = 0; i < shape.columns.size(); ++i) {
      pairs.push_back({shape.fixed[i], texts[shape.columns[i]][next[shape.columns[i]]++]});
    }
  }
  starts.push_back(static_cast<std::uint32_t>(pairs.size()));
  pairs_ = std::move(pairs);
  pair_starts_ = std::move(starts);
  return {};
}

bool StoredBlock::narrow_literal(std::string_view literal, bool negated, RowBits rows) {
  if (rows.rows != rows_) return false;
  auto hits = rows_holding(literal, rows);
  if (!hits) return false;
  for (std::size_t w = 0; w < rows.words.size(); ++w) rows.words[w] &= negated ? ~(*hits)[w] : (*hits)[w];
  return true;
}

Result<std::vector<std::uint64_t>> StoredBlock::rows_holding(std::string_view literal, RowBits rows) {
  if (literal.empty()) return std::vector<std::uint64_t>(rows.words.size(), ~std::uint64_t{0});
  if (TableReader* const table = line_table()) return rows_with_literal(*table, literal, {rows.words, rows.rows});
  KVASIR_TRY(const auto lines, plain_lines());
  return texts_with_literal((*tables())->texts.joined(), lines, literal);
}

void StoredBlock::narrow_perhaps(std::string_view literal, RowBits rows) { narrow_literal(literal, false, rows); }
FieldReader* StoredBlock::fields(FieldSyntax syntax) {
  TableReader* const table = syntax == FieldSyntax::kMetadata ? metadata_table() : line_table();
  if (table == nullptr) return nullptr;
  auto& reader = fields_[static_cast<std::size_t>(syntax)];
  if (reader == nullptr) reader = std::make_unique<FieldReader>(*table, syntax);
  return reader.get();
}

bool StoredBlock::field(FieldSyntax syntax, std::string_view name, FieldValues& out) {
  FieldReader* const reader = fields(syntax);
  return reader != nullptr && reader->values(name, out);
}

bool StoredBlock::number_field(FieldSyntax syntax, std::string_view name, FieldNumbers& out) {
  FieldReader* const reader = fields(syntax);
  return reader != nullptr && reader->numbers(name, out);
}

}  // namespace kvasir::chunks
