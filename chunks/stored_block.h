// stored_block.h -- the Block over the stored bytes of one block, in either encoding.
//
// Lifetime: the stored bytes and the IdSource outlive the block.
// Source:   docs/formats/segment-v1.md section 4.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "chunks/block.h"
#include "chunks/block_encoder.h"
#include "chunks/column_reader.h"
#include "chunks/field_reader.h"
#include "chunks/table_reader.h"

namespace kvasir::chunks {

enum class RowOrder : std::uint8_t {
  kByTime,   // the whole block ascends
  kBySlice,  // the rows of each stream in it do; not looked at here
};

class StoredBlock final : public Block {
 public:
  /// `owner` is kept as long as the block. Errors: corruption, unsupported (an encoding of a newer version).
  static Result<std::unique_ptr<StoredBlock>> open(std::string_view stored, IdSlots ids,
                                                   std::shared_ptr<const void> owner,
                                                   RowOrder order = RowOrder::kByTime);

  /// Compares the checksum of each part, without expanding any. For a block that was just opened.
  Result<void> check_parts();

  std::size_t rows() const override { return rows_; }
  std::span<const std::int64_t> timestamps() const override { return times_; }
  Result<std::span<const std::uint64_t>> sequences() override;
  Result<std::span<const std::uint32_t>> line_lengths() override;
  Result<void> lines(ConstRowBits rows, std::span<std::string_view> out) override;
  bool has_metadata() const override { return metadata_table() != nullptr; }
  Result<std::span<const LabelView>> metadata(std::size_t row) override;
  bool may_have_metadata(std::string_view name) const override;
  bool narrow_literal(std::string_view literal, bool negated, RowBits rows) override;
  void narrow_perhaps(std::string_view literal, RowBits rows) override;
  bool field(FieldSyntax syntax, std::string_view name, FieldValues& out) override;
  bool number_field(FieldSyntax syntax, std::string_view name, FieldNumbers& out) override;

  bool pattern_field(std::span<const PatternPart> parts, std::size_t capture, FieldValues& out) override;
  std::uint64_t memory_bytes() const override;
  void drop_lines() override { lines_.clear(); }

  Encoding encoding() const { return encoding_; }
  std::size_t meta_bytes() const { return meta_bytes_; }
  /// Of kColumns, else null.
  TableReader* line_table() const;
  TableReader* metadata_table() const;

 private:
  StoredBlock() = default;
  /// What META says behind the times: a query that only counts never asks.
  struct Tables {
    TextsReader texts;                 // kRows
    std::optional<TableReader> lines;  // kColumns
    std::optional<TableReader> metadata;
  };

  Result<Tables*> tables() const;
  bool parse_tables(ByteReader& meta, Tables& out) const;
  Result<std::span<const std::string_view>> plain_lines();
  Result<void> load_times(RowOrder order);
  Result<void> load_metadata();
  FieldReader* fields(FieldSyntax syntax);
  Result<std::vector<std::uint64_t>> rows_holding(std::string_view literal, RowBits rows);

  std::shared_ptr<const void> owner_;
  mutable BlockContext context_;
  Arena lines_;  // what lines() built
  Encoding encoding_ = Encoding::kRows;
  std::size_t rows_ = 0;
  std::size_t meta_bytes_ = 0;
  Part times_part_;
  Part sequences_part_;
  std::vector<std::int64_t> times_;
  std::vector<std::uint64_t> sequences_;
  std::vector<std::uint32_t> lengths_;
  std::string_view tables_meta_;
  mutable std::unique_ptr<Tables> tables_;  // made at first use
  mutable bool tables_damaged_ = false;
  std::array<std::unique_ptr<FieldReader>, 3> fields_;  // by FieldSyntax; made at first use
  std::vector<LabelView> pairs_;                        // of all rows, once loaded
  std::vector<std::uint32_t> pair_starts_;              // rows + 1
};

}  // namespace kvasir::chunks
