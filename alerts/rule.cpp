#include "alerts/rule.h"

#include <fmt/format.h>

#include "alerts/alert_template.h"
#include "alerts/yaml_source.h"
#include "common/number.h"
#include "logql/syntax/parser.h"
#include "logql/syntax/printer.h"

namespace kvasir::alerts {
namespace {

Unexpected refuse(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

std::string text_of(const YamlNode& node, std::string_view key) {
  const YamlNode* found = node.find(key);
  return found == nullptr ? "" : found->as_text().value_or("");
}

Result<Duration> duration_of(const YamlNode& node, std::string_view key) {
  const std::string text = text_of(node, key);
  if (text.empty()) return Duration(0);
  const auto duration = parse_prometheus_duration(text);
  if (!duration) return refuse(fmt::format("field '{}': not a valid duration string: \"{}\"", key, text));
  return *duration;
}

Result<TextMap> text_map_of(const YamlNode& node, std::string_view key) {
  TextMap map;
  const YamlNode* found = node.find(key);
  if (found == nullptr || found->is_null()) return map;
  if (!found->is_map()) return refuse(fmt::format("field '{}' must be a map of texts", key));
  for (const auto& entry : found->entries) {
    const auto value = entry.value.as_text();
    if (!value) return refuse(fmt::format("field '{}': the value of \"{}\" must be a text", key, entry.key));
    map[entry.key] = *value;
  }
  return map;
}

bool is_label_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

bool is_metric_name(std::string_view name) {
  std::string without_colons(name);
  for (char& c : without_colons) {
    if (c == ':') c = '_';
  }
  return is_label_name(without_colons);
}

Result<void> check_names(const Rule& rule) {
  if (rule.kind == Rule::Kind::kRecord && !is_metric_name(rule.name)) {
    return refuse("invalid recording rule name: " + rule.name);
  }
  for (const auto& [name, value] : rule.labels) {
    if (!is_label_name(name) || name == "__name__") return refuse("invalid label name: " + name);
  }
  for (const auto& [name, value] : rule.annotations) {
    if (!is_label_name(name)) return refuse("invalid annotation name: " + name);
  }
  return {};
}

Result<void> check_templates(const Rule& rule) {
  if (rule.kind == Rule::Kind::kRecord) return {};
  for (const auto& [name, text] : rule.labels) {
    if (auto ok = check_alert_template(rule.name, text); !ok)
      return refuse(fmt::format("label \"{}\": {}", name, ok.error().message()));
  }
  for (const auto& [name, text] : rule.annotations) {
    if (auto ok = check_alert_template(rule.name, text); !ok) {
      return refuse(fmt::format("annotation \"{}\": {}", name, ok.error().message()));
    }
  }
  return {};
}

Result<void> check_rule(Rule& rule, std::string_view group) {
  if (rule.expr.empty()) return refuse("field 'expr' must be set in rule");
  if (rule.kind == Rule::Kind::kRecord) {
    if (!rule.annotations.empty()) return refuse("invalid field 'annotations' in recording rule");
    if (rule.hold.count() != 0) return refuse("invalid field 'for' in recording rule");
    if (rule.keep_firing_for.count() != 0) return refuse("invalid field 'keep_firing_for' in recording rule");
  }
  auto parsed = logql::parse_query(rule.expr);
  if (!parsed) {
    return refuse(fmt::format("could not parse expression for {} '{}' in group '{}': {}",
                              rule.kind == Rule::Kind::kAlert ? "alert" : "record", rule.name, group,
                              parsed.error().message()));
  }
  rule.canonical = logql::print(**parsed);
  KVASIR_CHECK_OK(check_names(rule));
  return check_templates(rule);
}

Result<Rule> read_rule(const YamlNode& node) {
  if (!node.is_map()) return refuse("a rule must be a map");
  Rule rule;
  rule.line = node.line;
  const std::string alert = text_of(node, "alert");
  const std::string record = text_of(node, "record");
  if (!alert.empty() && !record.empty()) return refuse("only one of 'record' and 'alert' must be set");
  if (alert.empty() && record.empty()) return refuse("one of 'record' or 'alert' must be set");
  rule.kind = alert.empty() ? Rule::Kind::kRecord : Rule::Kind::kAlert;
  rule.name = alert.empty() ? record : alert;
  rule.expr = text_of(node, "expr");
  while (!rule.expr.empty() && (rule.expr.back() == '\n' || rule.expr.back() == ' ')) rule.expr.pop_back();
  KVASIR_TRY(rule.hold, duration_of(node, "for"));
  KVASIR_TRY(rule.keep_firing_for, duration_of(node, "keep_firing_for"));
  KVASIR_TRY(rule.labels, text_map_of(node, "labels"));
  KVASIR_TRY(rule.annotations, text_map_of(node, "annotations"));
  return rule;
}

// A rule that cannot be read at all still stands in its group, under the place it has there.
Rule broken_rule(const YamlNode& node, std::size_t index, const Error& error) {
  Rule rule;
  rule.line = node.line;
  const std::string record = text_of(node, "record");
  rule.kind = record.empty() ? Rule::Kind::kAlert : Rule::Kind::kRecord;
  rule.name = record.empty() ? text_of(node, "alert") : record;
  rule.expr = text_of(node, "expr");
  if (rule.name.empty()) rule.name = fmt::format("rule {}", index + 1);
  rule.error = error.message();
  rule.source = yaml_source(node);
  return rule;
}

Result<RuleGroup> read_group_head(const YamlNode& node) {
  if (!node.is_map()) return refuse("unable to decoded rule group");
  RuleGroup group;
  group.name = text_of(node, "name");
  if (group.name.empty()) return refuse("group 0: Groupname must not be empty");
  KVASIR_TRY(group.interval, duration_of(node, "interval"));
  if (const YamlNode* limit = node.find("limit"); limit != nullptr && !limit->is_null()) {
    const auto value = limit->as_integer();
    if (!value || *value < 0) return refuse("field 'limit' must be a whole number from 0 on");
    group.limit = static_cast<std::uint64_t>(*value);
  }
  const YamlNode* rules = node.find("rules");
  if (rules != nullptr && !rules->is_null() && !rules->is_sequence()) return refuse("field 'rules' must be a list");
  return group;
}

void append_text_map(std::string& out, std::string_view key, const TextMap& map, const std::string& indent) {
  if (map.empty()) return;
  out += fmt::format("{}{}:\n", indent, key);
  for (const auto& [name, value] : map)
    out += fmt::format("{}    {}: {}\n", indent, yaml_scalar(name), yaml_scalar(value));
}

void append_rule(std::string& out, const Rule& rule, const std::string& indent) {
  if (!rule.source.empty()) {
    out += list_item(rule.source, indent);
    return;
  }
  const std::string inner = indent + "  ";
  out +=
      fmt::format("{}- {}: {}\n", indent, rule.kind == Rule::Kind::kAlert ? "alert" : "record", yaml_scalar(rule.name));
  out += fmt::format("{}expr: {}\n", inner, yaml_scalar(rule.expr));
  if (rule.hold.count() != 0) out += fmt::format("{}for: {}\n", inner, format_prometheus_duration(rule.hold));
  if (rule.keep_firing_for.count() != 0) {
    out += fmt::format("{}keep_firing_for: {}\n", inner, format_prometheus_duration(rule.keep_firing_for));
  }
  append_text_map(out, "labels", rule.labels, inner);
  append_text_map(out, "annotations", rule.annotations, inner);
}

// The keys of a group; the first line is put by the caller when the group is an item of a list.
std::string group_body(const RuleGroup& group, const std::string& indent) {
  std::string out = fmt::format("name: {}\n", yaml_scalar(group.name));
  if (group.interval.count() != 0)
    out += fmt::format("{}interval: {}\n", indent, format_prometheus_duration(group.interval));
  if (group.limit != 0) out += fmt::format("{}limit: {}\n", indent, group.limit);
  out += group.rules.empty() ? indent + "rules: []\n" : indent + "rules:\n";
  for (const auto& rule : group.rules) append_rule(out, rule, indent + "    ");
  return out;
}

std::string group_list(const std::vector<RuleGroup>& groups) {
  std::string out;
  for (const auto& group : groups) {
    out += group.error.empty() ? "    - " + group_body(group, "      ") : list_item(group.source, "    ");
  }
  return out;
}

Rule read_rule_of_file(const YamlNode& node, std::size_t index, const RuleGroup& group) {
  auto rule = read_rule(node);
  auto checked = rule ? check_rule(*rule, group.name) : Result<void>(Unexpected(rule.error()));
  if (checked && !group.error.empty()) checked = refuse(group.error);
  return checked ? std::move(*rule) : broken_rule(node, index, checked.error());
}

// A group whose head is broken still stands in its file, so that the other groups run and its rules tell why they
// do not.
RuleGroup broken_group(const YamlNode& node, std::size_t index, const Error& error) {
  RuleGroup group;
  group.name = text_of(node, "name");
  if (group.name.empty()) group.name = fmt::format("group {}", index + 1);
  group.error = fmt::format("group \"{}\" (line {}): {}", group.name, node.line, error.message());
  return group;
}

RuleGroup read_group_of_file(const YamlNode& node, std::size_t index) {
  auto head = read_group_head(node);
  RuleGroup group = head ? std::move(*head) : broken_group(node, index, head.error());
  group.source = yaml_source(node);
  group.line = node.line;
  const YamlNode* rules = node.find("rules");
  for (std::size_t i = 0; rules != nullptr && i < rules->items.size(); ++i) {
    group.rules.push_back(read_rule_of_file(rules->items[i], i, group));
  }
  return group;
}

}  // namespace

Result<RuleGroup> parse_rule_group(const YamlNode& node) {
  KVASIR_TRY(auto group, read_group_head(node));
  const YamlNode* rules = node.find("rules");
  if (rules == nullptr) return group;
  for (const auto& item : rules->items) {
    KVASIR_TRY(auto rule, read_rule(item));
    KVASIR_CHECK_OK(check_rule(rule, group.name));
    group.rules.push_back(std::move(rule));
  }
  return group;
}

Result<std::vector<RuleGroup>> parse_rule_file(std::string_view text) {
  KVASIR_TRY(const auto root, parse_yaml(text));
  std::vector<RuleGroup> groups;
  if (root.is_null()) return groups;
  const YamlNode* list = root.find("groups");
  if (list != nullptr && list->is_null()) return groups;
  if (list == nullptr || !list->is_sequence()) return refuse("a rule file must hold a list named `groups`");
  for (const auto& node : list->items) groups.push_back(read_group_of_file(node, groups.size()));
  return groups;
}

std::string rule_group_yaml(const RuleGroup& group) {
  return group.error.empty() ? group_body(group, "") : group.source;
}

std::string rule_namespaces_yaml(const RuleNamespaces& namespaces) {
  std::string out;
  for (const auto& [name, groups] : namespaces) out += yaml_scalar(name) + ":\n" + group_list(groups);
  return out;
}

std::string rule_file_yaml(const std::vector<RuleGroup>& groups) {
  if (groups.empty()) return "groups: []\n";
  std::string out = "groups:\n";
  for (const auto& group : groups) {
    const std::string printed = "    - " + group_body(group, "      ");
    out += group.source.empty() ? printed : list_item(group.source, "    ");
  }
  return out;
}

}  // namespace kvasir::alerts
