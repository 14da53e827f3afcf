#include "common/matcher.h"

#include "common/regex.h"

namespace kvasir {

std::string_view match_op_text(MatchOp op) {
  switch (op) {
    case MatchOp::kEqual: return "=";
    case MatchOp::kNotEqual: return "!=";
    case MatchOp::kRegex: return "=~";
    case MatchOp::kNotRegex: return "!~";
  }
  return "=";
}

Result<LabelMatcher> LabelMatcher::create(std::string name, MatchOp op, std::string value) {
  LabelMatcher matcher;
  matcher.name_ = std::move(name);
  matcher.op_ = op;
  matcher.value_ = std::move(value);
  if (op == MatchOp::kRegex || op == MatchOp::kNotRegex) {
    KVASIR_TRY(matcher.regex_, compile_regex(matcher.value_, {.anchored = true, .dot_matches_newline = true}));
  }
  return matcher;
}

bool LabelMatcher::matches(std::string_view value) const {
  switch (op_) {
    case MatchOp::kEqual: return value == value_;
    case MatchOp::kNotEqual: return value != value_;
    case MatchOp::kRegex: return regex_matches(*regex_, value);
    case MatchOp::kNotRegex: return !regex_matches(*regex_, value);
  }
  return false;
}

std::string LabelMatcher::to_string() const {
  std::string out = name_;
  out += match_op_text(op_);
  append_go_quoted(out, value_);
  return out;
}

}  // namespace kvasir
