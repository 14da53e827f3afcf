// stages.h -- the stages of a pipeline as parsed: what `| json | status >= 500 |= "x"` says, nothing compiled.
//
// Shape:    Stage is a variant; a pipeline is a vector<Stage>. Trees share their children and never change after
//           parsing.
// Notes:    Regexes, templates, paths and addresses are source text here. What the parser checks already (regexes of
//           string label filters, drop and keep, `regexp` and `pattern` expressions) is known to compile; line filters,
//           ip(), templates and extraction paths are checked when logql/pipeline compiles them.
// Threads:  immutable; share freely.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/matcher.h"
#include "common/time.h"

namespace kvasir::logql {

enum class LineFilterOp { kContains, kNotContains, kRegex, kNotRegex, kPattern, kNotPattern };

struct LineFilterArgument {
  std::string text;
  bool is_ip = false;  // ip("...")
};

/// `|= "a" or "b"`: one operator and its or-chain (never empty). Negative operators: no alternative may match.
struct LineFilter {
  LineFilterOp op = LineFilterOp::kContains;
  std::vector<LineFilterArgument> arguments;
};

/// `name="expression"`; the shorthand `name` has expression == name.
struct Extraction {
  std::string name;
  std::string expression;
};

struct JsonParser {
  std::vector<Extraction> extractions;  // empty: every property
};

struct LogfmtParser {
  bool strict = false;
  bool keep_empty = false;
  std::vector<Extraction> extractions;  // empty: every pair
};

struct RegexpParser {
  std::string expression;
};

struct PatternParser {
  std::string expression;
};

struct UnpackParser {};

enum class CompareOp { kEqual, kNotEqual, kGreater, kGreaterOrEqual, kLess, kLessOrEqual };

/// `a="x"`, `a=~"x.*"`. The regex is anchored, and dot does not match newline: LabelMatcher is not the matcher for it.
struct StringPredicate {
  std::string name;
  MatchOp op = MatchOp::kEqual;
  std::string value;
};

struct NumberPredicate {
  std::string name;
  CompareOp op = CompareOp::kEqual;
  double value = 0;
};

struct DurationPredicate {
  std::string name;
  CompareOp op = CompareOp::kEqual;
  Duration value{0};
};

struct BytesPredicate {
  std::string name;
  CompareOp op = CompareOp::kEqual;
  std::uint64_t value = 0;
};

/// `a = ip("10.0.0.0/8")`, `a != ip(...)`.
struct IpPredicate {
  std::string name;
  bool negated = false;
  std::string pattern;
};

struct LabelFilter;
using LabelFilterPtr = std::shared_ptr<const LabelFilter>;

/// `L and R`, `L , R` (both conjunction) or `L or R`.
struct LabelFilterPair {
  bool is_or = false;
  LabelFilterPtr left;
  LabelFilterPtr right;
};

/// One `| ...` label filter, a tree of predicates.
struct LabelFilter {
  std::variant<StringPredicate, NumberPredicate, DurationPredicate, BytesPredicate, IpPredicate, LabelFilterPair> node;
};

struct LineFormat {
  std::string text;  // Go template
};

struct LabelFormatItem {
  std::string target;
  bool is_rename = false;
  std::string source;  // the label to rename, or a Go template
};

struct LabelFormat {
  std::vector<LabelFormatItem> items;
};

struct Decolorize {};

/// An item of drop and keep: a bare name, or a matcher (anchored, dot matches newline).
struct NameOrMatcher {
  std::string name;
  std::shared_ptr<const LabelMatcher> matcher;  // null: the bare name
};

struct Drop {
  std::vector<NameOrMatcher> items;
};

struct Keep {
  std::vector<NameOrMatcher> items;
};

using Stage = std::variant<LineFilter, JsonParser, LogfmtParser, RegexpParser, PatternParser, UnpackParser, LabelFilter,
                           LineFormat, LabelFormat, Decolorize, Drop, Keep>;

enum class UnwrapConversion { kNone, kBytes, kDuration, kDurationSeconds };

/// `| unwrap duration(took) | took > 1`: the last step of a range aggregation's pipeline.
struct Unwrap {
  std::string label;
  UnwrapConversion conversion = UnwrapConversion::kNone;
  std::vector<LabelFilter> post_filters;  // each a stage of its own
};

}  // namespace kvasir::logql
