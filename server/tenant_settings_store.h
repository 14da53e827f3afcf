// tenant_settings_store.h -- the settings of every tenant: limits_config with the runtime file's overrides on top.
//
// Shape:    runtime file: `overrides: {tenant: {key: value}}`; keys that a tenant leaves out come from limits_config.
// Lifetime: what of() gives is immutable and stays valid after a reload.
// Threads:  of() from any thread; reload() from one at a time.
// Errors:   a broken file changes nothing; the old settings stay in use.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/env_expand.h"
#include "common/mutex.h"
#include "common/result.h"
#include "server/tenant_settings.h"

namespace kvasir::server {

class TenantSettingsStore {
 public:
  /// files: read in order, later ones win.
  TenantSettingsStore(TenantSettings defaults, std::vector<std::string> files, EnvSource environment);

  std::shared_ptr<const TenantSettings> of(std::string_view tenant) const;
  /// Reads the files again. True: something changed. The warnings are for the log.
  Result<bool> reload(std::vector<std::string>& warnings);
  using Tenants = std::map<std::string, std::shared_ptr<const TenantSettings>, std::less<>>;
  /// What is read and checked, but not in use yet.
  struct Prepared {
    std::shared_ptr<const TenantSettings> defaults;
    Tenants tenants;
    std::vector<std::string> texts;
  };
  /// Reads the files again for a main file that was read again. Changes nothing.
  Result<Prepared> prepare(TenantSettings defaults, std::vector<std::string>& warnings) const;
  void use(Prepared prepared);

 private:
  Result<std::vector<std::string>> read_files() const;
  Result<Tenants> read_tenants(const TenantSettings& defaults, const std::vector<std::string>& texts,
                               std::vector<std::string>& warnings) const;

  std::vector<std::string> files_;
  EnvSource environment_;
  mutable Mutex mutex_;
  std::shared_ptr<const TenantSettings> defaults_ KVASIR_GUARDED_BY(mutex_);
  Tenants tenants_ KVASIR_GUARDED_BY(mutex_);
  std::vector<std::string> texts_ KVASIR_GUARDED_BY(mutex_);  // as last read
};

}  // namespace kvasir::server
