#include "server/handlers/label_routes.h"

#include <set>

#include "common/json_writer.h"
#include "server/answer.h"
#include "server/encode_result.h"
#include "server/handlers/metadata_request.h"
#include "server/read_policy.h"
#include "server/tenants_source.h"

namespace kvasir::server {
namespace {

using Names = std::set<std::string>;

std::vector<std::string> tenant_names(const QueryTenants& tenants) {
  std::vector<std::string> names;
  for (const auto& tenant : tenants.tenants) names.push_back(tenant.tenant);
  return names;
}

/// An empty answer has no `data` at all; clients know it so.
net::HttpResponse names_answer(const QueryExchange& exchange, const Names& names, bool legacy) {
  std::string body;
  JsonWriter w(body);
  w.begin_object();
  if (!legacy) w.key("status").string("success");
  if (legacy || !names.empty()) {
    w.key(legacy ? "values" : "data").begin_array();
    for (const auto& name : names) w.string(name);
    w.end_array();
  }
  w.end_object();
  body += '\n';
  return json_answer(exchange.request, std::move(body), true);
}

/// Calls `read` for every tenant that the selector chooses.
Result<Names> collect(
    const Services& services, QueryExchange& exchange,
    const std::function<std::vector<std::string>(const std::string&, std::span<const LabelMatcher>, TimeRange)>& read) {
  KVASIR_TRY(const TimeRange range, metadata_range(services, exchange));
  KVASIR_TRY(auto matchers, metadata_selector(exchange.params.value_or_empty("query"), SelectorPresence::kOptional));
  std::vector<std::string> tenants = tenant_names(exchange.tenants);
  if (exchange.tenants.several) tenants = tenants_chosen_by(matchers, tenants);
  if (exchange.tenants.policy != nullptr) KVASIR_CHECK_OK(exchange.tenants.policy->narrow(matchers));
  Names names;
  for (const auto& tenant : tenants) {
    for (auto& name : read(tenant, matchers, range)) names.insert(std::move(name));
  }
  return names;
}

net::HttpResponse label_names(const Services& services, QueryExchange& exchange, bool legacy) {
  auto names = collect(services, exchange,
                       [&](const std::string& tenant, std::span<const LabelMatcher> matchers, TimeRange range) {
                         return services.store.label_names(tenant, matchers, range);
                       });
  if (!names) return bare_error(names.error());
  if (exchange.tenants.several && !names->empty()) names->emplace(kTenantLabel);
  return names_answer(exchange, *names, legacy);
}

net::HttpResponse label_values(const Services& services, QueryExchange& exchange, bool legacy) {
  const std::string name(exchange.request.path_params.value_or_empty("name"));
  const bool wants_tenants = exchange.tenants.several && name == kTenantLabel;
  auto values = collect(services, exchange,
                        [&](const std::string& tenant, std::span<const LabelMatcher> matchers, TimeRange range) {
                          if (wants_tenants) return std::vector<std::string>{tenant};
                          return services.store.label_values(tenant, name, matchers, range);
                        });
  if (!values) return bare_error(values.error());
  if (exchange.tenants.policy != nullptr && exchange.tenants.policy->mask.hides(name) && !values->empty())
    *values = {std::string(kMasked)};
  return names_answer(exchange, *values, legacy);
}

/// The selectors of a series request. One empty list of matchers: every series.
Result<std::vector<std::vector<LabelMatcher>>> series_selectors(const QueryExchange& exchange) {
  std::vector<std::string_view> texts = exchange.params.all("match[]");
  for (const auto text : exchange.params.all("match")) texts.push_back(text);
  std::vector<std::vector<LabelMatcher>> selectors;
  for (const auto text : texts) {
    if (texts.size() > 1 && text == "{}") return fail(ErrorCode::kInvalidArgument, "0 matchers in group: {}");
    if (text == "{}") continue;
    KVASIR_TRY(auto matchers, metadata_selector(text, SelectorPresence::kRequired));
    selectors.push_back(std::move(matchers));
  }
  if (selectors.empty()) selectors.emplace_back();
  return selectors;
}

net::HttpResponse series(const Services& services, QueryExchange& exchange) {
  const auto range = metadata_range(services, exchange);
  if (!range) return bare_error(range.error());
  auto selectors = series_selectors(exchange);
  if (!selectors) return bare_error(selectors.error());
  std::set<Labels> found;
  for (auto& matchers : *selectors) {
    std::vector<std::string> tenants = tenant_names(exchange.tenants);
    if (exchange.tenants.several) tenants = tenants_chosen_by(matchers, tenants);
    const auto* policy = exchange.tenants.policy.get();
    if (policy != nullptr) {
      if (const auto narrowed = policy->narrow(matchers); !narrowed) return bare_error(narrowed.error());
    }
    for (const auto& tenant : tenants) {
      for (const auto& stored : services.store.series(tenant, matchers, *range)) {
        const Labels labels = policy == nullptr ? *stored : policy->visible(*stored);
        found.insert(exchange.tenants.several ? with_tenant_label(labels, tenant) : labels);
      }
    }
  }
  std::string body = "{\"status\":\"success\",\"data\":[";
  bool first = true;
  for (const auto& labels : found) {
    if (!first) body += ',';
    first = false;
    append_labels(body, labels);
  }
  body += "]}\n";
  return json_answer(exchange.request, std::move(body), true);
}

}  // namespace

void add_label_routes(net::HttpServer& server, const Services& services) {
  for (const char* pattern : {"/loki/api/v1/labels", "/loki/api/v1/label"}) {
    add_query_route(
        server, services, pattern,
        [&services](QueryExchange& exchange) { return label_names(services, exchange, false); },
        ReadPolicies::kApplied);
  }
  add_query_route(
      server, services, "/api/prom/label",
      [&services](QueryExchange& exchange) { return label_names(services, exchange, true); }, ReadPolicies::kApplied);
  add_query_route(
      server, services, "/loki/api/v1/label/{name}/values",
      [&services](QueryExchange& exchange) { return label_values(services, exchange, false); }, ReadPolicies::kApplied);
  add_query_route(
      server, services, "/api/prom/label/{name}/values",
      [&services](QueryExchange& exchange) { return label_values(services, exchange, true); }, ReadPolicies::kApplied);
  for (const char* pattern : {"/loki/api/v1/series", "/api/prom/series"}) {
    add_query_route(
        server, services, pattern, [&services](QueryExchange& exchange) { return series(services, exchange); },
        ReadPolicies::kApplied);
  }
}

}  // namespace kvasir::server
