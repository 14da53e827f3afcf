#include "logql/syntax/stage_checks.h"

#include <algorithm>
#include <set>
#include <vector>

#include "common/regex.h"

namespace kvasir::logql {
namespace {

/// Names of the named groups, in order, duplicates kept. RE2 refuses duplicates with words of its own, so they are
/// looked for before it sees the text.
std::vector<std::string_view> group_names(std::string_view regex) {
  std::vector<std::string_view> names;
  bool in_class = false;
  for (std::size_t i = 0; i < regex.size(); ++i) {
    if (regex[i] == '\\') {
      if (regex.substr(i, 2) == "\\Q") i = std::min(regex.find("\\E", i), regex.size());
      ++i;
    } else if (in_class) {
      in_class = regex[i] != ']';
    } else if (regex[i] == '[') {
      in_class = true;
      // A bracket that comes first stands for itself.
      if (regex.substr(i + 1, 1) == "^") ++i;
      if (regex.substr(i + 1, 1) == "]") ++i;
    } else if (regex.substr(i, 4) == "(?P<" || (regex.substr(i, 3) == "(?<" && regex.substr(i, 4) != "(?<=")) {
      const auto begin = regex.find('<', i) + 1;
      const auto end = regex.find('>', begin);
      if (end == std::string_view::npos) break;
      names.push_back(regex.substr(begin, end - begin));
    }
  }
  return names;
}

/// RE2 takes any letters of Unicode; Go does not.
bool is_group_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  });
}

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/// The length of `<name>` at the start of the text, or 0.
std::size_t capture_length(std::string_view text) {
  if (text.size() < 3 || text[0] != '<' || !is_name_start(text[1])) return 0;
  std::size_t i = 2;
  while (i < text.size() && (is_name_start(text[i]) || (text[i] >= '0' && text[i] <= '9'))) ++i;
  return i < text.size() && text[i] == '>' ? i + 1 : 0;
}

}  // namespace

std::string regexp_parser_problem(std::string_view expression) {
  const auto names = group_names(expression);
  std::set<std::string_view> seen;
  for (const auto name : names) {
    if (!is_group_name(name)) return "error parsing regexp: invalid named capture: `(?P<" + std::string(name) + ">`";
    if (!seen.insert(name).second) return "duplicate extracted label name '" + std::string(name) + "'";
  }
  const auto regex = compile_regex(expression, {});
  if (!regex) return regex.error().message();
  if ((*regex)->NamedCapturingGroups().empty()) return "at least one named capture must be supplied";
  return {};
}

std::string pattern_parser_problem(std::string_view expression) {
  if (expression.empty()) {
    return "parse error at line 1, col 1: syntax error: unexpected $end, expecting IDENTIFIER or LITERAL";
  }
  std::vector<std::string_view> names;
  std::string consecutive;
  std::string_view previous;
  for (auto rest = expression; !rest.empty();) {
    const std::size_t n = capture_length(rest);
    if (n == 0) {
      previous = {};
      rest.remove_prefix(1);
      continue;
    }
    const auto capture = rest.substr(0, n);
    if (!previous.empty() && consecutive.empty()) consecutive = std::string(previous) + std::string(capture);
    if (capture != "<_>") names.push_back(capture.substr(1, n - 2));
    previous = capture;
    rest.remove_prefix(n);
  }
  if (names.empty()) return "at least one capture is required";
  if (!consecutive.empty()) return "found consecutive capture '" + consecutive + "': invalid expression";
  std::set<std::string_view> seen;
  for (const auto name : names) {
    if (!seen.insert(name).second) return "duplicate capture name (" + std::string(name) + "): invalid expression";
  }
  return {};
}

}  // namespace kvasir::logql
