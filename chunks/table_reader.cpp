#include "chunks/table_reader.h"

#include <algorithm>
#include <cstring>

#include "chunks/int_codec.h"
#include "chunks/limits.h"

namespace kvasir::chunks {
namespace {

Error damaged(std::string_view what) { return Error(ErrorCode::kCorruption, "table damaged: " + std::string(what)); }

std::uint32_t uses_of(const RowTemplate& row, std::uint16_t column) {
  return static_cast<std::uint32_t>(std::count(row.columns.begin(), row.columns.end(), column));
}

/// Output for built rows: pieces of the arena large enough for the next row.
class RowBuffer {
 public:
  explicit RowBuffer(Arena& arena) : arena_(arena) {}
  char* room_for(std::size_t bytes) {
    if (bytes > left_ || next_ == nullptr) {
      constexpr std::size_t kPiece = 256 << 10;
      left_ = std::max(bytes, kPiece);
      next_ = arena_.allocate(left_);
    }
    return next_;
  }
  void take(std::size_t bytes) { next_ += bytes, left_ -= bytes; }

 private:
  Arena& arena_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace

bool TableReader::parse(ByteReader& meta, std::size_t rows, unsigned depth, BlockContext& context) {
  context_ = &context;
  rows_ = rows;
  if (!parse_templates(meta)) return false;
  ids_part_ = context.parts->describe(meta);
  return meta.ok() && parse_columns(meta, depth);
}

bool TableReader::parse_templates(ByteReader& meta) {
  const std::uint64_t count = meta.count(3);
  if (count == 0 || count > kTemplatesMax) return false;
  templates_.resize(count);
  std::uint64_t rows = 0;
  for (RowTemplate& row : templates_) {
    const std::uint64_t in_template = meta.varint();
    const std::uint64_t variables = meta.count(2);
    if (in_template > rows_ || variables > kSlotsMax) return false;
    row.rows = static_cast<std::uint32_t>(in_template);
    rows += in_template;
    for (std::uint64_t i = 0; i <= variables; ++i) {
      row.fixed.push_back(meta.sized());
      row.fixed_bytes += row.fixed.back().size();
      if (i == variables) break;
      const std::uint64_t column = meta.varint();
      if (column >= kColumnsMax) return false;
      row.columns.push_back(static_cast<std::uint16_t>(column));
    }
  }
  return meta.ok() && rows == rows_;
}

void TableReader::count_values(std::vector<std::uint64_t>& values) const {
  for (const RowTemplate& row : templates_) {
    for (const auto column : row.columns) values[column] += row.rows;
  }
}

bool TableReader::parse_columns(ByteReader& meta, unsigned depth) {
  const std::uint64_t count = meta.count(1);
  if (count == 0 || count > kColumnsMax) return false;
  std::vector<std::uint64_t> values(kColumnsMax);
  count_values(values);
  for (std::size_t c = count; c < kColumnsMax; ++c) {
    if (values[c] != 0) return false;
  }
  columns_.resize(count);
  starts_.resize(count);
  row_for_row_.resize(count);
  for (std::uint16_t c = 0; c < count; ++c) {
    const std::string_view key = meta.sized();
    if (values[c] > std::uint64_t{kBlockRowsMax} * kSlotsMax) return false;
    if (!columns_[c].parse(meta, key, values[c], depth, *context_)) return false;
    row_for_row_[c] = std::all_of(templates_.begin(), templates_.end(),
                                  [c](const RowTemplate& row) { return row.rows == 0 || uses_of(row, c) == 1; });
  }
  return meta.ok();
}

std::size_t TableReader::stored_bytes() const {
  std::size_t bytes = ids_part_.stored.size();
  for (const ColumnReader& column : columns_) bytes += column.stored_bytes();
  return bytes;
}

Result<std::span<const std::uint16_t>> TableReader::template_ids() {
  if (!ids_.empty() || rows_ == 0) return std::span<const std::uint16_t>(ids_);
  KVASIR_TRY(std::string_view packed, context_->parts->load(ids_part_));
  std::vector<std::int64_t> ids(rows_);
  if (!decode_ints(packed, ids) || !packed.empty()) return fail(damaged("template ids"));
  std::vector<std::uint32_t> seen(templates_.size());
  std::vector<std::uint16_t> narrow(rows_);
  for (std::size_t row = 0; row < rows_; ++row) {
    if (static_cast<std::uint64_t>(ids[row]) >= templates_.size()) return fail(damaged("template id"));
    narrow[row] = static_cast<std::uint16_t>(ids[row]);
    ++seen[narrow[row]];
  }
  for (std::size_t t = 0; t < templates_.size(); ++t) {
    if (seen[t] != templates_[t].rows) return fail(damaged("template counts"));
  }
  ids_ = std::move(narrow);
  return std::span<const std::uint16_t>(ids_);
}

Result<std::span<const std::uint32_t>> TableReader::value_starts(std::uint16_t column) {
  auto& starts = starts_[column];
  if (is_row_for_row(column) || !starts.empty()) return std::span<const std::uint32_t>(starts);
  KVASIR_TRY(const auto ids, template_ids());
  std::vector<std::uint32_t> uses(templates_.size());
  for (std::size_t t = 0; t < uses.size(); ++t) uses[t] = uses_of(templates_[t], column);
  starts.resize(rows_ + 1);
  std::uint32_t at = 0;
  for (std::size_t row = 0; row < rows_; ++row) {
    starts[row] = at;
    at += uses[ids[row]];
  }
  starts[rows_] = at;
  return std::span<const std::uint32_t>(starts);
}

Result<ColumnReader*> TableReader::column(std::uint16_t c) {
  ColumnReader& column = columns_[c];
  if (column.is_loaded()) return &column;
  std::span<const std::int64_t> times = times_;
  if (column.wants_times() && !is_row_for_row(c)) {
    if (times_.size() != rows_) return fail(damaged("no timestamps"));
    KVASIR_TRY(const auto starts, value_starts(c));
    auto& mapped = value_times_.emplace_back(column.count());
    for (std::size_t row = 0; row < rows_; ++row) {
      for (std::uint32_t i = starts[row]; i < starts[row + 1]; ++i) mapped[i] = times_[row];
    }
    times = mapped;
  }
  KVASIR_CHECK_OK(column.load(times));
  return &column;
}

Result<void> TableReader::load_columns_for(ConstRowBits rows, std::span<const std::uint16_t> ids) {
  std::vector<bool> wanted(templates_.size());
  for (std::size_t row = 0; row < rows_; ++row) {
    if (rows.test(row)) wanted[ids[row]] = true;
  }
  for (std::size_t t = 0; t < templates_.size(); ++t) {
    if (!wanted[t]) continue;
    for (const auto c : templates_[t].columns) {
      KVASIR_TRY(ColumnReader* const loaded, column(c));
      KVASIR_CHECK_OK(loaded->prepare_texts());
    }
  }
  return {};
}

std::uint64_t TableReader::memory_bytes() const {
  std::uint64_t bytes = ids_.capacity() * sizeof(std::uint16_t);
  for (const RowTemplate& row : templates_) {
    bytes +=
        sizeof row + row.fixed.capacity() * sizeof(std::string_view) + row.columns.capacity() * sizeof(std::uint16_t);
  }
  for (const ColumnReader& column : columns_) bytes += column.memory_bytes();
  for (const auto& starts : starts_) bytes += sizeof starts + starts.capacity() * sizeof(std::uint32_t);
  for (const auto& times : value_times_) bytes += sizeof times + times.capacity() * sizeof(std::int64_t);
  return bytes;
}

Result<void> TableReader::build(ConstRowBits rows, std::span<std::string_view> out, Arena& arena) {
  KVASIR_TRY(const auto ids, template_ids());
  KVASIR_CHECK_OK(load_columns_for(rows, ids));
  std::vector<std::size_t> bytes_max(templates_.size());
  for (std::size_t t = 0; t < templates_.size(); ++t) {
    bytes_max[t] = templates_[t].fixed_bytes;
    for (const auto c : templates_[t].columns) bytes_max[t] += columns_[c].text_bytes_max();
  }
  std::vector<std::uint32_t> next(columns_.size());
  RowBuffer buffer(arena);
  for (std::size_t row = 0; row < rows_; ++row) {
    const RowTemplate& shape = templates_[ids[row]];
    if (!rows.test(row)) {
      for (const auto c : shape.columns) ++next[c];
      continue;
    }
    char* const begin = buffer.room_for(bytes_max[ids[row]]);
    char* p = begin;
    for (std::size_t i = 0; i < shape.columns.size(); ++i) {
      const std::string_view fixed = shape.fixed[i];
      std::memcpy(p, fixed.data(), fixed.size());
      p += fixed.size();
      p += columns_[shape.columns[i]].write_text(next[shape.columns[i]]++, p);
    }
    const std::string_view last = shape.fixed.back();
    std::memcpy(p, last.data(), last.size());
    p += last.size();
    out[row] = std::string_view(begin, static_cast<std::size_t>(p - begin));
    buffer.take(out[row].size());
  }
  return {};
}

Result<void> TableReader::lengths(std::span<std::uint32_t> out) {
  KVASIR_TRY(const auto ids, template_ids());
  for (std::size_t row = 0; row < rows_; ++row) out[row] = static_cast<std::uint32_t>(templates_[ids[row]].fixed_bytes);
  std::vector<std::uint32_t> lengths;
  for (std::uint16_t c = 0; c < columns_.size(); ++c) {
    if (columns_[c].count() == 0) continue;
    KVASIR_TRY(ColumnReader* const loaded, column(c));
    lengths.resize(loaded->count());
    KVASIR_CHECK_OK(loaded->text_lengths(lengths));
    KVASIR_TRY(const auto starts, value_starts(c));
    for (std::size_t row = 0; row < rows_; ++row) {
      if (starts.empty()) {
        out[row] += lengths[row];
        continue;
      }
      for (std::uint32_t i = starts[row]; i < starts[row + 1]; ++i) out[row] += lengths[i];
    }
  }
  return {};
}

}  // namespace kvasir::chunks
