#include "server/visible_store.h"

#include <algorithm>
#include <iterator>

#include "server/tenants_source.h"

namespace kvasir::server {
namespace {

std::vector<std::string> names_of(const QueryTenants& tenants) {
  std::vector<std::string> names;
  for (const auto& tenant : tenants.tenants) names.push_back(tenant.tenant);
  return names;
}

template <class Text>
void add_names(std::vector<Text>& names, std::vector<Text> more) {
  if (names.empty()) {
    names = std::move(more);
    return;
  }
  std::vector<Text> both;
  std::set_union(names.begin(), names.end(), more.begin(), more.end(), std::back_inserter(both));
  names = std::move(both);
}

}  // namespace

std::shared_ptr<logql::LogSource> VisibleStore::source() const {
  std::shared_ptr<logql::LogSource> source(std::shared_ptr<void>(), &store_);
  if (tenants_.several) source = std::make_shared<TenantsSource>(store_, names_of(tenants_));
  if (tenants_.policy != nullptr) source = std::make_shared<PolicySource>(std::move(source), tenants_.policy);
  return source;
}

Result<VisibleStore::Choice> VisibleStore::choose(Matchers matchers) const {
  Choice choice{names_of(tenants_), std::move(matchers)};
  if (tenants_.several) choice.tenants = tenants_chosen_by(choice.matchers, choice.tenants);
  if (tenants_.policy != nullptr) KVASIR_CHECK_OK(tenants_.policy->narrow(choice.matchers));
  return choice;
}

Result<VisibleStore::Names> VisibleStore::label_names(Matchers matchers, TimeRange range) const {
  KVASIR_TRY(const Choice choice, choose(std::move(matchers)));
  Names names;
  for (const auto& tenant : choice.tenants) {
    KVASIR_CHECK_OK(store_.check_readable(tenant, range));
    add_names(names, store_.label_names(tenant, choice.matchers, range));
  }
  if (tenants_.several && !names.empty()) add_names(names, {std::string(kTenantLabel)});
  return names;
}

Result<VisibleStore::Values> VisibleStore::label_values(std::string_view name, Matchers matchers,
                                                        TimeRange range) const {
  KVASIR_TRY(Choice choice, choose(std::move(matchers)));
  Values values;
  if (tenants_.several && name == kTenantLabel) {
    values.owned = std::move(choice.tenants);
    values.texts.assign(values.owned.begin(), values.owned.end());
    return values;
  }
  for (const auto& tenant : choice.tenants) {
    KVASIR_CHECK_OK(store_.check_readable(tenant, range));
    add_names(values.texts, store_.label_values(tenant, name, choice.matchers, range));
  }
  const bool hidden = tenants_.policy != nullptr && tenants_.policy->mask.hides(name);
  if (hidden && !values.empty()) values.texts = {kMasked};
  return values;
}

std::shared_ptr<const Labels> VisibleStore::shown(const std::shared_ptr<const Labels>& stored,
                                                  const std::string& tenant) const {
  if (as_stored()) return stored;
  Labels labels = tenants_.policy == nullptr ? *stored : tenants_.policy->visible(*stored);
  return std::make_shared<const Labels>(tenants_.several ? with_tenant_label(labels, tenant) : std::move(labels));
}

Result<std::vector<std::shared_ptr<const Labels>>> VisibleStore::series(Matchers matchers, TimeRange range) const {
  KVASIR_TRY(const Choice choice, choose(std::move(matchers)));
  std::vector<std::shared_ptr<const Labels>> found;
  for (const auto& tenant : choice.tenants) {
    KVASIR_CHECK_OK(store_.check_readable(tenant, range));
    auto stored = store_.series(tenant, choice.matchers, range);
    for (auto& labels : stored) found.push_back(shown(labels, tenant));
  }
  return found;
}

Result<IndexStats> VisibleStore::stats(Matchers matchers, TimeRange range, logql::QueryContext& context) const {
  KVASIR_TRY(const Choice choice, choose(std::move(matchers)));
  IndexStats total;
  for (const auto& tenant : choice.tenants) {
    KVASIR_TRY(const IndexStats stats, store_.stats(tenant, choice.matchers, range, context));
    total.streams += stats.streams;
    total.chunks += stats.chunks;
    total.bytes += stats.bytes;
    total.entries += stats.entries;
  }
  return total;
}

void VisibleStore::mask(StreamVolume& volume) const {
  Labels labels = tenants_.policy->visible(volume.stream->labels);
  const Fingerprint fingerprint = labels.fingerprint();
  volume.stream = std::make_shared<const logql::StreamIdentity>(logql::StreamIdentity{std::move(labels), fingerprint});
}

Result<std::vector<StreamVolume>> VisibleStore::volumes(VolumeRequest request, logql::QueryContext& context) const {
  KVASIR_TRY(Choice choice, choose(std::move(request.matchers)));
  request.matchers = std::move(choice.matchers);
  std::vector<StreamVolume> all;
  for (const auto& tenant : choice.tenants) {
    request.tenant = tenant;
    KVASIR_TRY(auto volumes, store_.volumes(request, context));
    std::move(volumes.begin(), volumes.end(), std::back_inserter(all));
  }
  if (tenants_.policy != nullptr && !tenants_.policy->mask.empty()) {
    for (auto& volume : all) mask(volume);
  }
  return all;
}

}  // namespace kvasir::server
