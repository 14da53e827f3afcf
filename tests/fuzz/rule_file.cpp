// Rule files, as written by hand and as sent to the rule API: what was read is written so that it reads the same.
#include <cstdint>

#include "alerts/rule.h"
#include "common/assert.h"
#include "common/yaml.h"

namespace {

/// What each rule says, and where each is broken.
std::string summary(const std::vector<kvasir::alerts::RuleGroup>& groups) {
  std::string out;
  for (const auto& group : groups) {
    out += group.name + "|" + std::to_string(group.interval.count()) + "|" + std::to_string(group.limit);
    for (const auto& rule : group.rules) out += "|" + rule.canonical + (rule.error.empty() ? "" : "!");
    out += '\n';
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvasir;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto groups = alerts::parse_rule_file(text)) {
    const auto again = alerts::parse_rule_file(alerts::rule_file_yaml(*groups));
    KVASIR_ASSERT(again.has_value(), "a rule file that was written cannot be read");
    KVASIR_ASSERT(summary(*again) == summary(*groups), "a rule file changes when it is written");
  }
  const auto node = parse_yaml(text);
  if (!node) return 0;
  if (const auto group = alerts::parse_rule_group(*node)) {
    const auto printed = parse_yaml(alerts::rule_group_yaml(*group));
    KVASIR_ASSERT(printed.has_value(), "a group that was written is no YAML");
    const auto again = alerts::parse_rule_group(*printed);
    KVASIR_ASSERT(again.has_value() && summary({*again}) == summary({*group}), "a group changes when it is written");
  }
  return 0;
}
