// metric_condition.h -- the `match` of a metric in the simplified schema: `level="error", status >= 500 |= "timeout"`.
//
// Grammar:  [ '{' ] term { (',' | 'and' | '&&') term } [ '}' ] { line filter };  term = name op value;  op = = == != =~
//           !~ > >= < <=; value = "text" with escapes, 'text', `text`, or a bare number. Empty, or `{}`, always holds.
// Names:    the extracted value if the key is there (null is ""), else the label, else "".
// Errors:   parse: `12: expected a value`, the position counting bytes from 1.
// Threads:  immutable.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "promtail-agent/stages/entry.h"
#include "promtail-agent/stages/line_selector.h"

namespace kvasir::agent {

class MetricCondition {
 public:
  static Result<MetricCondition> parse(std::string_view text);
  bool holds(const Entry& entry) const;

 private:
  friend class MetricConditionParser;
  enum class Op { kEqual, kNotEqual, kRegex, kNotRegex, kGreater, kGreaterOrEqual, kLess, kLessOrEqual };
  struct Term {
    std::string name;
    Op op = Op::kEqual;
    std::string text;
    double number = 0;                         // of the ordering operators
    std::shared_ptr<const re2::RE2> regex;     // anchored
  };
  static bool term_holds(const Term& term, std::string_view value);

  std::vector<Term> terms_;
  std::vector<LineCondition> filters_;
};

}  // namespace kvasir::agent
