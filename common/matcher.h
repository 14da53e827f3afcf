// matcher.h -- one condition on a label: `app="web"`, `host=~"db-[0-9]+"`.
//
// Regexes:  RE2, anchored at both ends, dot matches newline (the rule for selectors, drop and keep). A pipeline's label
//           filter uses its own matcher, where dot does not match newline.
// Lifetime: cheap to copy; the compiled regex is shared and immutable.
// Threads:  matches() may be called from any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/labels.h"
#include "common/result.h"

namespace re2 {
class RE2;
}

namespace kvasir {

enum class MatchOp { kEqual, kNotEqual, kRegex, kNotRegex };

std::string_view match_op_text(MatchOp op);

class LabelMatcher {
 public:
  /// Errors: parse, with the text that Go's regexp package would give.
  static Result<LabelMatcher> create(std::string name, MatchOp op, std::string value);

  const std::string& name() const { return name_; }
  MatchOp op() const { return op_; }
  const std::string& value() const { return value_; }

  bool matches(std::string_view value) const;
  /// True if a missing label would match.
  bool matches_empty() const { return matches(std::string_view()); }
  /// An absent label counts as "".
  bool matches(const Labels& labels) const { return matches(labels.value_or_empty(name_)); }

  /// `name=~"value"`.
  std::string to_string() const;

  friend bool operator==(const LabelMatcher& a, const LabelMatcher& b) {
    return a.name_ == b.name_ && a.op_ == b.op_ && a.value_ == b.value_;
  }

 private:
  std::string name_;
  MatchOp op_ = MatchOp::kEqual;
  std::string value_;
  std::shared_ptr<const re2::RE2> regex_;  // null for the two plain operators
};

}  // namespace kvasir
