// The runtime file with the limits of tenants: a broken one changes nothing, a good one reads the same twice.
#include <cstdint>

#include "common/assert.h"
#include "server/tenant_settings_store.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvasir;
  std::string text(reinterpret_cast<const char*>(data), size);
  EnvSource environment;
  environment.file = [&](const std::string&) -> Result<std::string> { return text; };
  server::TenantSettingsStore store(server::TenantSettings{}, {"overrides.yaml"}, environment);
  std::vector<std::string> warnings;
  const auto before = store.of("a");
  const auto read = store.reload(warnings);
  if (!read) {
    KVASIR_ASSERT(store.of("a") == before, "a broken file changed a tenant");
    return 0;
  }
  const auto a = store.of("a");
  text += "\n";
  KVASIR_ASSERT(store.reload(warnings).has_value(), "a blank line broke the file");
  const auto table = [](const server::TenantSettings& settings) {
    server::TenantSettings copy = settings;
    return server::print_yaml(server::tenant_settings_table(copy, ""));
  };
  KVASIR_ASSERT(table(*a) == table(*store.of("a")), "a tenant reads differently the second time");
  return 0;
}
