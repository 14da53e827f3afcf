#include "server/tenant_settings_store.h"

#include <array>

namespace kvasir::server {

TenantSettingsStore::TenantSettingsStore(TenantSettings defaults, std::vector<std::string> files, EnvSource environment)
    : files_(std::move(files)),
      environment_(std::move(environment)),
      defaults_(std::make_shared<const TenantSettings>(std::move(defaults))) {}

std::shared_ptr<const TenantSettings> TenantSettingsStore::of(std::string_view tenant) const {
  MutexLock lock(mutex_);
  const auto found = tenants_.find(tenant);
  return found == tenants_.end() ? defaults_ : found->second;
}

Result<TenantSettingsStore::Tenants> TenantSettingsStore::read_tenants(const TenantSettings& defaults,
                                                                       const std::vector<std::string>& texts,
                                                                       std::vector<std::string>& warnings) const {
  static constexpr std::array<std::string_view, 2> kOtherBlocks = {"configs", "multi_kv_config"};
  std::map<std::string, std::shared_ptr<TenantSettings>, std::less<>> read;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto root = parse_yaml(texts[i]);
    if (!root) return fail(root.error().with_context(files_[i]));
    const YamlNode* overrides = root->find("overrides");
    for (const auto& entry : root->entries) {
      const bool known = entry.key == "overrides" || entry.key == kOtherBlocks[0] || entry.key == kOtherBlocks[1];
      if (!known)
        warnings.push_back(files_[i] + ": line " + std::to_string(entry.line) + ": unknown key \"" + entry.key + "\"");
    }
    if (overrides == nullptr) continue;
    for (const auto& tenant : overrides->entries) {
      auto& settings = read[tenant.key];
      if (settings == nullptr) settings = std::make_shared<TenantSettings>(defaults);
      const auto table = tenant_settings_table(*settings, "");
      ConfigNotes notes;
      auto done = read_settings(tenant.value, "", table, ignored_limits(), notes);
      if (!done) return fail(done.error().with_context(files_[i] + ": overrides." + tenant.key));
      for (const auto& warning : notes.warnings)
        warnings.push_back(files_[i] + ": overrides." + tenant.key + ": " + warning);
    }
  }
  return Tenants(read.begin(), read.end());
}

Result<std::vector<std::string>> TenantSettingsStore::read_files() const {
  std::vector<std::string> texts;
  for (const auto& file : files_) {
    KVASIR_TRY(std::string text, environment_.file(file));
    texts.push_back(std::move(text));
  }
  return texts;
}

Result<bool> TenantSettingsStore::reload(std::vector<std::string>& warnings) {
  KVASIR_TRY(auto texts, read_files());
  std::shared_ptr<const TenantSettings> defaults;
  {
    MutexLock lock(mutex_);
    if (texts == texts_) return false;
    defaults = defaults_;
  }
  KVASIR_TRY(Tenants tenants, read_tenants(*defaults, texts, warnings));
  use({std::move(defaults), std::move(tenants), std::move(texts)});
  return true;
}

Result<TenantSettingsStore::Prepared> TenantSettingsStore::prepare(TenantSettings defaults,
                                                                   std::vector<std::string>& warnings) const {
  KVASIR_TRY(auto texts, read_files());
  KVASIR_TRY(Tenants tenants, read_tenants(defaults, texts, warnings));
  return Prepared{std::make_shared<const TenantSettings>(std::move(defaults)), std::move(tenants), std::move(texts)};
}

void TenantSettingsStore::use(Prepared prepared) {
  MutexLock lock(mutex_);
  defaults_ = std::move(prepared.defaults);
  tenants_ = std::move(prepared.tenants);
  texts_ = std::move(prepared.texts);
}

}  // namespace kvasir::server
