#include "server/handlers/query_routes.h"

#include "common/json_writer.h"
#include "logql/syntax/parser.h"
#include "logql/syntax/printer.h"
#include "server/answer.h"
#include "server/encode_result.h"
#include "server/encoding_flags.h"
#include "server/handlers/log_answer.h"
#include "server/handlers/query_route.h"
#include "server/params.h"
#include "server/query_service.h"

namespace kvasir::server {
namespace {

constexpr const char* kLegacyNeedsStreams =
    "rpc error: code = Code(400) desc = legacy endpoints only support streams result type";

EncodeOptions encode_options(const net::HttpRequest& request) {
  EncodeOptions options;
  options.encoding_flags = encoding_flags(request);
  options.categorize = asks_for_categories(options.encoding_flags);
  return options;
}

QueryCall call_of(const Services& services, const QueryExchange& exchange, std::string route) {
  QueryCall call = query_call(exchange, std::move(route));
  call.tags = clean_query_tags(exchange.request.headers.get("X-Query-Tags").value_or(""));
  if (services.config.querier.per_request_limits_enabled)
    call.limits = exchange.request.headers.value_or_empty("X-Loki-Query-Limits");
  call.may_use_cache = allows_cached(exchange.request);
  return call;
}

/// `table=true`: what `| stats` gives comes as rows and columns.
bool wants_table(const QueryExchange& exchange) { return exchange.params.value_or_empty("table") == "true"; }

net::HttpResponse answer_outcome(const Services& services, QueryExchange& exchange, const Result<QueryOutcome>& outcome,
                                 EncodeOptions options) {
  if (!outcome) return bare_error(outcome.error());
  options.warnings = outcome->warnings;
  std::string body;
  if (wants_ndjson(exchange.request)) {
    append_ndjson(body, outcome->result);
    auto response = json_answer(exchange.request, std::move(body), services.config.querier.compress_responses);
    response.headers.set("Content-Type", kNdjsonType);
    return response;
  }
  append_query_answer(body, outcome->result, outcome->stats, options);
  return json_answer(exchange.request, std::move(body), services.config.querier.compress_responses);
}

/// Loki's answer to whoever accepts an encoding that is switched off.
std::optional<net::HttpResponse> refuse_parquet(const net::HttpRequest& request) {
  const bool asked = request.headers.value_or_empty("Accept") == "application/vnd.apache.parquet";
  if (!asked) return std::nullopt;
  return bare_error(400,
                    "support for Parquet encoded responses is disabled. Enable with "
                    "-frontend.support-parquet-encoding=true");
}

void query_range(const Services& services, const std::shared_ptr<QueryExchange>& exchange,
                 const std::shared_ptr<net::HttpReply>& reply) {
  if (auto refusal = refuse_parquet(exchange->request)) return reply->send(*std::move(refusal));
  auto range = parse_range_params(exchange->params, services.clock.now());
  if (!range) return reply->send(refused(*exchange, bare_error(range.error())));
  const auto after = resume_position(*exchange);
  if (!after) return reply->send(refused(*exchange, bare_error(after.error())));
  const EncodeOptions options = encode_options(exchange->request);
  QueryCall call = call_of(services, *exchange, "query_range");
  fill_range(call.params, *range);
  call.params.categorize_labels = options.categorize;
  call.params.as_table = wants_table(*exchange);
  const QueryService service(services);
  auto pages = service.open_pages(call, kPageBytes, *after);
  if (!pages) return reply->send(bare_error(pages.error()));
  if (*pages != nullptr) return answer_log_query(services, *exchange, std::move(*pages), reply);
  reply->send(answer_outcome(services, *exchange, service.run(call), options));
}

net::HttpResponse query_instant(const Services& services, QueryExchange& exchange) {
  if (auto refusal = refuse_parquet(exchange.request)) return *std::move(refusal);
  auto instant = parse_instant_params(exchange.params, services.clock.now());
  if (!instant) return refused(exchange, bare_error(instant.error()));
  QueryCall call = call_of(services, exchange, "query");
  call.check_selectors = false;
  call.log_queries_allowed = false;
  call.params.query = std::move(instant->query);
  call.params.instant = true;
  call.params.as_table = wants_table(exchange);
  call.params.start = call.params.end = instant->time;
  call.params.limit = instant->limit;
  call.params.direction = instant->direction;
  return answer_outcome(services, exchange, QueryService(services).run(call), encode_options(exchange.request));
}

void append_legacy_streams(std::string& out, const logql::Streams& streams) {
  JsonWriter w(out);
  w.key("streams").begin_array();
  for (const auto& stream : streams.streams) {
    w.begin_object().key("labels").string(stream.labels.to_string()).key("entries").begin_array();
    for (const auto& entry : stream.entries) {
      w.begin_object().key("ts").string(format_rfc3339(entry.timestamp)).key("line").string(entry.line).end_object();
    }
    w.end_array().end_object();
  }
  w.end_array();
}

net::HttpResponse legacy_query(const Services& services, QueryExchange& exchange) {
  auto range = parse_range_params(exchange.params, services.clock.now());
  if (!range) return refused(exchange, bare_error(range.error()));
  QueryCall call = call_of(services, exchange, "legacy_query");
  fill_range(call.params, *range);
  if (const auto regexp = exchange.params.value_or_empty("regexp"); !regexp.empty()) {
    call.params.query += " |~ ";
    append_go_quoted(call.params.query, regexp);
  }
  const auto after = resume_position(exchange);
  if (!after) return refused(exchange, bare_error(after.error()));
  const auto pages = QueryService(services).open_pages(call, 0, *after);
  if (!pages) return bare_error(pages.error());
  if (*pages == nullptr) return refused(exchange, bare_error(400, kLegacyNeedsStreams));
  auto page = (*pages)->next();
  if (!page) return bare_error(page.error());
  const std::string cursor =
      page->resume && !exchange.tenants.several ? logql::format_cursor(*page->resume) : std::string();
  std::string body = "{";
  append_legacy_streams(body, logql::group_streams(std::move(*page)));
  body += ",\"stats\":";
  append_stats(body, (*pages)->stats());
  if (exchange.params.has("cursor")) {
    body += ",\"cursor\":";
    append_json_string(body, cursor);
  }
  body += "}\n";
  auto response = json_answer(exchange.request, std::move(body), services.config.querier.compress_responses);
  if (!cursor.empty()) response.headers.set(kCursorHeader, cursor);
  return response;
}

net::HttpResponse format_query(const net::HttpRequest& request) {
  const auto params = merged_params(request);
  if (!params) return bare_error(params.error());
  const auto expr = logql::parse_query(params->value_or_empty("query"));
  std::string body;
  JsonWriter w(body);
  if (expr) {
    w.begin_object().key("status").string("success").key("data").string(logql::format_query(**expr)).end_object();
  } else {
    w.begin_object().key("status").string("invalid-query").key("error").string(expr.error().message()).end_object();
  }
  body += '\n';
  auto response = net::HttpResponse::json(expr ? 200 : 400, std::move(body));
  response.headers.set("Content-Type", "application/json; charset=utf-8");
  return response;
}

}  // namespace

void add_query_routes(net::HttpServer& server, const Services& services) {
  const auto add = [&](const char* pattern, net::HttpResponse (*handler)(const Services&, QueryExchange&)) {
    add_query_route(server, services, pattern,
                    [&services, handler](QueryExchange& exchange) { return handler(services, exchange); });
  };
  add_query_route(server, services, "/loki/api/v1/query_range",
                  StreamingQueryHandler([&services](const std::shared_ptr<QueryExchange>& exchange,
                                                    const std::shared_ptr<net::HttpReply>& reply) {
                    query_range(services, exchange, reply);
                  }));
  add("/loki/api/v1/query", query_instant);
  add("/api/prom/query", legacy_query);
  net::HttpRoute format;
  format.methods = {"GET", "POST"};
  format.pattern = "/loki/api/v1/format_query";
  format.pool = "admin";
  format.handler = [](net::HttpRequest request, std::shared_ptr<net::HttpReply> reply) {
    reply->send(format_query(request));
  };
  server.add(std::move(format));
}

}  // namespace kvasir::server
