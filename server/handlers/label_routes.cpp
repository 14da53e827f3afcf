#include "server/handlers/label_routes.h"

#include <set>
#include <utility>

#include "common/json_writer.h"
#include "server/answer.h"
#include "server/encode_result.h"
#include "server/handlers/metadata_request.h"
#include "server/visible_store.h"

namespace kvasir::server {
namespace {

/// An empty answer has no `data` at all; clients know it so.
net::HttpResponse names_answer(const QueryExchange& exchange, const VisibleStore::Names& names, bool legacy) {
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

/// Where a label request looks.
struct LabelRequest {
  TimeRange range;
  VisibleStore::Matchers matchers;
};

Result<LabelRequest> parse_request(const Services& services, const QueryExchange& exchange) {
  KVASIR_TRY(const TimeRange range, metadata_range(services, exchange));
  KVASIR_TRY(auto matchers, metadata_selector(exchange.params.value_or_empty("query"), SelectorPresence::kOptional));
  return LabelRequest{range, std::move(matchers)};
}

net::HttpResponse label_names(const Services& services, QueryExchange& exchange, bool legacy) {
  auto request = parse_request(services, exchange);
  if (!request) return bare_error(request.error());
  const VisibleStore store(services.store, exchange.tenants);
  const auto names = store.label_names(std::move(request->matchers), request->range);
  return names ? names_answer(exchange, *names, legacy) : bare_error(names.error());
}

net::HttpResponse label_values(const Services& services, QueryExchange& exchange, bool legacy) {
  auto request = parse_request(services, exchange);
  if (!request) return bare_error(request.error());
  const VisibleStore store(services.store, exchange.tenants);
  const auto name = exchange.request.path_params.value_or_empty("name");
  const auto values = store.label_values(name, std::move(request->matchers), request->range);
  return values ? names_answer(exchange, *values, legacy) : bare_error(values.error());
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
  const VisibleStore store(services.store, exchange.tenants);
  std::set<Labels> found;
  for (auto& matchers : *selectors) {
    const auto some = store.series(std::move(matchers), *range);
    if (!some) return bare_error(some.error());
    for (const auto& labels : *some) found.insert(*labels);
  }
  std::string body = "{\"status\":\"success\",\"data\":[";
  for (bool first = true; const auto& labels : found) {
    if (!std::exchange(first, false)) body += ',';
    append_labels(body, labels);
  }
  body += "]}\n";
  return json_answer(exchange.request, std::move(body), true);
}

}  // namespace

void add_label_routes(net::HttpServer& server, const Services& services) {
  const auto add = [&](const char* pattern, net::HttpResponse (*handler)(const Services&, QueryExchange&, bool),
                       bool legacy) {
    add_metadata_route(server, services, pattern, [&services, handler, legacy](QueryExchange& exchange) {
      return handler(services, exchange, legacy);
    });
  };
  add("/loki/api/v1/labels", label_names, false);
  add("/loki/api/v1/label", label_names, false);
  add("/api/prom/label", label_names, true);
  add("/loki/api/v1/label/{name}/values", label_values, false);
  add("/api/prom/label/{name}/values", label_values, true);
  for (const char* pattern : {"/loki/api/v1/series", "/api/prom/series"}) {
    add_metadata_route(server, services, pattern,
                       [&services](QueryExchange& exchange) { return series(services, exchange); });
  }
}

}  // namespace kvasir::server
