#include "server/handlers/prometheus_routes.h"

#include <algorithm>
#include <set>

#include "common/json_writer.h"
#include "logql/syntax/parser.h"
#include "logql/syntax/printer.h"
#include "server/answer.h"
#include "server/encode_result.h"
#include "server/encoding_flags.h"
#include "server/handlers/log_answer.h"
#include "server/handlers/metadata_request.h"
#include "server/query_service.h"
#include "server/visible_store.h"

namespace kvasir::server {
namespace {

constexpr std::uint32_t kTraceLinesDefault = 1000;
constexpr std::uint32_t kExemplarsMax = 100;   // of each selector of a query

net::HttpResponse error_answer(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kDeadlineExceeded: return prometheus_error(503, "timeout", error.message());
    case ErrorCode::kCancelled: return prometheus_error(503, "canceled", error.message());
    case ErrorCode::kLimitExceeded: return prometheus_error(422, "execution", error.message());
    default:
      return prometheus_error(status_of(error), status_of(error) < 500 ? "bad_data" : "internal", error.message());
  }
}

QueryCall metric_call(const QueryExchange& exchange, const char* route) {
  QueryCall call = query_call(exchange, route);
  call.may_use_cache = allows_cached(exchange.request);
  call.check_selectors = false;
  return call;
}

net::HttpResponse answer_metric(const Services& services, QueryExchange& exchange, QueryCall call) {
  const auto expr = logql::parse_query(call.params.query);
  if (expr && logql::is_log_query(**expr))
    return refused(exchange, prometheus_error(400, "bad_data", "the query gives log lines, not metrics"));
  const auto outcome = QueryService(services).run(call);
  if (!outcome) return error_answer(outcome.error());
  std::string body = "{\"status\":\"success\",\"data\":{\"resultType\":";
  if (const auto* matrix = std::get_if<logql::Matrix>(&outcome->result)) {
    body += "\"matrix\",\"result\":";
    append_matrix(body, matrix->series);
  } else if (const auto* vector = std::get_if<logql::Vector>(&outcome->result)) {
    body += "\"vector\",\"result\":";
    append_vector(body, vector->series);
  } else if (const auto* scalar = std::get_if<logql::Scalar>(&outcome->result)) {
    body += "\"scalar\",\"result\":";
    append_point(body, scalar->point);
  } else {
    return prometheus_error(400, "bad_data", "the query gives no metrics");
  }
  body += "}}";
  return json_answer(exchange.request, std::move(body), services.config.querier.compress_responses);
}

net::HttpResponse instant(const Services& services, QueryExchange& exchange) {
  auto params = parse_instant_params(exchange.params, services.clock.now());
  if (!params) return refused(exchange, error_answer(params.error()));
  QueryCall call = metric_call(exchange, "prometheus_query");
  call.params.query = std::move(params->query);
  call.params.instant = true;
  call.params.start = call.params.end = params->time;
  return answer_metric(services, exchange, std::move(call));
}

/// Points stand at start + k * step up to the end. Those of a start on a multiple of the step can be kept for others.
void step_from_start(logql::QueryParams& params) {
  const std::int64_t step = params.step.count();
  params.align_steps = step > 0 && params.start <= params.end && params.start.value % step == 0;
  if (params.align_steps) params.end = {params.end.value - params.end.value % step};
}

net::HttpResponse range(const Services& services, QueryExchange& exchange) {
  auto params = parse_range_params(exchange.params, services.clock.now());
  if (!params) return refused(exchange, error_answer(params.error()));
  QueryCall call = metric_call(exchange, "prometheus_query_range");
  call.params.query = std::move(params->query);
  call.params.start = params->bounds.start;
  call.params.end = params->bounds.end;
  call.params.step = params->step;
  step_from_start(call.params);
  return answer_metric(services, exchange, std::move(call));
}

/// The union over every `match[]`; none selects everything.
Result<std::set<Labels>> matching_series(const Services& services, const QueryExchange& exchange) {
  KVASIR_TRY(const TimeRange range, metadata_range(services, exchange));
  std::vector<std::string_view> selectors = exchange.params.all("match[]");
  if (selectors.empty()) selectors.push_back("");
  const VisibleStore store(services.store, exchange.tenants);
  std::set<Labels> found;
  for (const auto text : selectors) {
    KVASIR_TRY(auto matchers, metadata_selector(text, SelectorPresence::kOptional));
    KVASIR_TRY(const auto series, store.series(std::move(matchers), range));
    for (const auto& labels : series) found.insert(*labels);
  }
  return found;
}

void append_exemplars(std::string& out, const logql::ResultStream& stream) {
  out += out.empty() ? "{\"seriesLabels\":" : ",{\"seriesLabels\":";
  append_labels(out, stream.labels);
  out += ",\"exemplars\":[";
  for (std::size_t i = 0; i < stream.entries.size(); ++i) {
    const auto& entry = stream.entries[i];
    const auto stored = entry.structured_metadata.get("trace_id");
    out += i > 0 ? ",{\"labels\":{\"trace_id\":" : "{\"labels\":{\"trace_id\":";
    append_json_string(out, stored ? *stored : entry.parsed.value_or_empty("trace_id"));
    out += "},\"value\":\"1\",\"timestamp\":";
    append_seconds(out, entry.timestamp.value / 1'000'000);
    out += '}';
  }
  out += "]}";
}

template <class Write>
net::HttpResponse list_answer(const Services& services, const QueryExchange& exchange, const Write& write) {
  const auto series = matching_series(services, exchange);
  if (!series) return error_answer(series.error());
  std::string body = "{\"status\":\"success\",\"data\":[";
  write(body, *series);
  body += "]}";
  return json_answer(exchange.request, std::move(body), services.config.querier.compress_responses);
}

void append_texts(std::string& body, const std::set<std::string>& texts) {
  bool first = true;
  for (const auto& text : texts) {
    if (!first) body += ',';
    first = false;
    append_json_string(body, text);
  }
}

net::HttpResponse label_names(const Services& services, QueryExchange& exchange) {
  return list_answer(services, exchange, [](std::string& body, const std::set<Labels>& series) {
    std::set<std::string> names;
    for (const auto& labels : series) {
      for (const auto& label : labels) names.insert(label.name);
    }
    append_texts(body, names);
  });
}

net::HttpResponse label_values(const Services& services, QueryExchange& exchange) {
  const auto name = exchange.request.path_params.value_or_empty("name");
  return list_answer(services, exchange, [name](std::string& body, const std::set<Labels>& series) {
    std::set<std::string> values;
    for (const auto& labels : series) {
      if (const auto value = labels.get(name)) values.emplace(*value);
    }
    append_texts(body, values);
  });
}

net::HttpResponse series(const Services& services, QueryExchange& exchange) {
  return list_answer(services, exchange, [](std::string& body, const std::set<Labels>& series) {
    bool first = true;
    for (const auto& labels : series) {
      if (!first) body += ',';
      first = false;
      append_labels(body, labels);
    }
  });
}

/// Metrics are derived as they are asked for: nothing is known of them beforehand.
net::HttpResponse metadata(const Services&, QueryExchange&) {
  return net::HttpResponse::json(200, "{\"status\":\"success\",\"data\":{}}\n");
}

/// The newest lines behind a query that belong to a trace, one exemplar each.
net::HttpResponse exemplars(const Services& services, QueryExchange& exchange) {
  auto params = parse_range_params(exchange.params, services.clock.now());
  if (!params) return refused(exchange, error_answer(params.error()));
  const auto expr = logql::parse_query(params->query);
  if (!expr) return refused(exchange, error_answer(expr.error()));
  std::string list;
  for (const auto* selector : logql::collect_selectors(**expr)) {
    QueryCall call = metric_call(exchange, "prometheus_exemplars");
    call.check_limits = false;
    call.params.query = logql::print(*selector) + " | trace_id != \"\"";
    call.params.start = params->bounds.start;
    call.params.end = params->bounds.end + Duration(1);
    call.params.limit = kExemplarsMax;
    call.params.categorize_labels = true;
    const auto outcome = QueryService(services).run(call);
    if (!outcome) return error_answer(outcome.error());
    for (const auto& stream : std::get<logql::Streams>(outcome->result).streams) append_exemplars(list, stream);
  }
  return json_answer(exchange.request, "{\"status\":\"success\",\"data\":[" + list + "]}\n",
                     services.config.querier.compress_responses);
}

/// Ids are hexadecimal, with dashes in UUIDs; anything else could not be found by id.
bool is_trace_id(std::string_view text) {
  return text.size() >= 8 && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0 || c == '-'; });
}

/// Entries of a trace over all streams, in pages like any log query.
void trace_logs(const Services& services, const std::shared_ptr<QueryExchange>& exchange,
                const std::shared_ptr<net::HttpReply>& reply) {
  const auto refuse = [&](net::HttpResponse response) { reply->send(refused(*exchange, std::move(response))); };
  const std::string id(exchange->request.path_params.value_or_empty("id"));
  if (!is_trace_id(id)) return refuse(bare_error(400, "a trace id has 8 to 64 hexadecimal digits"));
  const auto limit = parse_limit(exchange->params, "limit", kTraceLinesDefault);
  if (!limit) return refuse(bare_error(limit.error()));
  const auto after = resume_position(*exchange);
  if (!after) return refuse(bare_error(after.error()));
  QueryCall call = metric_call(*exchange, "trace_logs");
  call.check_limits = false;
  call.in_order = true;
  call.params.query = "{trace_id=\"" + id + "\"}";
  call.params.start = {0};
  call.params.end = services.clock.now() + std::chrono::hours(24);  // clocks differ
  call.params.limit = *limit;
  call.params.direction = logql::Direction::kForward;
  call.params.categorize_labels = asks_for_categories(encoding_flags(exchange->request));
  auto pages = QueryService(services).open_pages(call, kPageBytes, *after);
  if (!pages) return reply->send(bare_error(pages.error()));
  answer_log_query(services, *exchange, std::move(*pages), reply);
}

/// A data source asks which Prometheus it speaks to; the version decides what it then uses.
net::HttpResponse build_information() {
  return net::HttpResponse::json(
      200, "{\"status\":\"success\",\"data\":{\"version\":\"2.48.0\",\"revision\":\"kvasir\",\"branch\":\"\",\"buildUser\":\"\","
           "\"buildDate\":\"\",\"goVersion\":\"\"}}\n");
}

}  // namespace

void add_prometheus_routes(net::HttpServer& server, const Services& services) {
  using Handler = net::HttpResponse (*)(const Services&, QueryExchange&);
  const auto add = [&](const char* pattern, Handler handler) {
    add_query_route(server, services, pattern,
                    [&services, handler](QueryExchange& exchange) { return handler(services, exchange); });
  };
  const auto add_metadata = [&](const char* pattern, Handler handler) {
    add_metadata_route(server, services, pattern,
                       [&services, handler](QueryExchange& exchange) { return handler(services, exchange); });
  };
  add("/api/v1/query", instant);
  add("/api/v1/query_range", range);
  add_metadata("/api/v1/labels", label_names);
  add_metadata("/api/v1/label/{name}/values", label_values);
  add_metadata("/api/v1/series", series);
  add("/api/v1/metadata", metadata);
  add("/api/v1/query_exemplars", exemplars);
  add_query_route(server, services, "/api/v1/trace/{id}/logs",
                  StreamingQueryHandler([&services](const std::shared_ptr<QueryExchange>& exchange,
                                                    const std::shared_ptr<net::HttpReply>& reply) {
                    trace_logs(services, exchange, reply);
                  }));
  net::HttpRoute build;
  build.methods = {"GET"};
  build.pattern = "/api/v1/status/buildinfo";
  build.pool = "admin";
  build.handler = [](const net::HttpRequest&, const std::shared_ptr<net::HttpReply>& reply) {
    reply->send(build_information());
  };
  server.add(std::move(build));
}

}  // namespace kvasir::server
