// The server's YAML with its ${...} forms: reading ends, nothing of the machine leaks into it but what it asks for, and
// what /config prints of it can be read again.
#include "server/config/server_config.h"

#include <cstdint>
#include <memory>

#include "common/assert.h"
#include "common/env_expand.h"

namespace {

using namespace kvasir;

EnvSource environment() {
  EnvSource source;
  source.variable = [](const std::string& name) -> std::optional<std::string> {
    if (name == "EMPTY") return "";
    if (name == "PORT") return "3100";
    if (name == "LONG") return std::string(1000, 'x');
    return std::nullopt;
  };
  source.file = [](const std::string&) -> Result<std::string> { return std::string("of a file"); };
  return source;
}

Result<void> read(const YamlNode& root, server::ServerConfig& config, server::ConfigNotes& notes) {
  const auto table = server::settings(config);
  return server::read_settings(root, "", table, server::ignored_keys(), notes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto expanded = expand_env(text, environment());
  const auto root = parse_yaml(expanded ? *expanded : text);
  if (!root) return 0;
  const auto config = std::make_unique<server::ServerConfig>();
  server::ConfigNotes notes;
  if (!read(*root, *config, notes)) return 0;
  const auto printed = parse_yaml(server::print_yaml(server::settings(*config)));
  KVASIR_ASSERT(printed.has_value(), "what is printed is no YAML");
  const auto again = std::make_unique<server::ServerConfig>();
  server::ConfigNotes none;
  KVASIR_ASSERT(read(*printed, *again, none).has_value(), "what is printed cannot be read");
  KVASIR_ASSERT(none.warnings.empty(), "what is printed has unknown keys");
  return 0;
}
