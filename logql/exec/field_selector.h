// field_selector.h -- a selector on something that is no stream label: `{trace_id="4bf9..."}`, `{level="error"}`.
//
// Meaning:  an entry is selected by name="value" if its structured metadata `name` matches, or the field `name` of its JSON or
//           logfmt line does, or, for "=" with a value that looks like an id, if the line holds the value as a word of its own.
//           A value of `=` must also stand in the line (or metadata) byte for byte, so that indexes can be asked for it.
//           `level` compares by level: any case and the usual short forms.
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
#include "logql/pipeline/pipeline.h"

namespace kvasir::logql {

/// True if the matcher may select by field: it does not accept an absent label.
bool may_select_by_field(const LabelMatcher& matcher);

/// What every entry that the matcher selects holds in its line or in a metadata value; empty: nothing is known.
std::string field_selector_token(const LabelMatcher& matcher);

/// Ids: 16 or 32 hex digits, UUIDs, ULIDs, long decimals.
bool looks_like_id(std::string_view value);

class FieldSelector {
 public:
  static Result<std::unique_ptr<FieldSelector>> create(std::span<const LabelMatcher> matchers);

  /// True if every matcher selects the entry.
  bool matches(std::string_view line, std::span<const LabelView> metadata);

 private:
  struct Condition {
    LabelMatcher matcher;
    bool by_level = false;
    bool by_word = false;
    PipelineRunner json;
    PipelineRunner logfmt;
  };

  static bool value_matches(const Condition& condition, std::string_view value);
  static bool line_matches(Condition& condition, std::string_view line);

  std::vector<Condition> conditions_;
};

}  // namespace kvasir::logql
