// column_scan.h -- answers a pipeline of one parser and label filters from columns, without reading lines.
//
// Shape:    ColumnPlan::make says whether the stages have the right form; ColumnBlock::open then asks one block for
//           every column that is needed. What comes out are the rows that pass, their group and their unwrapped value.
// Law:      exactly what the pipeline would give. Rows for which that is not certain (an unreadable value, a line that
//           does not parse) are unknown and go through the pipeline; where nothing is certain (a missing column, a name
//           that collides with a label) the whole block does.
// Threads:  a plan is shared; a ColumnBlock belongs to one thread.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "logql/exec/scan.h"
#include "logql/log_source.h"
#include "logql/pipeline/pipeline.h"
#include "logql/pipeline/value_predicate.h"
#include "logql/syntax/ast.h"

namespace kvasir::logql {

/// A field that is read row by row beside the groups: what a `stats` aggregates.
struct ColumnExtra {
  std::string name;
  bool as_number = false;  // only its value as a number is wanted
};

class ColumnPlan {
 public:
  /// Null if the form does not fit.
  static std::unique_ptr<const ColumnPlan> make(std::span<const Stage> stages, const Unwrap* unwrap,
                                                const ResultGrouping& grouping,
                                                std::span<const ColumnExtra> extras = {});

 private:
  friend class ColumnBlock;

  /// A label filter with compiled predicates, or a pair of such.
  struct Filter {
    std::optional<ValuePredicate> predicate;
    std::size_t name = 0;  // into names_
    bool is_or = false;
    std::unique_ptr<Filter> left;
    std::unique_ptr<Filter> right;
  };

  std::unique_ptr<Filter> compile(const LabelFilter& filter);
  std::size_t add_name(const std::string& name);
  void take_pattern(const std::string& expression);

  /// Who reads a name: its texts, or numbers instead of them.
  struct Uses {
    bool text = false;
    bool number = false;
    bool duration = false;
  };

  bool has_parser() const { return parser_ || pattern_; }

  std::optional<FieldSyntax> parser_;
  std::optional<std::string> pattern_;
  std::vector<std::string> captures_;                  // of the pattern
  std::vector<std::string> names_;
  std::vector<Uses> uses_;                             // per name
  std::vector<std::unique_ptr<Filter>> filters_;       // before unwrap
  std::vector<std::unique_ptr<Filter>> post_filters_;  // after it
  std::vector<std::size_t> group_;                     // into names_
  std::vector<std::size_t> extras_;                    // into names_
  std::optional<std::size_t> unwrap_;
  UnwrapConversion conversion_ = UnwrapConversion::kNone;
  bool usable_ = true;
};

class ColumnBlock {
 public:
  /// Null: cannot.
  static std::unique_ptr<ColumnBlock> open(const ColumnPlan& plan, LogBlock& block);

  /// Narrows `rows` to those that give a sample.
  void select(RowSet& rows);
  /// After select(): rows that it took away although only the pipeline can tell.
  const RowSet& unknown() const { return unknown_; }

  /// Rows of one group have equal labels; two groups may have equal labels too. Less than group_count().
  std::size_t group(std::size_t row) const { return row_group_.empty() ? 0 : row_group_[row]; }
  std::size_t group_count() const { return group_row_.size(); }
  Labels group_labels(std::size_t group) const;
  /// The text of a field in a row of the group; empty if it is missing.
  std::string_view group_text(std::size_t group, std::size_t label) const;

  /// The numbers of an extra field, if the block has it so; else its texts are there.
  const NumberColumn* extra_numbers(std::size_t extra) const { return sources_[plan_.extras_[extra]].number; }
  /// A code for the text that a row has; rows with equal codes have equal texts. Less than extra_codes().
  std::size_t extra_code(std::size_t extra, std::size_t row) const { return sources_[plan_.extras_[extra]].code(row); }
  std::size_t extra_codes(std::size_t extra) const { return sources_[plan_.extras_[extra]].codes(); }
  /// Empty if the field is missing.
  std::string_view extra_text(std::size_t extra, std::size_t code) const {
    return sources_[plan_.extras_[extra]].text(code);
  }
  /// REQUIRES: the plan unwraps and the row was selected.
  double value(std::size_t row) const { return values_[row]; }
  std::span<const double> values() const { return values_; }
  /// One per row; empty if there is one group.
  std::span<const std::uint32_t> row_groups() const { return row_group_; }

 private:
  /// The values of one name: a constant of the stream, or metadata over the parsed field.
  struct Source {
    std::optional<std::string_view> constant;
    const FieldColumn* metadata = nullptr;
    const FieldColumn* field = nullptr;
    const NumberColumn* number = nullptr;
    const NumberColumn* duration = nullptr;

    std::optional<std::string_view> get(std::size_t row) const;
    // 0: absent; 1: the constant; then the values of metadata, then those of the field.
    std::size_t codes() const;
    std::size_t code(std::size_t row) const;
    std::string_view text(std::size_t code) const;
  };

  ColumnBlock(const ColumnPlan& plan, LogBlock& block) : plan_(plan), block_(block), unknown_(block.rows(), false) {}
  bool open_source(std::size_t name);
  bool open_field(std::size_t name);
  bool open_errors();
  bool knows_errors() const;
  void add_unknown(const RowSet& rows);
  void apply(const ColumnPlan::Filter& filter, RowSet& rows);
  void apply_predicate(const ColumnPlan::Filter& filter, RowSet& rows);
  bool apply_numbers(const ColumnPlan::Filter& filter, RowSet& rows) const;
  void unwrap(RowSet& rows);
  bool unwrap_numbers(RowSet& rows);
  void assign_groups(const RowSet& rows);
  void split_groups(const RowSet& rows, const Source& source);

  const ColumnPlan& plan_;
  LogBlock& block_;
  std::vector<Source> sources_;  // per name
  RowSet unknown_;
  std::span<const double> values_;
  std::vector<double> unwrapped_;
  std::vector<std::uint32_t> row_group_;
  std::vector<std::uint32_t> group_row_;  // a row of each group
};

/// Narrows `rows` to those that pass, and leaves in `scanned` those for which that is not certain. Null: the block
/// cannot be answered so, nothing has changed.
std::unique_ptr<ColumnBlock> select_by_columns(const ColumnPlan& columns, const ScanPlan& plan, ScannedBlock& scanned,
                                               RowSet& rows);

}  // namespace kvasir::logql
