#include <algorithm>
#include <utility>

#include "logql/syntax/printer.h"
#include "logql/syntax/stage_parser.h"

namespace kvasir::logql {
namespace {

using enum TokenKind;

constexpr std::string_view kOrderHint =
    "write for example `| order by timestamp desc` or `| sort by count desc, service`";
constexpr std::string_view kStatsHint = "write for example `| stats count() as n, quantile(0.99, took) by service`";

Result<std::string> parse_field(TokenStream& tokens, std::string_view hint) {
  if (!tokens.at_word()) return fail(tokens.unexpected_with_hint("a field name", hint));
  return tokens.take().text;
}

/// In `timestamp, desc` the direction was meant: behind a time a second key decides next to nothing.
Error misplaced_direction(TokenStream& tokens, const Token& word) {
  return tokens.complain(word, "syntax error: '" + word.text + "' is a field here; did you mean `timestamp " +
                                   word.text + "`? A field of this name: `" + word.text + " asc`");
}

/// The next key, behind `before`.
Result<OrderKey> parse_order_key(TokenStream& tokens, const std::vector<OrderKey>& before) {
  OrderKey key;
  const Token word = tokens.peek();
  KVASIR_TRY(key.field, parse_field(tokens, kOrderHint));
  key.descending = tokens.at_word("desc");
  const bool has_direction = key.descending || tokens.at_word("asc");
  if (has_direction) tokens.take();
  const bool is_direction = word.text == "desc" || word.text == "asc";
  if (is_direction && !has_direction && !before.empty() && before.back().field == "timestamp") {
    return fail(misplaced_direction(tokens, word));
  }
  return key;
}

/// `by` is next.
Result<Pipe> parse_order_by(TokenStream& tokens) {
  tokens.take();
  const bool in_parens = tokens.accept(kOpenParen);
  OrderBy order;
  do {
    KVASIR_TRY(auto key, parse_order_key(tokens, order.keys));
    order.keys.push_back(std::move(key));
  } while (tokens.accept(kComma));
  if (in_parens && !tokens.accept(kCloseParen)) return fail(tokens.unexpected_with_hint(", or )", kOrderHint));
  const bool all_descending = in_parens && tokens.at_word("desc");
  if (all_descending || (in_parens && tokens.at_word("asc"))) tokens.take();
  for (auto& key : order.keys) key.descending = key.descending || all_descending;
  return order;
}

constexpr std::pair<std::string_view, StatsFunction> kFunctions[] = {
    {"count", StatsFunction::kCount},
    {"sum", StatsFunction::kSum},
    {"avg", StatsFunction::kAvg},
    {"min", StatsFunction::kMin},
    {"max", StatsFunction::kMax},
    {"count_distinct", StatsFunction::kCountDistinct},
    {"quantile", StatsFunction::kQuantile},
};

Result<StatsFunction> parse_stats_function(TokenStream& tokens) {
  const auto known = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                  [&](const auto& item) { return tokens.at_word(item.first); });
  if (known == std::end(kFunctions)) {
    return fail(tokens.unexpected_with_hint("count, sum, avg, min, max, count_distinct or quantile", kStatsHint));
  }
  tokens.take();
  return known->second;
}

Result<void> parse_quantile_value(TokenStream& tokens, StatsColumn& column) {
  if (!tokens.at(kNumber)) return fail(tokens.unexpected_with_hint("a number from 0 to 1", kStatsHint));
  const Token number = tokens.take();
  const auto value = number_value(number.text);
  if (!value || *value > 1)
    return fail(tokens.complain(number, "quantile must be a number from 0 to 1: " + number.text));
  column.quantile = *value;
  if (!tokens.accept(kComma)) return fail(tokens.unexpected_with_hint(", and a field", kStatsHint));
  return {};
}

Result<StatsColumn> parse_stats_column(TokenStream& tokens) {
  StatsColumn column;
  KVASIR_TRY(column.function, parse_stats_function(tokens));
  if (!tokens.accept(kOpenParen)) return fail(tokens.unexpected_with_hint("(", kStatsHint));
  if (column.function == StatsFunction::kQuantile) KVASIR_CHECK_OK(parse_quantile_value(tokens, column));
  if (column.function != StatsFunction::kCount || !tokens.at(kCloseParen)) {
    KVASIR_TRY(column.field, parse_field(tokens, kStatsHint));
  }
  column.name = print_stats_call(column);
  if (!tokens.accept(kCloseParen)) return fail(tokens.unexpected_with_hint(")", kStatsHint));
  if (!tokens.at_word("as")) return column;
  tokens.take();
  KVASIR_TRY(column.name, parse_field(tokens, kStatsHint));
  return column;
}

Result<std::vector<std::string>> parse_by_fields(TokenStream& tokens) {
  std::vector<std::string> fields;
  const bool in_parens = tokens.accept(kOpenParen);
  if (in_parens && tokens.accept(kCloseParen)) return fields;
  do {
    KVASIR_TRY(auto field, parse_field(tokens, kStatsHint));
    fields.push_back(std::move(field));
  } while (tokens.accept(kComma));
  if (in_parens && !tokens.accept(kCloseParen)) return fail(tokens.unexpected_with_hint(", or )", kStatsHint));
  return fields;
}

/// The names of a row must differ: a filter could not tell them apart.
Result<void> check_stats_names(TokenStream& tokens, const Stats& stats) {
  std::vector<std::string> names = stats.by;
  for (const auto& column : stats.columns) names.push_back(column.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return {};
  return fail(tokens.complain(tokens.peek(), "stats has two columns named '" + *twice + "'; name one with `as`"));
}

Result<Pipe> parse_stats(TokenStream& tokens) {
  Stats stats;
  do {
    KVASIR_TRY(auto column, parse_stats_column(tokens));
    stats.columns.push_back(std::move(column));
  } while (tokens.accept(kComma));
  if (tokens.accept(kBy)) {
    KVASIR_TRY(stats.by, parse_by_fields(tokens));
  }
  KVASIR_CHECK_OK(check_stats_names(tokens, stats));
  return stats;
}

Result<Pipe> parse_limit(TokenStream& tokens) {
  const Token number = tokens.take();
  const auto value = number_value(number.text);
  if (!value || *value < 1 || *value > 1e15 || *value != static_cast<double>(static_cast<std::uint64_t>(*value))) {
    return fail(tokens.complain(number, "limit must be a whole number above 0: " + number.text));
  }
  return Limit{static_cast<std::uint64_t>(*value)};
}

bool is_label_operator(TokenKind kind) {
  static constexpr TokenKind kOperators[] = {kAssign, kEqual, kNotEqual, kRegexMatch, kNotRegexMatch,
                                             kGreater, kGreaterOrEqual, kLess, kLessOrEqual};
  return std::find(std::begin(kOperators), std::end(kOperators), kind) != std::end(kOperators);
}

/// One letter more, less or other, or two neighbours swapped.
bool one_slip_apart(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty() && a.front() == b.front()) {
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  while (!a.empty() && !b.empty() && a.back() == b.back()) {
    a.remove_suffix(1);
    b.remove_suffix(1);
  }
  const bool swapped = a.size() == 2 && b.size() == 2 && a[0] == b[1] && a[1] == b[0];
  return swapped || std::max(a.size(), b.size()) == 1;
}

/// What a mistyped name of a pipe was probably meant to be; empty if nothing is near.
std::string_view probably_meant(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> kPipes[] = {
      {"order", "did you mean `| order by`?"},
      {"sort", "did you mean `| sort by`?"},
      {"stats", "did you mean `| stats`?"},
      {"limit", "did you mean `| limit`?"},
  };
  for (const auto& [pipe, hint] : kPipes) {
    if (name.size() >= 3 && one_slip_apart(name, pipe)) return hint;
  }
  return {};
}

}  // namespace

Result<std::optional<Pipe>> parse_pipe(TokenStream& tokens, const Token& word) {
  const auto wrap = [](Result<Pipe> pipe) -> Result<std::optional<Pipe>> {
    if (!pipe) return fail(std::move(pipe).error());
    return std::optional<Pipe>(std::move(*pipe));
  };
  std::string name = word.text;
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (name == "order" || name == "sort") {
    if (tokens.at(kBy)) return wrap(parse_order_by(tokens));
    if (word.kind == kSort || tokens.at_word()) return fail(tokens.unexpected_with_hint("by", kOrderHint));
  }
  if (name == "stats" && tokens.at_word()) return wrap(parse_stats(tokens));
  if (name == "stats" && !is_label_operator(tokens.kind())) {
    return fail(tokens.unexpected_with_hint("a function", kStatsHint));
  }
  if (name == "limit" && tokens.at(kNumber)) return wrap(parse_limit(tokens));
  // A label filter needs an operator here, so this cannot be one.
  if (const auto hint = probably_meant(name); !hint.empty() && !is_label_operator(tokens.kind())) {
    return fail(tokens.unexpected_with_hint("a comparison", hint));
  }
  return std::optional<Pipe>();
}

}  // namespace kvasir::logql
