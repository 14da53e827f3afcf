// yaml_source.h -- YAML text of a node that reads back as the same node.
//
// Shape:    block style; every scalar on one line, without quotes where it had none. Comments and anchors are gone.
// Lifetime: values.
#pragma once

#include <string>
#include <string_view>

#include "common/yaml.h"

namespace kvasir::alerts {

/// Lines that end in '\n', the first one not indented.
std::string yaml_source(const YamlNode& node);

/// The lines of a text as an item of a list.
std::string list_item(std::string_view source, const std::string& indent);

/// The lines of a text with `indent` before each.
std::string indented(std::string_view text, std::string_view indent);

}  // namespace kvasir::alerts
