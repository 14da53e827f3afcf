// table_reader.h -- a table of an opened block: rows made of templates and columns.
//
// Lifetime: rows and texts live as long as the arena of the block.
// Threads:  one at a time.
// Errors:   corruption.
// Source:   docs/formats/segment-v1.md section 5.1.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "chunks/block.h"
#include "chunks/column_reader.h"

namespace kvasir::chunks {

struct RowTemplate {
  std::uint32_t rows = 0;
  std::vector<std::string_view> fixed;  // one more than columns: before, between and after the variables
  std::vector<std::uint16_t> columns;
  std::size_t fixed_bytes = 0;
};

class TableReader {
 public:
  /// False: META is damaged.
  bool parse(ByteReader& meta, std::size_t rows, unsigned depth, BlockContext& context);
  /// Entry timestamps of the rows; must live as long as this.
  void set_times(std::span<const std::int64_t> times) { times_ = times; }

  std::size_t rows() const { return rows_; }
  const std::vector<RowTemplate>& templates() const { return templates_; }
  std::size_t column_count() const { return columns_.size(); }
  const ColumnReader& column_head(std::uint16_t column) const { return columns_[column]; }

  /// Bytes in the block, without ids and short texts; for inspection.
  std::size_t stored_bytes() const;
  /// What was decoded by now, without what lies in the arena of the block.
  std::uint64_t memory_bytes() const;

  /// Template of each row; checked against the counts in META.
  Result<std::span<const std::uint16_t>> template_ids();
  /// Loads the column with what it needs.
  Result<ColumnReader*> column(std::uint16_t column);
  /// For each row the number of the first value it has in the column; one more item than rows. Empty: value i belongs
  /// to row i.
  Result<std::span<const std::uint32_t>> value_starts(std::uint16_t column);
  /// The columns whose values are, one for one, the rows.
  bool is_row_for_row(std::uint16_t column) const { return row_for_row_[column]; }

  /// Fills out[row] for every set row with text in `arena`.
  Result<void> build(ConstRowBits rows, std::span<std::string_view> out, Arena& arena);
  /// Byte length of every row.
  Result<void> lengths(std::span<std::uint32_t> out);

 private:
  bool parse_templates(ByteReader& meta);
  bool parse_columns(ByteReader& meta, unsigned depth);
  void count_values(std::vector<std::uint64_t>& values) const;
  Result<void> load_columns_for(ConstRowBits rows, std::span<const std::uint16_t> ids);

  BlockContext* context_ = nullptr;
  std::size_t rows_ = 0;
  std::vector<RowTemplate> templates_;
  Part ids_part_;
  std::vector<std::uint16_t> ids_;
  std::vector<ColumnReader> columns_;
  std::vector<bool> row_for_row_;
  std::vector<std::vector<std::uint32_t>> starts_;
  std::deque<std::vector<std::int64_t>> value_times_;
  std::span<const std::int64_t> times_;
};

}  // namespace kvasir::chunks
