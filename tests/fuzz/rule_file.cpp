// Rule files, as written by hand and as sent to the rule API: what was read is written so that it reads the same.
#include <algorithm>
#include <cstdint>

#include "alerts/rule.h"
#include "alerts/rule_file_edit.h"
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

// A group put into the file, exchanged and taken out again leaves the other groups as they were.
void check_edits(std::string_view text, const std::vector<kvasir::alerts::RuleGroup>& before) {
  using namespace kvasir;
  alerts::RuleGroup fresh;
  fresh.name = "a group of the fuzzer";
  const auto added = alerts::with_group(text, fresh);
  KVASIR_ASSERT(added.has_value(), "a group cannot be added");
  fresh.interval = std::chrono::minutes(2);
  const auto changed = alerts::with_group(*added, fresh);
  KVASIR_ASSERT(changed.has_value(), "a group cannot be exchanged");
  const auto read = alerts::parse_rule_file(*changed);
  KVASIR_ASSERT(read.has_value() && read->size() >= before.size(), "groups are missing after a write");
  const bool written =
      std::any_of(read->begin(), read->end(), [&](const auto& group) { return group.interval == fresh.interval; });
  KVASIR_ASSERT(written, "the group is not as it was written");
  const auto removed = alerts::without_group(*changed, fresh.name);
  KVASIR_ASSERT(removed.has_value() && removed->has_value(), "a group cannot be taken out");
  const auto after = alerts::parse_rule_file(**removed);
  KVASIR_ASSERT(after.has_value(), "the file cannot be read after a write");
  const bool had_it = std::any_of(before.begin(), before.end(), [&](const auto& g) { return g.name == fresh.name; });
  KVASIR_ASSERT(had_it || summary(*after) == summary(before), "another group was changed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvasir;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto groups = alerts::parse_rule_file(text)) {
    const auto again = alerts::parse_rule_file(alerts::rule_file_yaml(*groups));
    KVASIR_ASSERT(again.has_value(), "a rule file that was written cannot be read");
    KVASIR_ASSERT(summary(*again) == summary(*groups), "a rule file changes when it is written");
    check_edits(text, *groups);
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
