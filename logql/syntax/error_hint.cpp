#include "logql/syntax/error_hint.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <vector>

#include "common/nearest_word.h"
#include "common/utf8.h"

namespace kvasir::logql {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string_view trimmed_end(std::string_view text) {
  const auto end = text.find_last_not_of(" \t\r\n");
  return end == std::string_view::npos ? std::string_view() : text.substr(0, end + 1);
}

/// Takes the word at the end of `text` off it.
std::string_view take_last_word(std::string_view& text) {
  text = trimmed_end(text);
  std::size_t begin = text.size();
  while (begin > 0 && is_word(text[begin - 1])) --begin;
  const auto word = text.substr(begin);
  text = trimmed_end(text.substr(0, begin));
  return word;
}

std::string_view first_word(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && is_word(text[end])) ++end;
  return text.substr(0, end);
}

constexpr std::array<std::string_view, 16> kStages = {
    "json",       "logfmt", "regexp", "pattern",  "unpack",  "unwrap", "line_format", "label_format",
    "decolorize", "drop",   "keep",   "order by", "sort by", "stats",  "limit",       "order"};
constexpr std::array<std::string_view, 29> kFunctions = {"count_over_time",
                                                         "rate",
                                                         "rate_counter",
                                                         "bytes_over_time",
                                                         "bytes_rate",
                                                         "avg_over_time",
                                                         "sum_over_time",
                                                         "min_over_time",
                                                         "max_over_time",
                                                         "stdvar_over_time",
                                                         "stddev_over_time",
                                                         "quantile_over_time",
                                                         "first_over_time",
                                                         "last_over_time",
                                                         "absent_over_time",
                                                         "sum",
                                                         "avg",
                                                         "count",
                                                         "max",
                                                         "min",
                                                         "stddev",
                                                         "stdvar",
                                                         "topk",
                                                         "bottomk",
                                                         "sort",
                                                         "sort_desc",
                                                         "approx_topk",
                                                         "label_replace",
                                                         "vector"};

struct Saying {
  std::string_view words;  // separated by blanks
  std::string_view hint;
};

bool names_word(std::string_view words, std::string_view word) {
  for (std::size_t at = words.find(word); at != std::string_view::npos; at = words.find(word, at + 1)) {
    const bool begins = at == 0 || words[at - 1] == ' ';
    if (begins && (at + word.size() == words.size() || words[at + word.size()] == ' ')) return true;
  }
  return false;
}

/// Words of other query languages where a stage stands.
constexpr Saying kStageSayings[] = {
    {"grep search contains match fgrep",
     "`|= \"text\"` keeps the lines that hold a text, `|~ \"regex\"` those that match a regex"},
    {"where filter",
     "a filter has no word in front: `| level=\"error\"`, `| status >= 500`, or `|= \"text\"` for the line"},
    {"head tail first last top take", "`| limit 10`, after `| order by field desc` if the order matters"},
    {"uniq distinct dedup unique count summarize group facet",
     "rows per value: `| stats count() as n by level | order by n desc`"},
    {"fields select project columns",
     "`| keep level, status` keeps these labels, `| line_format \"{{.msg}}\"` makes a line of them"},
    {"rename extend eval set",
     "`| label_format new=old` renames, `| label_format new=\"{{.a}} {{.b}}\"` makes a label"},
    {"format fmt print", "`| line_format \"{{.level}} {{.msg}}\"`"},
    {"parse extract rex grok kv",
     "`| json`, `| logfmt`, `| pattern \"<ip> <_> <path>\"` or `| regexp \"(?P<name>...)\"` read fields"},
    {"remove delete del", "`| drop label`"},
    {"avg sum min max p99 quantile percentile",
     "rows are made by `| stats avg(took), quantile(0.99, took) as p99 by service`"},
};

/// Functions of PromQL that are not there.
constexpr Saying kFunctionSayings[] = {
    {"increase delta",
     "lines are counted by count_over_time({...}[5m]); a counter in a field by rate_counter({...} | unwrap field "
     "[5m])"},
    {"irate deriv", "the rate of lines is rate({...}[5m])"},
    {"histogram_quantile quantile percentile", "quantile_over_time(0.99, {...} | unwrap field [5m]) by (label)"},
    {"count_values", "`{...} | stats count() as n by field` counts by value"},
    {"absent", "absent_over_time({...}[5m])"},
};

template <std::size_t N>
std::string_view saying(const Saying (&sayings)[N], std::string_view word) {
  for (const auto& known : sayings) {
    if (!word.empty() && names_word(known.words, word)) return known.hint;
  }
  return {};
}

std::string did_you_mean(std::string_view what) { return "did you mean `" + std::string(what) + "`?"; }

/// The query around the place of the error.
struct Place {
  std::string_view before;
  std::string_view at;
};

constexpr std::string_view kQuotes = "texts stand in double quotes or backticks: \"x\" or `x`";

std::string missing_quotes(const Place& place) {
  if (place.at.starts_with('\'')) return std::string(kQuotes);
  if (place.at.starts_with("{")) return "a template is a text: \"{{.name}}\", or in backticks";
  const auto word = first_word(place.at);
  return word.empty() ? "a text in double quotes or backticks belongs here"
                      : "texts stand in quotes: \"" + std::string(word) + "\"";
}

/// After `| word`, at what cannot follow it.
std::string stage_hint(const Place& place) {
  std::string_view rest = place.before;
  const std::string word = lower(take_last_word(rest));
  if (word.empty() || !rest.ends_with('|')) return {};
  if (const auto hint = saying(kStageSayings, word); !hint.empty()) return std::string(hint);
  if (const auto near = nearest_word(word, kStages))
    return did_you_mean("| " + (*near == "order" ? "order by" : *near));
  if (word == "limit") return "say how many: `| limit 10`";
  if (word == "sort" || word == "order") return "`| order by timestamp desc`, `| sort by count`";
  if (std::find(kStages.begin(), kStages.end(), word) != kStages.end()) return {};
  return "`" + word + "` is taken for a label here: compare it, as in `| " + word + "=\"value\"`";
}

std::string operator_hint(const Place& place) {
  const std::string_view before = trimmed_end(place.before);
  if (place.at.starts_with("==") && before.find('{') != std::string_view::npos &&
      before.find('}') == std::string_view::npos) {
    return "a selector compares with =, !=, =~ or !~";
  }
  if (before.ends_with("==") && place.at.starts_with('"'))
    return "texts are compared with a single =, as in `| level=\"error\"`";
  if (before.ends_with('=') && place.at.starts_with('>')) return did_you_mean(">=");
  if (before.ends_with('=') && place.at.starts_with('<')) return did_you_mean("<=");
  if (before.ends_with('|') && place.at.starts_with('=')) return did_you_mean("|=");
  const bool compares = before.ends_with('=') || before.ends_with("=~") || before.ends_with("!~");
  return compares && !first_word(place.at).empty() ? missing_quotes(place) : std::string();
}

std::string grouping_hint(const Place& place) {
  std::string_view rest = place.before;
  const std::string word = lower(take_last_word(rest));
  if (word != "by" && word != "without") return {};
  const auto label = first_word(place.at);
  return label.empty() ? std::string() : "labels stand in parentheses: " + word + " (" + std::string(label) + ")";
}

/// A word at the beginning of an expression that is no function.
std::string function_hint(const Place& place) {
  const std::string word = lower(first_word(place.at));
  if (word.empty()) return {};
  if (const auto hint = saying(kFunctionSayings, word); !hint.empty())
    return "there is no " + word + "; " + std::string(hint);
  const auto known = std::find(kFunctions.begin(), kFunctions.end(), word);
  if (known != kFunctions.end()) {
    auto rest = place.at.substr(word.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const std::string by = lower(first_word(rest));
    if (by == "by" || by == "without") return "labels stand in parentheses: " + word + " " + by + " (label) (...)";
    return {};
  }
  const auto near = nearest_word(word, kFunctions);
  return near ? did_you_mean(*near) : std::string();
}

/// A call whose parentheses are still open.
struct OpenCall {
  std::string function;  // lower case; empty: parentheses only
  std::string_view arguments;
};

std::optional<OpenCall> innermost_call(std::string_view before) {
  std::vector<std::size_t> open;
  char quote = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const char c = before[i];
    if (quote != 0) {
      if (c == '\\' && quote == '"') ++i;
      else if (c == quote) quote = 0;
    } else if (c == '"' || c == '`') {
      quote = c;
    } else if (c == '(') {
      open.push_back(i);
    } else if (c == ')' && !open.empty()) {
      open.pop_back();
    }
  }
  if (open.empty()) return std::nullopt;
  std::string_view head = before.substr(0, open.back());
  return OpenCall{lower(take_last_word(head)), before.substr(open.back() + 1)};
}

/// `sum_over_time({...} | unwrap took [5m])`; empty: not a function over a range.
std::string range_example(std::string_view function) {
  const bool ranged = function.ends_with("_over_time") || function.starts_with("rate") || function == "bytes_rate";
  if (!ranged) return {};
  const std::string name(function);
  if (name == "quantile_over_time") return "quantile_over_time(0.99, {...} | unwrap took [5m])";
  const bool lines = name == "count_over_time" || name == "absent_over_time" || name == "rate";
  return name + (lines || name.starts_with("bytes_") ? "({...} [5m])" : "({...} | unwrap took [5m])");
}

/// `count_over_time({app="x"})`: the range is missing; `topk(5, {app="x"})`: the function over a range is.
std::string range_hint(const Place& place) {
  const auto call = innermost_call(place.before);
  if (!place.at.starts_with(')') || !call) return {};
  if (const std::string example = range_example(call->function); !example.empty())
    return "say over which time: " + example;
  constexpr std::string_view kOverVectors[] = {"sum",    "avg",     "count", "max",  "min",       "stddev",
                                               "stdvar", "bottomk", "topk",  "sort", "sort_desc", "approx_topk"};
  if (std::find(std::begin(kOverVectors), std::end(kOverVectors), call->function) == std::end(kOverVectors)) return {};
  const auto selector = call->arguments.find('{');
  if (selector == std::string_view::npos) return {};
  const auto parameter = call->arguments.substr(0, selector);
  if (parameter.find_first_not_of(" 0123456789,") != std::string_view::npos) return {};
  return "logs have no value; count them first: " + call->function + "(" + std::string(parameter) +
         "count_over_time({...} [5m]))";
}

/// `topk(rate({...}[5m]), 5)`.
std::string parameter_hint(const Place& place) {
  const auto call = innermost_call(place.before);
  if (!place.at.starts_with(',') || !call) return {};
  constexpr std::string_view kWithNumber[] = {"topk", "bottomk", "approx_topk", "quantile_over_time"};
  if (std::find(std::begin(kWithNumber), std::end(kWithNumber), call->function) == std::end(kWithNumber)) return {};
  const auto begin = std::min(place.at.find_first_not_of(" ", 1), place.at.size());
  const auto rest = place.at.substr(begin);
  const auto number = rest.substr(0, rest.find_first_not_of("0123456789."));
  if (number.empty() || number.size() == rest.size()) return {};
  return "the number stands first: " + call->function + "(" + std::string(number) + ", ...)";
}

/// `let a = ...; b`: a name that is not bound.
std::string name_hint(const Place& place) {
  const auto word = first_word(place.at);
  if (word.empty() || lower(first_word(place.before)) != "let") return {};
  const auto rest = place.at.substr(word.size());
  if (rest.substr(std::min(rest.find_first_not_of(' '), rest.size())).starts_with('(')) return {};  // a function
  std::vector<std::string_view> bound;
  for (std::size_t at = 0; at < place.before.size();) {
    const auto next = first_word(place.before.substr(at));
    at += next.size();
    const auto name_at = place.before.find_first_not_of(" \t\r\n", at);
    if (lower(next) == "let" && name_at != std::string_view::npos)
      bound.push_back(first_word(place.before.substr(name_at)));
    if (next.empty()) ++at;
  }
  if (std::find(bound.begin(), bound.end(), word) != bound.end()) return {};
  const auto near = nearest_word(word, bound);
  return "no let binds `" + std::string(word) + "`" + (near ? "; " + did_you_mean(*near) : "");
}

std::string hint_at(const Place& place, std::string_view message) {
  const auto says = [&](std::string_view text) { return message.find(text) != std::string_view::npos; };
  if (says("not a valid duration string")) return "a range has a unit: [5m], [1h], [7d]";
  if (says("invalid char literal")) return std::string(kQuotes);
  if (says("unknown unit")) return "units are ms, s, m, h, d, w and y: [5m], [1h30m]";
  if (says("invalid char escape"))
    return "in double quotes a backslash is written twice: \"\\\\d+\"; in backticks it is not: `\\d+`";
  const std::string_view at = place.at;
  for (std::string hint : {grouping_hint(place), operator_hint(place), range_hint(place), parameter_hint(place),
                           stage_hint(place)}) {
    if (!hint.empty()) return hint;
  }
  if (says("expecting STRING") || says("or STRING")) return missing_quotes(place);
  if (says("unexpected IDENTIFIER") && !says("expecting")) {
    if (std::string hint = name_hint(place); !hint.empty()) return hint;
  }
  const std::string word = lower(first_word(at));
  if (word == "descending" || word == "ascending") return did_you_mean(word.substr(0, word.size() - 6));
  if (word == "and" || word == "or" || place.before.empty() || !says("expecting")) return function_hint(place);
  return {};
}

/// Errors without a place.
std::string hint_anywhere(std::string_view message) {
  const auto named = [&](std::string_view start, std::string_view end) -> std::string {
    const auto at = message.find(start);
    if (at == std::string_view::npos) return {};
    const auto rest = message.substr(at + start.size());
    const auto stop = end.empty() ? rest.size() : rest.find(end);
    return stop == std::string_view::npos ? std::string() : std::string(trimmed_end(rest.substr(0, stop)));
  };
  if (const auto op = named("invalid aggregation ", " without unwrap"); !op.empty()) {
    return "name the field whose numbers are meant: " + range_example(op);
  }
  if (const auto op = named("invalid aggregation ", " with unwrap"); !op.empty()) {
    return op + " counts lines; numbers are added by sum_over_time";
  }
  if (const auto op = named("grouping not allowed for ", " aggregation"); !op.empty()) {
    return "group around it: sum by (label) (" + op + "(...))";
  }
  if (const auto op = named("parameter required for operation ", ""); !op.empty()) {
    const std::string name(first_word(op));  // a client may say the status behind it
    return name == "quantile_over_time" ? range_example(name) : name + "(10, ...)";
  }
  if (message.find("empty-compatible value") != std::string_view::npos) {
    return "name at least one value, as in {app=\"web\"}; {} alone selects every stream";
  }
  if (message.find("unexpected type for") != std::string_view::npos) {
    return "logs have no value; count them first: count_over_time({...}[5m])";
  }
  return {};
}

/// Byte offset of a place, and the line that it is in.
struct Located {
  std::size_t offset = 0;
  std::string_view line;
  std::size_t in_line = 0;
};

std::optional<Located> locate(std::string_view query, SourcePosition position) {
  std::size_t begin = 0;
  for (std::uint32_t i = 1; i < position.line; ++i) {
    begin = query.find('\n', begin);
    if (begin == std::string_view::npos) return std::nullopt;
    ++begin;
  }
  const auto line = query.substr(begin, query.find('\n', begin) - begin);
  std::size_t at = 0;
  for (std::uint32_t i = 1; i < position.column && at < line.size(); ++i) at += decode_utf8(line.substr(at)).length;
  return Located{begin + at, line, at};
}

}  // namespace

std::optional<SourcePosition> error_position(std::string_view query, std::string_view message) {
  constexpr std::string_view kLine = "parse error at line ";
  constexpr std::string_view kColumn = ", col ";
  const auto at = message.find(kLine);
  if (at == std::string_view::npos) return std::nullopt;
  SourcePosition position;
  const char* const end = message.data() + message.size();
  auto read = std::from_chars(message.data() + at + kLine.size(), end, position.line);
  const auto rest = message.substr(static_cast<std::size_t>(read.ptr - message.data()));
  if (read.ec != std::errc() || !rest.starts_with(kColumn)) return std::nullopt;
  read = std::from_chars(rest.data() + kColumn.size(), end, position.column);
  if (read.ec != std::errc()) return std::nullopt;
  if (position.line == 0 && query.find('\n') == std::string_view::npos) position.line = 1;
  return position.line == 0 ? std::nullopt : std::optional(position);
}

std::string error_hint(std::string_view query, std::string_view message) {
  // Our own syntax says already what to write.
  if (message.find("did you mean") != std::string_view::npos ||
      message.find("write for example") != std::string_view::npos)
    return {};
  const auto position = error_position(query, message);
  const auto located = position ? locate(query, *position) : std::nullopt;
  if (!located) return hint_anywhere(message);
  return hint_at({query.substr(0, located->offset), query.substr(located->offset)}, message);
}

std::string explain_query_error(std::string_view query, std::string_view message) {
  std::string out(trimmed_end(message));
  const auto position = error_position(query, message);
  if (const auto located = position ? locate(query, *position) : std::nullopt) {
    out += "\n  " + std::string(located->line) + "\n  ";
    // Tabs stay tabs, so that the caret stands below its character.
    for (std::size_t i = 0; i < located->in_line; i += decode_utf8(located->line.substr(i)).length) {
      out += located->line[i] == '\t' ? '\t' : ' ';
    }
    out += '^';
  }
  if (const std::string hint = error_hint(query, message); !hint.empty()) out += "\nhint: " + hint;
  return out;
}

}  // namespace kvasir::logql
