#include "promtail-agent/stages/metric_condition.h"

#include <algorithm>

#include "common/number.h"
#include "common/regex.h"

namespace kvasir::agent {
namespace {

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

char unescaped(char c) {
  switch (c) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    default: return c;
  }
}

}  // namespace

class MetricConditionParser {
 public:
  explicit MetricConditionParser(std::string_view text) : text_(text) {}

  Result<MetricCondition> run() {
    MetricCondition out;
    const bool braced = take("{");
    const bool no_terms = at_end() || (braced && peek("}")) || at_filter();
    while (!no_terms) {
      KVASIR_TRY(auto term, this->term());
      out.terms_.push_back(std::move(term));
      if (!take(",") && !take("&&") && !take_word("and")) break;
      if (braced && peek("}")) break;
    }
    if (braced && !take("}")) return error("expected `}`");
    while (!at_end()) {
      KVASIR_TRY(auto filter, this->filter());
      out.filters_.push_back(std::move(filter));
    }
    return out;
  }

 private:
  using Op = MetricCondition::Op;

  Unexpected error(std::string_view reason) const {
    return fail(ErrorCode::kParse, std::to_string(at_ + 1) + ": " + std::string(reason));
  }
  void skip_space() {
    while (at_ < text_.size() && static_cast<unsigned char>(text_[at_]) <= ' ') ++at_;
  }
  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }
  bool peek(std::string_view token) {
    skip_space();
    return text_.substr(at_).starts_with(token);
  }
  bool take(std::string_view token) {
    if (!peek(token)) return false;
    at_ += token.size();
    return true;
  }
  bool take_word(std::string_view word) {
    if (!peek(word) || (at_ + word.size() < text_.size() && is_name_byte(text_[at_ + word.size()]))) return false;
    at_ += word.size();
    return true;
  }
  bool at_filter() { return peek("|=") || peek("|~") || peek("!=") || peek("!~"); }

  Result<MetricCondition::Term> term() {
    MetricCondition::Term out;
    skip_space();
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name_byte(text_[at_])) ++at_;
    out.name = text_.substr(begin, at_ - begin);
    if (out.name.empty()) return error("expected a name");
    static constexpr std::pair<std::string_view, Op> kOps[] = {
        {"==", Op::kEqual},    {"=~", Op::kRegex},       {"=", Op::kEqual},
        {"!=", Op::kNotEqual}, {"!~", Op::kNotRegex},    {">=", Op::kGreaterOrEqual},
        {">", Op::kGreater},   {"<=", Op::kLessOrEqual}, {"<", Op::kLess},
    };
    const auto* op =
        std::find_if(std::begin(kOps), std::end(kOps), [this](const auto& item) { return take(item.first); });
    if (op == std::end(kOps)) return error("expected an operator");
    out.op = op->second;
    skip_space();
    const std::size_t value_at = at_;
    KVASIR_TRY(out.text, value());
    if (out.op == Op::kRegex || out.op == Op::kNotRegex) {
      auto regex = compile_regex(out.text, {.anchored = true});
      if (!regex) return at_ = value_at, error(regex.error().message());
      out.regex = std::move(*regex);
    } else if (out.op >= Op::kGreater) {
      const auto number = parse_go_float(out.text);
      if (!number) return at_ = value_at, error("expected a number");
      out.number = *number;
    }
    return out;
  }

  Result<std::string> value() {
    skip_space();
    if (at_ == text_.size()) return error("expected a value");
    const char quote = text_[at_];
    if (quote == '"' || quote == '\'' || quote == '`') return quoted(quote);
    const std::size_t begin = at_;
    while (at_ < text_.size() && (is_name_byte(text_[at_]) || text_[at_] == '+')) ++at_;
    std::string number(text_.substr(begin, at_ - begin));
    if (!parse_go_float(number)) return at_ = begin, error("expected a quoted text or a number");
    return number;
  }

  Result<std::string> quoted(char quote) {
    std::string out;
    const std::size_t begin = at_++;
    for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
      const bool escape = text_[at_] == '\\' && quote != '`' && at_ + 1 < text_.size();
      if (!escape) {
        out += text_[at_];
        continue;
      }
      ++at_;
      // As in Go, except that an unknown escape keeps its backslash: `\d` is meant as a regex.
      if (std::string_view("ntr\\\"'").find(text_[at_]) == std::string_view::npos) out += '\\';
      out += unescaped(text_[at_]);
    }
    if (at_ == text_.size()) return at_ = begin, error("unterminated text");
    ++at_;
    return out;
  }

  Result<LineCondition> filter() {
    static constexpr std::string_view kOps[] = {"|=", "|~", "!=", "!~"};
    const auto* op =
        std::find_if(std::begin(kOps), std::end(kOps), [this](std::string_view token) { return take(token); });
    if (op == std::end(kOps)) return error("unexpected text");
    KVASIR_TRY(const std::string text, value());
    auto condition = LineCondition::create(*op, {text});
    if (!condition) return error(condition.error().message());
    return condition;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Result<MetricCondition> MetricCondition::parse(std::string_view text) { return MetricConditionParser(text).run(); }

bool MetricCondition::term_holds(const Term& term, std::string_view value) {
  switch (term.op) {
    case Op::kEqual: return value == term.text;
    case Op::kNotEqual: return value != term.text;
    case Op::kRegex: return re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *term.regex);
    case Op::kNotRegex: return !re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *term.regex);
    default: break;
  }
  const auto number = parse_go_float(value);
  if (!number) return false;
  switch (term.op) {
    case Op::kGreater: return *number > term.number;
    case Op::kGreaterOrEqual: return *number >= term.number;
    case Op::kLess: return *number < term.number;
    default: return *number <= term.number;
  }
}

bool MetricCondition::holds(const Entry& entry) const {
  NumberText scratch;
  for (const Term& term : terms_) {
    const Value value = entry.extracted().get(term.name);
    const std::string_view text =
        value.missing() ? entry.labels()->labels.value_or_empty(term.name) : value_text(value, scratch);
    if (!term_holds(term, text)) return false;
  }
  return std::all_of(filters_.begin(), filters_.end(), [&](const LineCondition& f) { return f.holds(entry.line()); });
}

}  // namespace kvasir::agent
