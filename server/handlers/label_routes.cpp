#include "server/handlers/label_routes.h"

#include <algorithm>
#include <utility>

#include "common/json_writer.h"
#include "server/answer.h"
#include "server/encode_result.h"
#include "server/handlers/metadata_request.h"
#include "server/visible_store.h"

namespace kvasir::server {
namespace {

/// An empty answer has no `data` at all; clients know it so.
template <class Names>
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

/// Label sets as they are written: each once, in the order of their texts.
class LabelSetTexts {
 public:
  void add(const Labels& labels) {
    starts_.push_back(text_.size());
    append_labels(text_, labels);
  }
  void append_to(std::string& out) const {
    std::vector<std::string_view> sets;
    sets.reserve(starts_.size());
    for (std::size_t i = 0; i < starts_.size(); ++i) {
      const std::size_t end = i + 1 < starts_.size() ? starts_[i + 1] : text_.size();
      sets.push_back(std::string_view(text_).substr(starts_[i], end - starts_[i]));
    }
    std::sort(sets.begin(), sets.end());
    sets.erase(std::unique(sets.begin(), sets.end()), sets.end());
    out.reserve(out.size() + text_.size() + sets.size());
    for (bool first = true; const auto set : sets) {
      if (!std::exchange(first, false)) out += ',';
      out += set;
    }
  }

 private:
  std::string text_;
  std::vector<std::size_t> starts_;
};

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
  if (name.find('/') != std::string_view::npos) return plain_error(404, "404 page not found");
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
  LabelSetTexts texts;
  for (auto& matchers : *selectors) {
    const auto some = store.series(std::move(matchers), *range);
    if (!some) return bare_error(some.error());
    for (const auto& labels : *some) texts.add(*labels);
  }
  std::string body = "{\"status\":\"success\",\"data\":[";
  texts.append_to(body);
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
