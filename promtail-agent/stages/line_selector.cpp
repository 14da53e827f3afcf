#include "promtail-agent/stages/line_selector.h"

#include <algorithm>

#include "logql/syntax/parser.h"

namespace kvasir::agent {
namespace {

Result<LineCondition> condition_of(const logql::Stage& stage) {
  const auto* filter = std::get_if<logql::LineFilter>(&stage);
  if (filter == nullptr) return fail(ErrorCode::kParse, "parse error: only line filters may follow the selector");
  std::vector<std::string> texts;
  for (const auto& argument : filter->arguments) {
    if (argument.is_ip) return fail(ErrorCode::kParse, "parse error: ip() filters are not supported here");
    texts.push_back(argument.text);
  }
  return LineCondition::create(logql::line_filter_op_text(filter->op), texts);
}

// A query needs a matcher that an absent label does not satisfy; a selector of ours does not. One is put in front where
// the parser misses it, and taken off again.
Result<logql::LogQuery> parse_any_selector(std::string_view text) {
  auto query = logql::parse_log_query(text);
  const std::size_t brace = text.find('{');
  const bool refused = !query && query.error().message().find("empty-compatible") != std::string::npos;
  if (!refused || brace == std::string_view::npos) return query;
  std::string widened(text);
  widened.insert(brace + 1, "any=~\".+\",");
  KVASIR_TRY(logql::LogQuery out, logql::parse_log_query(widened));
  out.selector.matchers.erase(out.selector.matchers.begin());
  return out;
}

}  // namespace

Result<LineCondition> LineCondition::create(std::string_view op, const std::vector<std::string>& texts) {
  LineCondition out;
  out.negated_ = op.starts_with('!');
  if (op == "|=" || op == "!=") {
    out.literals_ = texts;
    return out;
  }
  if (op != "|~" && op != "!~")
    return fail(ErrorCode::kParse, "parse error: filter " + std::string(op) + " is not supported here");
  for (const std::string& text : texts) {
    KVASIR_TRY(LineRegex regex, LineRegex::compile(text));
    out.regexes_.push_back(std::move(regex));
  }
  return out;
}

bool LineCondition::holds(std::string_view line) const {
  const bool found =
      std::any_of(literals_.begin(), literals_.end(),
                  [&](const auto& text) { return line.find(text) != std::string_view::npos; }) ||
      std::any_of(regexes_.begin(), regexes_.end(), [&](const LineRegex& regex) { return regex.search(line); });
  return found != negated_;
}

Result<LineSelector> LineSelector::parse(std::string_view text) {
  KVASIR_TRY(auto query, parse_any_selector(text));
  if (query.selector.matchers.empty())
    return fail(ErrorCode::kParse, "parse error at line 1, col 2: syntax error: unexpected }, expecting IDENTIFIER");
  if (!query.pipes.empty()) return fail(ErrorCode::kParse, "parse error: only line filters may follow the selector");
  LineSelector out;
  out.matchers_ = std::move(query.selector.matchers);
  for (const logql::Stage& stage : query.stages) {
    KVASIR_TRY(LineCondition condition, condition_of(stage));
    out.conditions_.push_back(std::move(condition));
  }
  return out;
}

bool LineSelector::matches(const LabelSet& labels, std::string_view line) const {
  return std::all_of(matchers_.begin(), matchers_.end(),
                     [&](const LabelMatcher& m) { return m.matches(labels.labels); }) &&
         std::all_of(conditions_.begin(), conditions_.end(), [&](const LineCondition& c) { return c.holds(line); });
}

}  // namespace kvasir::agent
