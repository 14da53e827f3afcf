// tenants_source.h -- several tenants read as one: streams carry __tenant_id__, and matchers on it choose tenants.
//
// Rules:    a stored label of that name is renamed original___tenant_id__. The matcher is taken out before a tenant is
//           asked.
// Lifetime: blocks and handles keep their inner ones; the inner source must outlive this.
// Threads:  any.
#pragma once

#include <string>
#include <vector>

#include "logql/log_source.h"

namespace kvasir::server {

inline constexpr std::string_view kTenantLabel = "__tenant_id__";

/// The labels as a reader of several tenants sees them.
Labels with_tenant_label(const Labels& labels, const std::string& tenant);

/// Those of `tenants` that every matcher on __tenant_id__ accepts; `matchers` keeps the others.
std::vector<std::string> tenants_chosen_by(std::vector<LabelMatcher>& matchers,
                                           const std::vector<std::string>& tenants);

class TenantsSource final : public logql::LogSource {
 public:
  TenantsSource(logql::LogSource& inner, std::vector<std::string> tenants)
      : inner_(inner), tenants_(std::move(tenants)) {}

  Result<std::vector<std::unique_ptr<logql::BlockHandle>>> select(const logql::SelectRequest& request,
                                                                  logql::QueryContext& context) override;
  bool has_stream_label(std::string_view tenant, std::string_view name) override;

 private:
  logql::LogSource& inner_;
  std::vector<std::string> tenants_;
};

}  // namespace kvasir::server
