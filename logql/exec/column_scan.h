// column_scan.h -- answers a pipeline of one parser and label filters from columns, without reading lines.
//
// Shape:    ColumnPlan::make says whether the stages have the right form; ColumnBlock::open then asks one block for every column
//           that is needed. What comes out are the rows that pass, their group and their unwrapped value.
// Law:      exactly what the pipeline would give. Whenever that is not certain (a missing column, an unreadable value, a name that
//           collides with a label) it says "cannot" and the lines are read.
// Threads:  a plan is shared; a ColumnBlock belongs to one thread.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "logql/log_source.h"
#include "logql/pipeline/pipeline.h"
#include "logql/pipeline/value_predicate.h"
#include "logql/syntax/ast.h"

namespace kvasir::logql {

class ColumnPlan {
 public:
  /// Null if the form does not fit.
  static std::unique_ptr<const ColumnPlan> make(std::span<const Stage> stages, const Unwrap* unwrap,
                                                const ResultGrouping& grouping);

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

  std::optional<FieldSyntax> parser_;
  std::vector<std::string> names_;
  std::vector<bool> filtered_;                         // per name: some filter reads it
  std::vector<std::unique_ptr<Filter>> filters_;       // before unwrap
  std::vector<std::unique_ptr<Filter>> post_filters_;  // after it
  std::vector<std::size_t> group_;                     // into names_
  std::optional<std::size_t> unwrap_;
  UnwrapConversion conversion_ = UnwrapConversion::kNone;
  bool usable_ = true;
};

class ColumnBlock {
 public:
  /// Null: cannot.
  static std::unique_ptr<ColumnBlock> open(const ColumnPlan& plan, LogBlock& block);

  /// Narrows `rows` to those that give a sample. False: cannot; `rows` is then unspecified.
  bool select(RowSet& rows);

  /// Rows of one group have equal labels; two groups may have equal labels too. Less than group_count().
  std::size_t group(std::size_t row) const { return row_group_.empty() ? 0 : row_group_[row]; }
  std::size_t group_count() const { return group_row_.size(); }
  Labels group_labels(std::size_t group) const;
  /// REQUIRES: the plan unwraps and the row was selected.
  double value(std::size_t row) const { return numbers_ != nullptr ? numbers_->values[row] : unwrapped_[row]; }

 private:
  /// The values of one name: a constant of the stream, or metadata over the parsed field.
  struct Source {
    std::optional<std::string_view> constant;
    const FieldColumn* metadata = nullptr;
    const FieldColumn* field = nullptr;

    std::optional<std::string_view> get(std::size_t row) const;
  };

  ColumnBlock(const ColumnPlan& plan, LogBlock& block) : plan_(plan), block_(block) {}
  bool open_source(std::size_t name, bool as_numbers);
  bool apply(const ColumnPlan::Filter& filter, RowSet& rows);
  bool apply_predicate(const ColumnPlan::Filter& filter, RowSet& rows);
  bool unwrap(RowSet& rows);
  void assign_groups(const RowSet& rows);
  void split_groups(const RowSet& rows, const Source& source);

  const ColumnPlan& plan_;
  LogBlock& block_;
  std::vector<Source> sources_;          // per name
  const NumberColumn* numbers_ = nullptr;  // the unwrapped name, when it is only unwrapped
  std::vector<double> unwrapped_;
  std::vector<std::uint32_t> row_group_;
  std::vector<std::uint32_t> group_row_;  // a row of each group
};

}  // namespace kvasir::logql
