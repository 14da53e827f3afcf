// block.h -- one opened block: rows of one stream, ascending by (timestamp, sequence).
//
// Lifetime: every view and span lives as long as the block. A block keeps its segment open.
// Threads:  one block is used by one thread at a time; open the block twice for two threads.
// Errors:   corruption; a damaged part is met when it is first needed. A fast path that meets damage says "cannot", and
//           the error then comes from lines().
// Law:      the fast paths give exactly what reading the lines would give, or say that they cannot.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/entry.h"
#include "common/labels.h"
#include "common/result.h"

namespace kvasir::chunks {

/// A bit per row, row r in words[r / 64] bit r % 64; bits past `rows` are zero. A view: the caller owns the words.
struct RowBits {
  std::span<std::uint64_t> words;
  std::size_t rows = 0;
  bool test(std::size_t row) const { return words[row >> 6] >> (row & 63) & 1; }
  void clear(std::size_t row) const { words[row >> 6] &= ~(std::uint64_t{1} << (row & 63)); }
};
struct ConstRowBits {
  std::span<const std::uint64_t> words;
  std::size_t rows = 0;
  bool test(std::size_t row) const { return words[row >> 6] >> (row & 63) & 1; }
};

/// Where fields come from: a parser's view of the line, or the structured metadata.
enum class FieldSyntax : std::uint8_t { kJson, kLogfmt, kMetadata };

/// Row -> index into `values`, or kAbsent. Values may repeat when they are cheaper to give than to compare.
struct FieldValues {
  static constexpr std::uint32_t kAbsent = 0xffffffff;
  std::vector<std::string_view> values;
  std::vector<std::uint32_t> row_value;  // one per row
  std::vector<std::uint64_t> unknown;    // words as in RowBits: only the line can tell; empty: no such row
};

/// The same as numbers; the bit of a row says that it has one.
struct FieldNumbers {
  std::vector<double> values;          // one per row, 0 where absent
  std::vector<std::uint64_t> present;  // words as in RowBits
  std::vector<std::uint64_t> unknown;  // as in FieldValues
};

/// A piece of a pattern: a literal, or a capture, which takes everything up to the literal behind it.
struct PatternPart {
  bool is_capture = false;
  std::string text;  // of the literal, not empty
};

class Block {
 public:
  virtual ~Block() = default;

  virtual std::size_t rows() const = 0;
  /// Nanoseconds, ascending.
  virtual std::span<const std::int64_t> timestamps() const = 0;
  /// Empty on damage.
  virtual Result<std::span<const std::uint64_t>> sequences() = 0;
  virtual Result<std::span<const std::uint32_t>> line_lengths() = 0;
  /// Fills out[row] for every row that is set and leaves the others alone. REQUIRES: out.size() == rows().
  virtual Result<void> lines(ConstRowBits rows, std::span<std::string_view> out) = 0;
  virtual bool has_metadata() const = 0;
  /// In the order it was sent. Decodes all metadata of the block at the first call.
  virtual Result<std::span<const LabelView>> metadata(std::size_t row) = 0;
  /// False only if no row carries metadata of that name. Cheap: decodes nothing.
  virtual bool may_have_metadata(std::string_view name) const {
    (void)name;
    return has_metadata();
  }

  /// Clears the rows whose line does not contain `literal` (or does, when `negated`). False: cannot; `rows` is
  /// unchanged.
  virtual bool narrow_literal(std::string_view literal, bool negated, RowBits rows) = 0;
  /// Clears rows that cannot contain the literal, where that is cheap to know. Never a wrong "no".
  virtual void narrow_perhaps(std::string_view literal, RowBits rows) = 0;
  /// What `| json` or `| logfmt` extracts as `name`, or the metadata of that name. For every row that is not unknown it
  /// is certain that the stage parses the line without an error. False: cannot; `out` is unspecified.
  virtual bool field(FieldSyntax syntax, std::string_view name, FieldValues& out) = 0;
  /// The same when nearly every present value is a plain decimal number ([-]digits[.digits]); rows with others are
  /// unknown.
  virtual bool number_field(FieldSyntax syntax, std::string_view name, FieldNumbers& out) = 0;

  /// What `parts[capture]` takes of each line when the parts are matched from its beginning, each literal at the first
  /// place that it is found; absent where the pattern ends before. A last capture, and one whose literal is not found,
  /// takes the rest.
  /// REQUIRES: captures and literals alternate. False: cannot.
  virtual bool pattern_field(std::span<const PatternPart> parts, std::size_t capture, FieldValues& out) = 0;

  /// What the block holds by now: it grows with what was asked of it.
  virtual std::uint64_t memory_bytes() const = 0;
  /// Frees the lines that lines() made; views of them are invalid afterwards.
  virtual void drop_lines() = 0;
};

}  // namespace kvasir::chunks
