#include "server/handlers/detected_routes.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <set>

#include "common/json_writer.h"
#include "common/number.h"
#include "logql/syntax/parser.h"
#include "server/answer.h"
#include "server/detected_fields.h"
#include "server/handlers/metadata_request.h"
#include "server/line_patterns.h"
#include "server/query_service.h"

namespace kvasir::server {
namespace {

constexpr std::uint32_t kFieldLimit = 1000;
constexpr std::uint32_t kEveryLine = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kPageBytes = 8 << 20;
constexpr std::size_t kPatternsShown = 300;

QueryCall log_call(const QueryExchange& exchange, const char* route, const TimeBounds& bounds) {
  QueryCall call = query_call(exchange, route);
  call.tenants.several = false;  // the answers are merged without the tenant label
  call.tags = clean_query_tags(exchange.request.headers.get("X-Query-Tags").value_or(""));
  call.check_selectors = false;
  call.params.query = exchange.params.value_or_empty("query");
  call.params.start = bounds.start;
  call.params.end = bounds.end;
  call.params.categorize_labels = true;
  return call;
}

/// Runs the call for every tenant on its own and hands the streams over, page by page: memory stays flat over any
/// number of lines. The deadline of a query counts for all of them together.
Result<void> for_each_page(const Services& services, QueryCall call,
                           const std::function<Result<void>(const logql::Streams&)>& take) {
  const QueryTenants all = call.tenants;
  const Duration timeout = effective_settings(all).query_timeout;
  const Duration begun = services.clock.steady();
  for (const auto& tenant : all.tenants) {
    call.tenants.tenants = {tenant};
    KVASIR_TRY(const auto pages, QueryService(services).open_pages(call, kPageBytes, std::nullopt));
    if (pages == nullptr) return fail(ErrorCode::kInvalidArgument, "only log selector is supported");
    for (bool last = false; !last;) {
      KVASIR_TRY(logql::LogPage page, pages->next());
      last = page.last;
      KVASIR_CHECK_OK(take(logql::group_streams(std::move(page))));
      if (timeout.count() > 0 && services.clock.steady() - begun > timeout)
        return fail(ErrorCode::kDeadlineExceeded, "request timed out");
    }
  }
  return {};
}

struct FieldRequest {
  std::unique_ptr<MemoryBudget> charged;   // for the collector's values
  std::unique_ptr<FieldCollector> collector;
  std::uint32_t field_limit = kFieldLimit;
};

Result<FieldRequest> collect_fields(const Services& services, QueryExchange& exchange) {
  const auto& params = exchange.params;
  FieldRequest request;
  KVASIR_TRY(const TimeBounds bounds, metadata_bounds(services, exchange));
  const char* limit_name = params.value_or_empty("limit").empty() ? "field_limit" : "limit";
  KVASIR_TRY(request.field_limit, parse_limit(params, limit_name, kFieldLimit));
  QueryCall call = log_call(exchange, "detected_fields", bounds);
  call.check_limits = !params.value_or_empty("line_limit").empty();
  KVASIR_TRY(call.params.limit, parse_limit(params, "line_limit", kEveryLine));
  KVASIR_TRY(const logql::ExprPtr expr, logql::parse_query(call.params.query));
  if (!logql::is_log_query(*expr)) return fail(ErrorCode::kInvalidArgument, "only log selector is supported");
  KVASIR_TRY(request.collector, FieldCollector::create(request.field_limit));
  request.charged = std::make_unique<MemoryBudget>("detected fields", 0, &services.query_budget);
  KVASIR_CHECK_OK(for_each_page(services, std::move(call), [&](const logql::Streams& streams) {
    request.collector->add(streams);
    const std::uint64_t bytes = request.collector->bytes(), charged = request.charged->used_bytes();
    return bytes > charged ? request.charged->charge(bytes - charged) : Result<void>();
  }));
  return request;
}

void write_field(JsonWriter& w, const std::string& name, const DetectedField& field) {
  w.begin_object().key("label").string(name).key("type").string(field_type_name(field.type));
  w.key("cardinality").unsigned_integer(field.values.size()).key("parsers");
  if (field.parsers.empty()) {
    w.null();
  } else {
    w.begin_array();
    for (const auto& parser : field.parsers) w.string(parser);
    w.end_array();
  }
  if (!field.json_path.empty()) {
    w.key("jsonPath").begin_array();
    for (const auto& part : field.json_path) w.string(part);
    w.end_array();
  }
  w.end_object();
}

net::HttpResponse detected_fields(const Services& services, QueryExchange& exchange) {
  const auto request = collect_fields(services, exchange);
  if (!request) return refused(exchange, bare_error(request.error()));
  std::string body;
  JsonWriter w(body);
  w.begin_object();
  if (!request->collector->fields().empty()) {
    w.key("fields").begin_array();
    for (const auto& [name, field] : request->collector->fields()) write_field(w, name, field);
    w.end_array().key("limit").unsigned_integer(request->field_limit);
  }
  w.end_object();
  body += '\n';
  return json_answer(exchange.request, std::move(body), services.config.querier.compress_responses);
}

net::HttpResponse detected_values(const Services& services, QueryExchange& exchange) {
  const auto request = collect_fields(services, exchange);
  if (!request) return refused(exchange, bare_error(request.error()));
  const auto& fields = request->collector->fields();
  const auto found = fields.find(std::string(exchange.request.path_params.value_or_empty("name")));
  std::string body;
  JsonWriter w(body);
  w.begin_object();
  if (found != fields.end()) {
    std::set<std::string> values;
    for (const auto& value : found->second.values) {
      const auto bytes = found->second.type == FieldType::kBytes ? parse_byte_size(value) : std::nullopt;
      if (values.size() < request->field_limit) values.insert(bytes ? humanise_bytes(*bytes) : value);
    }
    w.key("values").begin_array();
    for (const auto& value : values) w.string(value);
    w.end_array().key("limit").unsigned_integer(request->field_limit);
  }
  w.end_object();
  body += '\n';
  return json_answer(exchange.request, std::move(body), services.config.querier.compress_responses);
}

void write_patterns(std::string& body, const std::vector<LinePattern>& patterns) {
  JsonWriter w(body);
  w.begin_object().key("status").string("success").key("data").begin_array();
  for (std::size_t i = 0; i < std::min(patterns.size(), kPatternsShown); ++i) {
    w.begin_object()
        .key("pattern")
        .string(patterns[i].text)
        .key("level")
        .string(patterns[i].level)
        .key("samples")
        .begin_array();
    for (const auto& [second, count] : patterns[i].samples)
      w.begin_array().integer(second).unsigned_integer(count).end_array();
    w.end_array().end_object();
  }
  w.end_array().end_object();
  body += '\n';
}

net::HttpResponse patterns(const Services& services, QueryExchange& exchange) {
  const auto run = [&]() -> Result<std::vector<LinePattern>> {
    KVASIR_TRY(const TimeBounds bounds, metadata_bounds(services, exchange));
    KVASIR_TRY(const Duration step, parse_step(exchange.params, bounds));
    KVASIR_TRY(const auto matchers,
               metadata_selector(exchange.params.value_or_empty("query"), SelectorPresence::kRequired));
    (void)matchers;
    QueryCall call = log_call(exchange, "patterns", bounds);
    call.check_limits = false;
    call.params.limit = kEveryLine;
    PatternMiner miner(step);
    KVASIR_CHECK_OK(for_each_page(services, std::move(call), [&](const logql::Streams& streams) {
      miner.add(streams);
      return Result<void>();
    }));
    return miner.patterns();
  };
  if (!services.config.pattern_ingester_enabled) return bare_error(404, "");
  const auto found = run();
  if (!found) return refused(exchange, bare_error(found.error()));
  std::string body;
  write_patterns(body, *found);
  return json_answer(exchange.request, std::move(body), services.config.querier.compress_responses);
}

}  // namespace

void add_detected_routes(net::HttpServer& server, const Services& services) {
  add_query_route(server, services, "/loki/api/v1/detected_fields",
                  [&services](QueryExchange& exchange) { return detected_fields(services, exchange); });
  add_query_route(server, services, "/loki/api/v1/detected_field/{name}/values",
                  [&services](QueryExchange& exchange) { return detected_values(services, exchange); });
  add_query_route(server, services, "/loki/api/v1/patterns",
                  [&services](QueryExchange& exchange) { return patterns(services, exchange); });
}

}  // namespace kvasir::server
