// field_selector.h -- a selector on something that is no stream label: `{trace_id="4bf9..."}`, `{level="error"}`.
//
// Meaning:  an entry is selected by name="value" if its structured metadata `name` matches, or the field `name` of its
//           JSON or logfmt line does, or, for "=" with a value that looks like an id, if the line holds the value as a
//           word of its own. What the line holds must be written there as in the query: a value of `=`, the texts that
//           a pattern cannot match without, and a name without underscores. So indexes and templates can be asked for
//           them. `level` compares by level: any case and the usual short forms.
// Fast:     narrow() answers from literals and columns what it can; only the rest has to be read.
// Threads:  one thread; it owns pipelines and scratch.
// Source:   docs/logql-extensions.md
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/matcher.h"
#include "common/result.h"
#include "logql/log_source.h"
#include "logql/pipeline/pipeline.h"

namespace kvasir::logql {

/// True if the matcher may select by field: it does not accept an absent label.
bool may_select_by_field(const LabelMatcher& matcher);

/// What every entry that the matcher selects holds in its line or in a metadata value, each of them.
std::vector<std::string> field_selector_tokens(const LabelMatcher& matcher);

/// Ids: 16 or 32 hex digits, UUIDs, ULIDs, long decimals.
bool looks_like_id(std::string_view value);

class FieldSelector {
 public:
  static Result<std::unique_ptr<FieldSelector>> create(std::span<const LabelMatcher> matchers);

  /// Leaves in `rows` those that every matcher selects, and moves to `unknown` those that must be read and asked for.
  void narrow(LogBlock& block, const Pushdowns& pushdowns, RowSet& rows, RowSet& unknown) const;

  /// True if every matcher selects the entry.
  bool matches(std::string_view line, std::span<const LabelView> metadata);

 private:
  struct Condition {
    LabelMatcher matcher;
    bool by_level = false;
    bool by_word = false;
    std::vector<std::string> literals;  // that stand in the line
    PipelineRunner json;
    PipelineRunner logfmt;
  };

  /// What is known of the rows of a block for one condition.
  struct Known {
    RowSet selected;
    RowSet unknown;
  };

  static bool narrow_literals(const Condition& condition, LogBlock& block, RowSet& rows);
  static Known narrow_columns(const Condition& condition, LogBlock& block, const RowSet& rows, bool literals_hold);
  static bool value_matches(const Condition& condition, std::string_view value);
  static bool line_matches(Condition& condition, std::string_view line);

  std::vector<Condition> conditions_;
};

}  // namespace kvasir::logql
