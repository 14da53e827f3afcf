// value_predicate.h -- one condition of a label filter, compiled: `status >= 500`, `host=~"db.*"`,
// `addr=ip("10.0.0.0/8")`.
//
// Use:      label filters evaluate it on a label; a scan may evaluate it on the values of a column instead.
// Regexes:  anchored at both ends; dot does not match newline, but for `.*x`, `x.*` and `.*x.*`, which are prefix,
//           suffix and substring tests.
// Errors:   from(): parse, the reason only (bad regex or address).
// Threads:  immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/result.h"
#include "logql/pipeline/ip_pattern.h"
#include "logql/syntax/stages.h"

namespace re2 {
class RE2;
}

namespace kvasir::logql {

class ValuePredicate {
 public:
  enum class Outcome : std::uint8_t {
    kDrop,
    kKeep,
    kUnreadable,  // the entry is kept and marked LabelFilterErr, unless it has an error already
  };

  /// REQUIRES: `filter` is not a pair.
  static Result<ValuePredicate> from(const LabelFilter& filter);

  const std::string& name() const { return name_; }
  /// Only these can drop an entry that carries an error.
  bool is_string() const { return std::holds_alternative<Text>(test_); }
  bool is_address() const { return std::holds_alternative<Address>(test_); }
  bool is_number() const { return std::holds_alternative<Number>(test_); }
  bool is_duration() const { return std::holds_alternative<Span>(test_); }
  /// Clears the bits of values that evaluate() would drop. REQUIRES: is_number(); or is_duration(), and the values are
  /// nanoseconds below 2^53.
  void keep_numbers(std::span<const double> values, std::span<std::uint64_t> words) const;

  /// `value` is empty for a missing label. `details` is set when the outcome is kUnreadable.
  Outcome evaluate(std::optional<std::string_view> value, std::string& details) const;

 private:
  struct Text {
    MatchOp op;
    std::vector<std::string> literals;       // any of them equals; used if there is no regex
    bool open_front, open_back;              // `.*x`, `x.*`: one literal, and anything may stand before or behind it
    std::shared_ptr<const re2::RE2> regex;
  };
  struct Number {
    CompareOp op;
    double bound;
  };
  struct Span {
    CompareOp op;
    Duration bound;
  };
  struct Size {
    CompareOp op;
    std::uint64_t bound;
  };
  struct Address {
    bool negated;
    IpPattern pattern;
  };

  static Result<Text> compile_text(const StringPredicate& predicate);
  static bool open_ended_match(const Text& text, std::string_view value);
  static bool text_matches(const Text& text, std::string_view value);

  std::string name_;
  std::variant<Text, Number, Span, Size, Address> test_;
};

}  // namespace kvasir::logql
