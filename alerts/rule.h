// rule.h -- rule groups as Prometheus and Loki write them, read from YAML and written back.
//
// Shape:    a group has a name, an interval, a limit and rules; a rule either alerts or records.
// Errors:   invalid_argument, worded as the rule API of Loki words it, since clients match some texts; inside a file
//           the place comes first: `group "g", rule 2 (line 14): ...`. A broken rule of a file is kept with its error,
//           the others are whole.
// Source:   docs/alerts.md
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/time.h"
#include "common/yaml.h"

namespace kvasir::alerts {

using TextMap = std::map<std::string, std::string>;

struct Rule {
  enum class Kind { kAlert, kRecord };
  Kind kind = Kind::kAlert;
  std::string name;
  std::string expr;        // as written
  std::string canonical;   // the expression printed by the parser
  Duration hold{0};        // `for`
  Duration keep_firing_for{0};
  TextMap labels;
  TextMap annotations;
  int line = 0;            // in its file
  std::string error;       // not empty: never evaluated, reported as `health: err`
  std::string source{};    // of a rule with an error: its YAML, since the fields above do not hold all of it
};

struct RuleGroup {
  std::string name;
  Duration interval{0};    // 0 = the ruler's default
  std::uint64_t limit = 0; // most series or alerts one rule may make; 0 = any number
  std::vector<Rule> rules;
  int line = 0;            // in its file
  std::string source{};    // as read from a file: its YAML, which is what goes back into the file
  std::string error{};     // of its head, with the line; not empty: no rule of it runs, each carries it
};

/// namespace (file) -> groups, in the order they were written.
using RuleNamespaces = std::map<std::string, std::vector<RuleGroup>>;

/// One bare group, as the rule API takes it. The first broken rule is the error.
Result<RuleGroup> parse_rule_group(const YamlNode& node);

/// A file with `groups:`. Broken rules and groups carry their error; the whole file fails only if it is not of that
/// shape.
Result<std::vector<RuleGroup>> parse_rule_file(std::string_view text);

/// A group, or a map from namespace to groups, as the rule API answers them. A broken rule stands as it was read.
std::string rule_group_yaml(const RuleGroup& group);
std::string rule_namespaces_yaml(const RuleNamespaces& namespaces);
/// A file with `groups:`. A group that was read from a file stands as it was read.
std::string rule_file_yaml(const std::vector<RuleGroup>& groups);

}  // namespace kvasir::alerts
