// Configuration files of the agent: any text through expansion and reading; what was read prints as a file that reads
// back and prints the same.
#include <cstdint>
#include <optional>
#include <string>

#include "common/env_expand.h"
#include "common/utf8.h"
#include "promtail-agent/config/load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvasir;
  using namespace kvasir::agent;
  const std::string text(reinterpret_cast<const char*>(data), size);
  EnvSource source;
  source.variable = [](const std::string& name) -> std::optional<std::string> {
    return name.size() > 3 ? std::nullopt : std::optional<std::string>("<" + name + ">");
  };
  const auto expanded = expand_env(text, source);
  const auto config = parse_config(expanded ? *expanded : text, Flags());
  if (!config) return 0;
  (void)check_config(*config);
  const std::string printed = print_config(*config);
  if (!is_valid_utf8(text)) return 0;  // YAML has no form for other bytes
  const auto again = parse_config(printed, Flags());
  if (again && print_config(*again) != printed) __builtin_trap();
  return 0;
}
