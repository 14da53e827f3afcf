// target_groups.h -- target lists as files and HTTP answers hold them: JSON or YAML, [{targets: [...], labels: {...}}].
//
// Errors:   parse.
#pragma once

#include <string_view>
#include <vector>

#include "common/result.h"
#include "promtail-agent/config/config.h"

namespace kvasir::agent {

/// `source_label` = `source` is added to every group.
Result<std::vector<TargetGroup>> parse_target_groups(std::string_view text, const std::string& source_label,
                                                     const std::string& source);

/// Letters, digits and underscores stay; every other byte becomes an underscore.
std::string sanitised_label_name(std::string_view name);

}  // namespace kvasir::agent
