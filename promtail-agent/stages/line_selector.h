// line_selector.h -- LogQL's `{a="x"} |= "y"` as a yes or no on an entry: selectors of match stages and conditions of
// metrics.
//
// Shape:    matchers (label regexes anchored) and line filters (unanchored); all must hold.
// Errors:   parse: `parse error at line 1, col 5: ...`; parsers, formats and metric queries are refused.
// Threads:  immutable.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/matcher.h"
#include "common/result.h"
#include "promtail-agent/stages/entry.h"
#include "promtail-agent/stages/line_regex.h"

namespace kvasir::agent {

/// `|= "a" or "b"`, `!~ "c"`.
class LineCondition {
 public:
  /// `op`: |= != |~ !~
  static Result<LineCondition> create(std::string_view op, const std::vector<std::string>& texts);
  bool holds(std::string_view line) const;

 private:
  bool negated_ = false;
  std::vector<std::string> literals_;
  std::vector<LineRegex> regexes_;
};

class LineSelector {
 public:
  static Result<LineSelector> parse(std::string_view text);
  bool matches(const LabelSet& labels, std::string_view line) const;

 private:
  std::vector<LabelMatcher> matchers_;
  std::vector<LineCondition> conditions_;
};

}  // namespace kvasir::agent
