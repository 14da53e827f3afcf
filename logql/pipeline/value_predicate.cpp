#include "logql/pipeline/value_predicate.h"

#include <algorithm>

#include <re2/re2.h>

#include "common/assert.h"
#include "common/find_bytes.h"
#include "common/regex.h"
#include "logql/pipeline/compare_numbers.h"
#include "logql/pipeline/regex_literals.h"
#include "logql/pipeline/value_text.h"

namespace kvasir::logql {

namespace {

using Outcome = ValuePredicate::Outcome;

template <class T>
bool compare(CompareOp op, T value, T bound) {
  switch (op) {
    case CompareOp::kEqual: return value == bound;
    case CompareOp::kNotEqual: return value != bound;
    case CompareOp::kGreater: return value > bound;
    case CompareOp::kGreaterOrEqual: return value >= bound;
    case CompareOp::kLess: return value < bound;
    case CompareOp::kLessOrEqual: return value <= bound;
  }
  return false;
}

// Takes `.*` off both ends.
std::string_view without_open_ends(std::string_view regex, bool& front, bool& back) {
  front = regex.starts_with(".*");
  if (front) regex.remove_prefix(2);
  back = regex.ends_with(".*") && !regex.ends_with("\\.*");
  if (back) regex.remove_suffix(2);
  return regex;
}

Outcome keep_if(bool keep) { return keep ? Outcome::kKeep : Outcome::kDrop; }

// `a|b|c` without any other operator: the texts that it matches.
std::optional<std::vector<std::string>> as_literals(std::string_view regex) {
  std::vector<std::string> literals(1);
  for (const char c : regex) {
    if (c == '|') {
      literals.emplace_back();
    } else if (std::string_view("\\.+*?()[]{}^$").find(c) != std::string_view::npos) {
      return std::nullopt;
    } else {
      literals.back() += c;
    }
  }
  return literals;
}

}  // namespace

Result<ValuePredicate::Text> ValuePredicate::compile_text(const StringPredicate& predicate) {
  Text text{predicate.op, {}, false, false, nullptr};
  if (predicate.op == MatchOp::kEqual || predicate.op == MatchOp::kNotEqual) {
    text.literals.push_back(predicate.value);
  } else if (auto literals = as_literals(predicate.value)) {
    text.literals = std::move(*literals);
  } else if (auto literal = regex_as_literal(without_open_ends(predicate.value, text.open_front, text.open_back))) {
    text.literals.push_back(std::move(*literal));
  } else {
    KVASIR_TRY(text.regex, compile_regex(predicate.value, {.anchored = true}));
  }
  return text;
}

Result<ValuePredicate> ValuePredicate::from(const LabelFilter& filter) {
  ValuePredicate out;
  if (const auto* text = std::get_if<StringPredicate>(&filter.node)) {
    out.name_ = text->name;
    KVASIR_TRY(out.test_, compile_text(*text));
  } else if (const auto* number = std::get_if<NumberPredicate>(&filter.node)) {
    out.name_ = number->name;
    out.test_ = Number{number->op, number->value};
  } else if (const auto* duration = std::get_if<DurationPredicate>(&filter.node)) {
    out.name_ = duration->name;
    out.test_ = Span{duration->op, duration->value};
  } else if (const auto* bytes = std::get_if<BytesPredicate>(&filter.node)) {
    out.name_ = bytes->name;
    out.test_ = Size{bytes->op, bytes->value};
  } else {
    const auto* ip = std::get_if<IpPredicate>(&filter.node);
    KVASIR_ASSERT(ip != nullptr, "a pair of label filters is not one predicate");
    out.name_ = ip->name;
    KVASIR_TRY(IpPattern pattern, IpPattern::parse(ip->pattern));
    out.test_ = Address{ip->negated, pattern};
  }
  return out;
}

bool ValuePredicate::open_ended_match(const Text& text, std::string_view value) {
  const std::string& literal = text.literals[0];
  if (!text.open_front) return value.starts_with(literal);
  if (!text.open_back) return value.ends_with(literal);
  return contains_bytes(value, literal);
}

bool ValuePredicate::text_matches(const Text& text, std::string_view value) {
  const bool negated = text.op == MatchOp::kNotEqual || text.op == MatchOp::kNotRegex;
  if (text.regex == nullptr) {
    if (text.open_front || text.open_back) return open_ended_match(text, value) != negated;
    return (std::find(text.literals.begin(), text.literals.end(), value) != text.literals.end()) != negated;
  }
  return regex_matches(*text.regex, value) != negated;
}

void ValuePredicate::keep_numbers(std::span<const double> values, std::span<std::uint64_t> words) const {
  const auto* number = std::get_if<Number>(&test_);
  const CompareOp op = number != nullptr ? number->op : std::get<Span>(test_).op;
  const double bound = number != nullptr ? number->bound : static_cast<double>(std::get<Span>(test_).bound.count());
  keep_compared(values, op, bound, words);
}

Outcome ValuePredicate::evaluate(std::optional<std::string_view> value, std::string& details) const {
  if (const auto* text = std::get_if<Text>(&test_)) return keep_if(text_matches(*text, value.value_or("")));
  if (!value) return Outcome::kDrop;
  if (const auto* number = std::get_if<Number>(&test_)) {
    const auto read = parse_number_text(*value, details);
    return read ? keep_if(compare(number->op, *read, number->bound)) : Outcome::kUnreadable;
  }
  if (const auto* span = std::get_if<Span>(&test_)) {
    const auto read = parse_duration_text(*value, details);
    return read ? keep_if(compare(span->op, *read, span->bound)) : Outcome::kUnreadable;
  }
  if (const auto* size = std::get_if<Size>(&test_)) {
    const auto read = parse_bytes_text(*value, details);
    return read ? keep_if(compare(size->op, *read, size->bound)) : Outcome::kUnreadable;
  }
  const auto& address = std::get<Address>(test_);
  return keep_if(address.pattern.found_in(*value) != address.negated);
}

}  // namespace kvasir::logql
