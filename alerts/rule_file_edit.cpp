#include "alerts/rule_file_edit.h"

#include <algorithm>

#include "alerts/yaml_source.h"

namespace kvasir::alerts {
namespace {

using Lines = std::vector<std::string>;  // each with its line end

struct Span {  // [begin, end) of lines
  std::size_t begin = 0;
  std::size_t end = 0;
};

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  if (!lines.empty() && !lines.back().ends_with('\n')) lines.back() += '\n';
  return lines;
}

std::string joined(const Lines& lines) {
  std::string text;
  for (const auto& line : lines) text += line;
  return text;
}

std::size_t indent_of(std::string_view line) { return std::min(line.find_first_not_of(' '), line.size()); }

// No blank line and no comment.
bool has_content(std::string_view line) {
  const auto first = line.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && line[first] != '#';
}

bool is_item(std::string_view line) {
  line.remove_prefix(indent_of(line));
  return line.starts_with("- ") || line.starts_with("-\n") || line.starts_with("-\r");
}

// The lines of an item of a block sequence: from its dash to the last one that is indented more.
std::optional<Span> lines_of_group(const Lines& lines, const RuleGroup& group) {
  Span span;
  span.begin = static_cast<std::size_t>(std::max(group.line, 1)) - 1;
  if (span.begin >= lines.size()) return std::nullopt;
  while (!is_item(lines[span.begin]) && span.begin > 0 && !has_content(lines[span.begin - 1])) --span.begin;
  if (!is_item(lines[span.begin]) && span.begin > 0) --span.begin;
  if (!is_item(lines[span.begin])) return std::nullopt;
  const std::size_t indent = indent_of(lines[span.begin]);
  span.end = span.begin + 1;
  for (std::size_t i = span.end; i < lines.size(); ++i) {
    if (!has_content(lines[i])) continue;
    if (indent_of(lines[i]) <= indent) break;
    span.end = i + 1;
  }
  return span;
}

Lines item_lines(const RuleGroup& group, std::size_t indent) {
  return lines_of(list_item(rule_group_yaml(group), std::string(indent, ' ')));
}

void exchange(Lines& lines, const Span& span, const Lines& fresh) {
  const auto begin = lines.begin() + static_cast<std::ptrdiff_t>(span.begin);
  const auto place = lines.erase(begin, begin + static_cast<std::ptrdiff_t>(span.end - span.begin));
  lines.insert(place, fresh.begin(), fresh.end());
}

// A file without groups: `groups:` with nothing or `[]` behind it, or no key at all.
bool add_first(Lines& lines, const YamlNode& root, const RuleGroup& group) {
  Lines fresh = item_lines(group, 2);
  fresh.insert(fresh.begin(), "groups:\n");
  const auto key = std::find_if(root.entries.begin(), root.entries.end(),
                                [](const YamlNode::Entry& entry) { return entry.key == "groups"; });
  if (key == root.entries.end()) {
    lines.insert(lines.end(), fresh.begin(), fresh.end());
    return root.is_null();
  }
  const auto line = static_cast<std::size_t>(std::max(key->line, 1)) - 1;
  if (line >= lines.size() || !lines[line].starts_with("groups:")) return false;
  exchange(lines, {line, line + 1}, fresh);
  return true;
}

struct RuleFile {
  YamlNode root;
  std::vector<RuleGroup> groups;
};

Result<RuleFile> read(std::string_view text) {
  RuleFile file;
  KVASIR_TRY(file.root, parse_yaml(text));
  KVASIR_TRY(file.groups, parse_rule_file(text));
  return file;
}

std::string other_keys(const YamlNode& root) {
  std::string text;
  for (const auto& entry : root.entries) {
    if (entry.key == "groups") continue;
    YamlNode one;
    one.kind = YamlNode::Kind::kMap;
    one.entries.push_back(entry);
    text += yaml_source(one);
  }
  return text;
}

// The text if it reads as the groups that are meant, else the file printed anew.
std::string checked(const Lines& lines, const RuleFile& before, const std::vector<RuleGroup>& meant) {
  const std::string printed = other_keys(before.root) + rule_file_yaml(meant);
  const std::string text = joined(lines);
  const auto reread = read(text);
  const auto wanted = read(printed);
  if (!reread || !wanted) return printed;
  const bool same = std::equal(reread->groups.begin(), reread->groups.end(), wanted->groups.begin(),
                               wanted->groups.end(), [](const auto& a, const auto& b) { return a.source == b.source; });
  return same && other_keys(reread->root) == other_keys(before.root) ? text : printed;
}

}  // namespace

Result<std::string> with_group(std::string_view text, const RuleGroup& group) {
  KVASIR_TRY(const RuleFile before, read(text));
  Lines lines = lines_of(text);
  std::vector<RuleGroup> meant = before.groups;
  const auto same = std::find_if(meant.begin(), meant.end(), [&](const RuleGroup& g) { return g.name == group.name; });
  const bool is_new = same == meant.end();
  const auto span = meant.empty() ? std::nullopt : lines_of_group(lines, is_new ? meant.back() : *same);
  bool edited = span.has_value();
  if (span) {
    const std::size_t indent = indent_of(lines[span->begin]);
    exchange(lines, is_new ? Span{span->end, span->end} : *span, item_lines(group, indent));
  } else if (meant.empty()) {
    edited = add_first(lines, before.root, group);
  }
  if (is_new) {
    meant.push_back(group);
  } else {
    *same = group;
  }
  if (!edited) lines.clear();
  return checked(lines, before, meant);
}

Result<std::optional<std::string>> without_group(std::string_view text, const std::string& name) {
  KVASIR_TRY(const RuleFile before, read(text));
  std::vector<RuleGroup> meant = before.groups;
  const auto gone = std::find_if(meant.begin(), meant.end(), [&](const RuleGroup& g) { return g.name == name; });
  if (gone == meant.end()) return std::optional<std::string>();
  Lines lines = lines_of(text);
  const auto span = lines_of_group(lines, *gone);
  if (span) exchange(lines, *span, {});
  if (!span) lines.clear();
  meant.erase(gone);
  return std::optional(checked(lines, before, meant));
}

}  // namespace kvasir::alerts
