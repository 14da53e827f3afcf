// opened_block.h -- an opened block of a segment together with everything that queries had it decode.
//
// Use:      one query at a time holds it; between queries it rests in the BlockCache, so that the next one finds its
//           directory, times and columns ready.
// Lifetime: columns and views live as long as this; lines only until rest().
// Threads:  one at a time.
// Errors:   where the engine's interface has no room for an error (lengths, sequences, metadata), damage gives neutral
//           values and is logged; lines() reports it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "chunks/block.h"
#include "logql/log_source.h"

namespace kvasir::server {

class OpenedBlock {
 public:
  explicit OpenedBlock(std::unique_ptr<chunks::Block> block) : block_(std::move(block)) {}

  std::size_t rows() const { return block_->rows(); }
  std::span<const std::int64_t> timestamps() const { return block_->timestamps(); }
  std::span<const std::int64_t> coarse_timestamps();
  /// See LogBlock::interval_ends(); none if they are too many to be kept.
  std::vector<logql::IntervalEnd> find_interval_ends(std::int64_t step, std::int64_t phase);
  bool has_metadata();
  bool may_have_metadata(std::string_view name);
  Result<void> lines(const logql::RowSet& rows, std::span<std::string_view> out);
  /// As LogBlock; which rows of the whole block hold a literal is remembered for the last few literals.
  bool narrow_literal(std::string_view literal, bool negated, logql::RowSet& rows);
  std::uint64_t sequence(std::size_t row);
  std::span<const std::uint32_t> line_lengths();
  std::span<const LabelView> metadata(std::size_t row);
  const logql::FieldColumn* field(logql::FieldSyntax syntax, std::string_view name);
  const logql::NumberColumn* number_field(logql::FieldSyntax syntax, std::string_view name, logql::NumberText text);
  const logql::FieldColumn* metadata_field(std::string_view name);
  const logql::FieldColumn* pattern_field(std::string_view pattern, std::string_view capture);

  /// Frees what only the query that ends needed; gives the bytes that stay.
  std::uint64_t rest();

 private:
  /// Which rows hold a literal.
  struct LiteralRows {
    std::string literal;
    std::vector<std::uint64_t> words;
  };
  static constexpr std::size_t kLiteralsKept = 8;

  chunks::Block& decode() {
    grown_ = true;
    return *block_;
  }
  const LiteralRows* find_literal_rows(std::string_view literal, const logql::RowSet& rows);
  std::uint64_t memory_bytes() const;

  using FieldKey = std::pair<logql::FieldSyntax, std::string>;
  using NumberKey = std::tuple<logql::FieldSyntax, std::string, logql::NumberText>;

  std::optional<logql::NumberColumn> read_numbers(logql::FieldSyntax syntax, std::string_view name);
  std::optional<logql::FieldColumn> read_capture(std::string_view pattern, std::string_view capture);
  std::optional<logql::NumberColumn> read_durations(logql::FieldSyntax syntax, std::string_view name);
  template <class T>
  std::span<const T> or_zeros(Result<std::span<const T>> found, std::vector<T>& zeros, std::string_view what) const;

  std::unique_ptr<chunks::Block> block_;
  bool grown_ = true;  // since its bytes were counted
  std::uint64_t bytes_ = 0;
  std::optional<bool> has_metadata_;
  std::vector<std::int64_t> coarse_;
  std::vector<LiteralRows> literals_;
  std::size_t next_literal_ = 0;  // to be replaced
  std::span<const std::uint64_t> sequences_;
  std::vector<std::uint64_t> zero_sequences_;
  std::span<const std::uint32_t> lengths_;
  std::vector<std::uint32_t> zero_lengths_;
  std::map<FieldKey, std::optional<logql::FieldColumn>> fields_;
  std::map<NumberKey, std::optional<logql::NumberColumn>> numbers_;
  std::map<std::string, logql::FieldColumn, std::less<>> metadata_;
  std::map<std::pair<std::string, std::string>, std::optional<logql::FieldColumn>> captures_;  // by pattern and capture
};

}  // namespace kvasir::server
