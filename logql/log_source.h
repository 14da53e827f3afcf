// log_source.h -- the port through which the query engine reads logs. server/ implements it over head, index and
// segments; tests and the command line implement it over a vector of lines.
//
// Shape:    SelectRequest -> a list of BlockHandle (cheap, from the index, nothing decoded) -> LogBlock (opened: rows
//           of ONE stream, ascending by (timestamp, sequence)).
// Lifetime: a LogBlock owns what its views point into; a handle may be opened from any thread, once or more.
// Threads:  select() and open() from any thread; one LogBlock is used by one thread at a time.
// Law:      hints and the optional fast paths (narrow, numeric_field ...) may change cost, never the answer. A handle
//           may be left out only if it cannot hold a matching row. A fast path that cannot answer exactly says so, and
//           the engine reads the lines instead.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/entry.h"
#include "common/labels.h"
#include "common/matcher.h"
#include "common/result.h"
#include "common/time.h"
#include "logql/query_context.h"

namespace kvasir::logql {

enum class Direction { kForward, kBackward };

/// Which rows of a block are still alive; filters only clear bits.
class RowSet {
 public:
  explicit RowSet(std::size_t rows, bool value = true);
  std::size_t size() const { return size_; }
  bool test(std::size_t row) const { return words_[row >> 6] >> (row & 63) & 1; }
  void set(std::size_t row) { words_[row >> 6] |= std::uint64_t{1} << (row & 63); }
  void clear(std::size_t row) { words_[row >> 6] &= ~(std::uint64_t{1} << (row & 63)); }
  void clear_range(std::size_t begin, std::size_t end);
  void keep_only(const RowSet& other);      // AND
  void remove(const RowSet& other);         // AND NOT
  std::size_t count() const;
  /// Rows of [begin, end) that are set.
  std::size_t count(std::size_t begin, std::size_t end) const;
  /// The first row from `row` on that is set; size() if there is none.
  std::size_t next(std::size_t row) const;
  bool none() const;
  std::span<const std::uint64_t> words() const { return words_; }
  std::span<std::uint64_t> words() { return words_; }

 private:
  std::size_t size_;
  std::vector<std::uint64_t> words_;
};

/// A stream as the source knows it; shared by all of its blocks.
struct StreamIdentity {
  Labels labels;
  Fingerprint fingerprint;
};

/// How the fields of a line are written, for the column fast paths.
enum class FieldSyntax { kJson, kLogfmt };

/// The values of one parsed field for all rows of a block: row -> index into `values`, or kAbsent. Exactly what the
/// parser stage would have extracted under that name, from a line that it parses without an error; about rows that are
/// set in `unknown` (size 0: none) nothing is said, their line must be read.
struct FieldColumn {
  static constexpr std::uint32_t kAbsent = 0xffffffff;
  std::vector<std::string_view> values;  // not always distinct
  std::vector<std::uint32_t> row_value;  // one per row
  RowSet unknown{0};
};

/// The same for a column of numbers, unboxed; `present` says which rows have one.
struct NumberColumn {
  std::vector<double> values;
  RowSet present{0};
  RowSet unknown{0};
};

/// What a NumberColumn takes for a number.
enum class NumberText {
  kPlain,     // a plain decimal number
  kDuration,  // a duration as label filters read it; in nanoseconds, exact
};

inline constexpr std::size_t kTimesPerCoarse = 64;

/// Where the rows of an interval end: one past the last. Interval i is (phase + (i - 1) * step, phase + i * step].
struct IntervalEnd {
  std::int64_t interval;
  std::size_t end;
};

class LogBlock {
 public:
  virtual ~LogBlock() = default;

  virtual const std::shared_ptr<const StreamIdentity>& stream() const = 0;
  virtual std::size_t rows() const = 0;
  /// Nanoseconds, ascending.
  virtual std::span<const std::int64_t> timestamps() const = 0;
  /// Every kTimesPerCoarse-th of the timestamps, the first included; few enough to stay in a processor's cache. Empty
  /// where a block does not keep them: coarse_of() makes them.
  virtual std::span<const std::int64_t> coarse_timestamps() { return {}; }
  /// The intervals with a row of the block, ascending. A block that rests between queries keeps them, for the same
  /// intervals are asked for again. Empty: not kept. REQUIRES: 0 <= phase < step.
  virtual std::span<const IntervalEnd> interval_ends(std::int64_t step, std::int64_t phase) {
    (void)step, (void)phase;
    return {};
  }
  virtual std::uint64_t sequence(std::size_t row) const = 0;
  /// Fills out[row] for every row that is set in `rows`; out has rows() items and the others are left alone. The views
  /// live as long as the block.
  virtual Result<void> lines(const RowSet& rows, std::span<std::string_view> out) = 0;
  /// Byte length of each line, without reading the lines.
  virtual std::span<const std::uint32_t> line_lengths() = 0;
  virtual bool has_metadata() const = 0;
  virtual std::span<const LabelView> metadata(std::size_t row) = 0;

  // Fast paths. The default answers are "cannot".

  /// Clears the rows whose line does not contain `literal` (or does, when `negated`). False: cannot; `rows` is
  /// unchanged.
  virtual bool narrow_literal(std::string_view literal, bool negated, RowSet& rows) {
    (void)literal, (void)negated, (void)rows;
    return false;
  }
  /// Rows that may still match are left; those that cannot contain the literal may be cleared. Never a wrong "no".
  virtual void narrow_perhaps(std::string_view literal, RowSet& rows) { (void)literal, (void)rows; }
  /// The column that `| json` or `| logfmt` (no flags) would extract as `name` (flattened and sanitised as the stage
  /// does, without the collision rule). nullptr: cannot.
  virtual const FieldColumn* field(FieldSyntax syntax, std::string_view name) {
    (void)syntax, (void)name;
    return nullptr;
  }
  /// The same as numbers, when nearly every present value is one; rows with others are unknown.
  virtual const NumberColumn* number_field(FieldSyntax syntax, std::string_view name, NumberText text) {
    (void)syntax, (void)name, (void)text;
    return nullptr;
  }
  /// What `| pattern` captures under that name. nullptr: cannot.
  virtual const FieldColumn* pattern_field(std::string_view pattern, std::string_view capture) {
    (void)pattern, (void)capture;
    return nullptr;
  }
  /// False only if no row carries structured metadata of that name.
  virtual bool may_have_metadata(std::string_view name) {
    (void)name;
    return has_metadata();
  }
  /// The structured metadata `name` of every row. nullptr: cannot.
  virtual const FieldColumn* metadata_field(std::string_view name) {
    (void)name;
    return nullptr;
  }
};

/// How many rows of a block carry which `detected_level` in their structured metadata.
struct LevelStatistics {
  struct Rows {
    std::string_view level;  // empty: rows without one
    std::uint64_t rows = 0;  // > 0
  };
  std::vector<Rows> rows;     // of every row of the block
  bool nothing_else = false;  // no row carries any other metadata
};

/// See LogBlock::coarse_timestamps().
std::vector<std::int64_t> coarse_of(std::span<const std::int64_t> timestamps);

/// Where the rows of a block are stored; blocks with the same place are parts of one stored block.
struct StoredPlace {
  const void* file = nullptr;  // null: not known
  std::uint32_t part = 0;
  auto operator<=>(const StoredPlace&) const = default;
};

/// What is known of a block without opening it.
class BlockHandle {
 public:
  virtual ~BlockHandle() = default;
  virtual const std::shared_ptr<const StreamIdentity>& stream() const = 0;
  virtual TimestampNs first() const = 0;  // of the oldest row
  virtual TimestampNs last() const = 0;   // of the newest row
  virtual std::uint64_t rows() const = 0;
  virtual std::uint64_t line_bytes() const = 0;
  /// True if every row of the block is visible and unique: nothing deleted, no two rows of the stream with equal
  /// timestamp and line, here or in another block. Only then may rows() and line_bytes() stand for a count. The engine
  /// removes such duplicates from other blocks itself.
  virtual bool exact() const = 0;
  /// Empty: not known. Stands for rows only where exact() does.
  virtual std::optional<LevelStatistics> levels() const { return std::nullopt; }
  /// No two rows of this block have equal timestamp and line; rows of other blocks may equal them.
  virtual bool distinct() const { return exact(); }
  /// It is cheaper to open blocks of one place one after the other, and cheaper still to have them open together.
  virtual StoredPlace stored_in() const { return {}; }
  /// As LogBlock::interval_ends(), of all rows, where that is known without opening the block. Empty: not known. The
  /// span lives as long as the handle.
  virtual std::span<const IntervalEnd> known_interval_ends(std::int64_t step, std::int64_t phase) const {
    (void)step, (void)phase;
    return {};
  }
  /// The engine has seen all rows of both blocks, of one stream: none in the one has the timestamp and line of one in
  /// the other. A source may remember it, and call the blocks exact from then on.
  virtual void note_apart(const BlockHandle& other) const { (void)other; }
  virtual Result<std::unique_ptr<LogBlock>> open() const = 0;
};

/// What each pushdown may do; all on by default, each can be switched off for tests.
struct Pushdowns {
  bool block_statistics = true;  // counts from handles
  bool prune_literals = true;    // filters before a block is opened
  bool narrow_literals = true;   // literals on templates and columns
  bool field_columns = true;     // json and logfmt fields from columns
  bool regex_literals = true;    // what a regex cannot match without is looked for first
  bool early_stop = true;        // a log query ends when no row that is left can enter its answer

  static constexpr Pushdowns none() { return {false, false, false, false, false, false}; }
};

/// All of them, by name.
inline constexpr std::pair<std::string_view, bool Pushdowns::*> kPushdowns[] = {
    {"block_statistics", &Pushdowns::block_statistics}, {"prune_literals", &Pushdowns::prune_literals},
    {"narrow_literals", &Pushdowns::narrow_literals},   {"field_columns", &Pushdowns::field_columns},
    {"regex_literals", &Pushdowns::regex_literals},     {"early_stop", &Pushdowns::early_stop}};

struct SelectRequest {
  std::string tenant;
  std::vector<LabelMatcher> matchers;   // all must hold; empty selects every stream
  TimeRange range;                      // half-open
  Direction direction = Direction::kForward;
  std::vector<std::string> literals;    // every wanted line holds each of them, byte for byte (hint)
  std::vector<std::string> tokens;  // every wanted entry holds each of them in its line or in a metadata value (hint)
  Pushdowns pushdowns;
};

class LogSource {
 public:
  virtual ~LogSource() = default;
  /// Every block that may hold a matching row, in no order. Rows outside the range may be in a block: the engine cuts
  /// them.
  virtual Result<std::vector<std::unique_ptr<BlockHandle>>> select(const SelectRequest& request,
                                                                   QueryContext& context) = 0;
  /// True if any stream of the tenant carries this label (field selectors ask).
  virtual bool has_stream_label(std::string_view tenant, std::string_view name) = 0;
};

}  // namespace kvasir::logql
