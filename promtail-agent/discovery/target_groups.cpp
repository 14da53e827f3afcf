#include "promtail-agent/discovery/target_groups.h"

#include "promtail-agent/config/blocks.h"
#include "promtail-agent/config/field_reader.h"

namespace kvasir::agent {

Result<std::vector<TargetGroup>> parse_target_groups(std::string_view text, const std::string& source_label,
                                                     const std::string& source) {
  KVASIR_TRY(const YamlNode root, parse_yaml(text));
  std::vector<TargetGroup> groups;
  if (root.is_null()) return groups;
  if (!root.is_sequence()) return fail(ErrorCode::kParse, "expected a list of target groups");
  YamlProblems problems;
  for (const YamlNode& item : root.items) {
    FieldReader reader(&item, "targetgroup.Group", problems);
    TargetGroup group;
    describe_group(reader, group);
    reader.finish();
    group.labels[source_label] = source;
    groups.push_back(std::move(group));
  }
  if (!problems.empty()) return fail(problems.to_error());
  return groups;
}

std::string sanitised_label_name(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!fits) c = '_';
  }
  return out;
}

}  // namespace kvasir::agent
