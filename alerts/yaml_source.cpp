#include "alerts/yaml_source.h"

#include <algorithm>

namespace kvasir::alerts {
namespace {

std::string scalar_source(const YamlNode& node) {
  const bool one_line = !node.text.empty() && node.text.find_first_of("\r\n") == std::string::npos;
  return node.plain && one_line ? node.text : yaml_scalar(node.text);
}

bool has_lines_of_its_own(const YamlNode& node) {
  return (node.is_map() && !node.entries.empty()) || (node.is_sequence() && !node.items.empty());
}

std::string map_source(const YamlNode& node) {
  std::string out;
  for (const auto& entry : node.entries) {
    out += yaml_scalar(entry.key) + ":";
    const std::string value = yaml_source(entry.value);
    out += has_lines_of_its_own(entry.value) ? "\n" + indented(value, "  ") : " " + value;
  }
  return out;
}

std::string sequence_source(const YamlNode& node) {
  std::string out;
  for (const auto& item : node.items) out += "- " + indented(yaml_source(item), "  ").substr(2);
  return out;
}

}  // namespace

std::string yaml_source(const YamlNode& node) {
  if (node.is_null()) return "null\n";
  if (node.is_scalar()) return scalar_source(node) + "\n";
  if (!has_lines_of_its_own(node)) return node.is_map() ? "{}\n" : "[]\n";
  return node.is_map() ? map_source(node) : sequence_source(node);
}

std::string list_item(std::string_view source, const std::string& indent) {
  return indent + "- " + indented(source, indent + "  ").substr(indent.size() + 2);
}

std::string indented(std::string_view text, std::string_view indent) {
  std::string out;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size() - 1);
    out.append(indent).append(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace kvasir::alerts
