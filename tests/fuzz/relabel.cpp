// Relabelling: five NUL-divided texts are the regex, target, replacement, action and the label's value.
#include <array>
#include <cstdint>
#include <string_view>

#include "common/relabel.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvasir;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::array<std::string, 5> parts;
  for (std::string& part : parts) {
    const std::size_t end = std::min(rest.find('\0'), rest.size());
    part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  RelabelRule rule;
  rule.source_labels = {"a"};
  rule.regex = parts[0];
  rule.target_label = parts[1];
  rule.replacement = parts[2];
  rule.action = parts[3];
  rule.modulus = parts[0].size();
  const auto relabeler = Relabeler::create({rule});
  if (!relabeler) return 0;
  const auto out = relabeler->apply(Labels{{"a", parts[4]}, {"b", "x"}});
  if (!out) return 0;
  for (const Label& label : *out)
    if (label.name.empty()) __builtin_trap();
  return 0;
}
