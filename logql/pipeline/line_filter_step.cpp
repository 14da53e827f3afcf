#include <algorithm>

#include <re2/re2.h>

#include "common/find_bytes.h"
#include "common/regex.h"
#include "logql/pipeline/ip_pattern.h"
#include "logql/pipeline/literal_search.h"
#include "logql/pipeline/pattern.h"
#include "logql/pipeline/regex_literals.h"
#include "logql/pipeline/steps.h"

namespace kvasir::logql {

namespace {

struct Literal {
  std::string text;
  bool matches(std::string_view line) const { return contains_bytes(line, text); }
};

struct Caseless {
  CaselessLiteral literal;
  bool matches(std::string_view line) const { return literal.found_in(line); }
};

struct Regex {
  std::shared_ptr<const re2::RE2> regex;
  std::string literal;  // every match holds it; "" if none is known
  bool matches(std::string_view line) const {
    if (!literal.empty() && !contains_bytes(line, literal)) return false;
    return regex_matches(*regex, line);
  }
};

struct Shape {
  Pattern pattern;
  bool matches(std::string_view line) const { return pattern.matches(line); }
};

struct Address {
  IpPattern pattern;
  bool matches(std::string_view line) const { return pattern.found_in(line); }
};

using Matcher = std::variant<Literal, Caseless, Regex, Shape, Address>;

Result<Matcher> compile_line_regex(const std::string& expression, bool literals) {
  KVASIR_TRY(auto regex, compile_regex(expression, {}));
  // `(?i)text` has a meaning of its own: both sides are lowered, letter by letter.
  if (const auto caseless = regex_as_caseless_literal(expression)) return Caseless{CaselessLiteral(*caseless)};
  if (!literals) return Regex{std::move(regex), {}};
  if (auto literal = regex_as_literal(expression)) return Literal{std::move(*literal)};
  const auto required = required_literals_of_regex(expression);
  const auto longest = std::max_element(required.begin(), required.end(),
                                        [](const auto& a, const auto& b) { return a.size() < b.size(); });
  return Regex{std::move(regex), longest == required.end() ? std::string() : *longest};
}

Result<Matcher> compile_argument(LineFilterOp op, const LineFilterArgument& argument, bool regex_literals) {
  if (argument.is_ip) {
    if (op != LineFilterOp::kContains && op != LineFilterOp::kNotContains) {
      return fail(ErrorCode::kParse, "ip: invalid operation");
    }
    KVASIR_TRY(IpPattern pattern, IpPattern::parse(argument.text));
    return Address{pattern};
  }
  switch (op) {
    case LineFilterOp::kContains:
    case LineFilterOp::kNotContains: return Literal{argument.text};
    case LineFilterOp::kRegex:
    case LineFilterOp::kNotRegex: return compile_line_regex(argument.text, regex_literals);
    case LineFilterOp::kPattern:
    case LineFilterOp::kNotPattern: break;
  }
  KVASIR_TRY(Pattern pattern, Pattern::for_filter(argument.text));
  return Shape{std::move(pattern)};
}

class LineFilterStep : public Step {
 public:
  LineFilterStep(std::vector<Matcher> alternatives, bool negated)
      : alternatives_(std::move(alternatives)), negated_(negated) {}

  bool apply(EntryState& entry) const override {
    for (const Matcher& matcher : alternatives_) {
      if (std::visit([&](const auto& m) { return m.matches(entry.line); }, matcher)) return !negated_;
    }
    return negated_;
  }

 private:
  std::vector<Matcher> alternatives_;
  bool negated_;
};

bool always_true(const Matcher& matcher) {
  const auto* literal = std::get_if<Literal>(&matcher);
  return literal != nullptr && literal->text.empty();
}

}  // namespace

Result<StepPtr> make_line_filter_step(const LineFilter& filter, bool regex_literals) {
  const bool negated = filter.op == LineFilterOp::kNotContains || filter.op == LineFilterOp::kNotRegex ||
                       filter.op == LineFilterOp::kNotPattern;
  std::vector<Matcher> alternatives;
  for (const LineFilterArgument& argument : filter.arguments) {
    KVASIR_TRY(Matcher matcher, compile_argument(filter.op, argument, regex_literals));
    alternatives.push_back(std::move(matcher));
  }
  // An empty alternative of a positive chain is ignored, unless there is no other.
  const bool all_true = std::all_of(alternatives.begin(), alternatives.end(), always_true);
  if (!negated && !all_true) std::erase_if(alternatives, always_true);
  return std::make_unique<LineFilterStep>(std::move(alternatives), negated);
}

}  // namespace kvasir::logql
