#include "server/query_checks.h"

#include <algorithm>
#include <functional>

#include "common/number.h"
#include "common/regex.h"
#include "logql/syntax/printer.h"

namespace kvasir::server {
namespace {

Unexpected bad(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

/// Calls `visit` for every log range of the tree.
void for_each_range(const logql::Expr& expr, const std::function<void(const logql::LogRange&)>& visit) {
  const auto into = [&](const logql::ExprPtr& child) {
    if (child != nullptr) for_each_range(*child, visit);
  };
  if (const auto* range = std::get_if<logql::RangeAggregation>(&expr.node)) return visit(range->range);
  if (const auto* vector = std::get_if<logql::VectorAggregation>(&expr.node)) return into(vector->operand);
  if (const auto* replace = std::get_if<logql::LabelReplace>(&expr.node)) return into(replace->operand);
  if (const auto* variable = std::get_if<logql::LetVariable>(&expr.node)) return into(variable->value);
  if (const auto* variants = std::get_if<logql::Variants>(&expr.node)) return visit(variants->range);
  if (const auto* binary = std::get_if<logql::BinaryOperation>(&expr.node)) {
    into(binary->left);
    into(binary->right);
  } else if (const auto* let = std::get_if<logql::LetExpression>(&expr.node)) {
    for (const auto& binding : let->bindings) into(binding.value);
    into(let->body);
  }
}

/// REQUIRES: b is not negative.
Duration saturating_sum(Duration a, Duration b) { return a > Duration::max() - b ? Duration::max() : a + b; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::uint32_t fnv1(std::string_view text) {
  std::uint32_t hash = 2166136261u;
  for (const char c : text) hash = (hash * 16777619u) ^ static_cast<unsigned char>(c);
  return hash;
}

bool tags_match(const BlockedQuery& blocked, std::string_view tags) {
  return std::all_of(blocked.query_tags.begin(), blocked.query_tags.end(), [&](const auto& wanted) {
    for (std::size_t at = 0; at < tags.size();) {
      const std::size_t comma = std::min(tags.find(',', at), tags.size());
      const auto pair = trimmed(tags.substr(at, comma - at));
      const std::size_t equals = pair.find('=');
      if (equals != std::string_view::npos && trimmed(pair.substr(0, equals)) == wanted.first &&
          trimmed(pair.substr(equals + 1)) == wanted.second) {
        return true;
      }
      at = comma + 1;
    }
    return false;
  });
}

bool text_matches(const BlockedQuery& blocked, std::string_view text, const std::string& printed) {
  if (blocked.hash) return fnv1(text) == *blocked.hash;
  if (blocked.pattern.empty()) return true;
  const auto pattern = trimmed(blocked.pattern);
  if (pattern == trimmed(text) || pattern == trimmed(printed)) return true;
  if (!blocked.regex) return false;
  const auto regex = compile_regex(blocked.pattern, {});
  return regex && (re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), **regex) ||
                   re2::RE2::PartialMatch(printed, **regex));
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

Result<void> check_selector(const logql::Selector& selector, const QuerySettings& settings) {
  std::vector<std::string> present;
  for (const auto& matcher : selector.matchers) present.push_back(matcher.name());
  std::vector<std::string> missing;
  for (const auto& name : settings.required_labels) {
    if (std::find(present.begin(), present.end(), name) == present.end()) missing.push_back(name);
  }
  if (!missing.empty()) {
    return bad("stream selector is missing required matchers [" + joined(missing) +
               "], labels present in the query were [" + joined(present) + "]");
  }
  if (present.size() < settings.minimum_labels_number) {
    return bad("stream selector has less label matchers than required: (present: [" + joined(present) +
               "], number_present: " + std::to_string(present.size()) +
               ", required_number_label_matchers: " + std::to_string(settings.minimum_labels_number) + ")");
  }
  return {};
}

}  // namespace

std::string_view query_kind(const logql::Expr& expr) {
  const auto* log = std::get_if<logql::LogQuery>(&expr.node);
  if (log == nullptr || log->has_stats()) return "metric";
  return log->stages.empty() && log->pipes.empty() ? "limited" : "filter";
}

Result<void> check_blocked(const logql::Expr& expr, std::string_view text, std::string_view tags,
                           const QuerySettings& settings) {
  if (settings.blocked_queries.empty()) return {};
  const std::string printed = logql::print(expr);
  const auto kind = query_kind(expr);
  for (const auto& blocked : settings.blocked_queries) {
    const bool type_fits =
        blocked.types.empty() || std::find(blocked.types.begin(), blocked.types.end(), kind) != blocked.types.end();
    if (type_fits && tags_match(blocked, tags) && text_matches(blocked, text, printed))
      return bad("query blocked by policy");
  }
  return {};
}

Result<void> check_empty_selectors(const logql::Expr& expr, const QuerySettings& settings) {
  if (settings.allow_empty_selector) return {};
  for (const auto* selector : logql::collect_selectors(expr)) {
    if (!selector->matchers.empty()) continue;
    return fail(ErrorCode::kParse,
                "parse error : queries require at least one regexp or equality matcher that does not have an "
                "empty-compatible value. "
                "For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will");
  }
  return {};
}

Result<void> check_matcher_count(const logql::Expr& expr, const QuerySettings& settings) {
  const auto limit = settings.max_streams_matchers_per_query;
  if (limit == 0) return {};
  for (const auto* selector : logql::collect_selectors(expr)) {
    if (selector->matchers.size() > limit) {
      return bad("max streams matchers per query exceeded, matchers-count > limit (" +
                 std::to_string(selector->matchers.size()) + " > " + std::to_string(limit) + ")");
    }
  }
  return {};
}

Result<void> check_required_labels(const logql::Expr& expr, const QuerySettings& settings) {
  if (settings.required_labels.empty() && settings.minimum_labels_number == 0) return {};
  for (const auto* selector : logql::collect_selectors(expr)) KVASIR_CHECK_OK(check_selector(*selector, settings));
  return {};
}

Result<void> check_range_width(const logql::Expr& expr, const QuerySettings& settings) {
  const Duration limit = settings.max_query_range;
  if (limit.count() <= 0) return {};
  Duration widest{0};
  for_each_range(expr, [&](const logql::LogRange& range) { widest = std::max(widest, range.range); });
  if (widest <= limit) return {};
  return bad("[interval] value exceeds limit: [" + format_prometheus_duration(widest) + "] > [" +
             format_prometheus_duration(limit) + "]");
}

Duration query_length(const logql::Expr& expr, Duration between) {
  Duration before{0};
  for_each_range(expr, [&](const logql::LogRange& range) {
    before = std::max(before, saturating_sum(range.range, std::max(range.offset, Duration(0))));
  });
  return saturating_sum(between, before);
}

Result<void> check_entry_limit(std::uint32_t limit, const QuerySettings& settings) {
  const auto most = settings.max_entries_limit_per_query;
  if (most == 0 || limit <= most) return {};
  return bad("max entries limit per query exceeded, limit > max_entries_limit_per_query (" + std::to_string(limit) +
             " > " + std::to_string(most) + ")");
}

}  // namespace kvasir::server
