#include "server/handlers/metadata_request.h"

#include <utility>

#include "logql/syntax/parser.h"
#include "server/audit.h"
#include "server/query_service.h"

namespace kvasir::server {
namespace {

void audit_metadata(const QueryExchange& exchange, int status) {
  std::string tenants, selectors;
  for (const auto& tenant : exchange.tenants.tenants) tenants += (tenants.empty() ? "" : "|") + tenant.tenant;
  for (const char* name : {"query", "match[]", "match"}) {
    for (const auto text : exchange.params.all(name)) selectors.append(selectors.empty() ? "" : " ").append(text);
  }
  audit({"metadata query", tenants, exchange.tenants.caller, exchange.request.peer, status},
        {{"path", exchange.request.path.substr(0, kAuditedTextMax)}, {"query", selectors.substr(0, kAuditedTextMax)}});
}

}  // namespace

void add_metadata_route(net::HttpServer& server, const Services& services, std::string pattern, QueryHandler handler) {
  add_query_route(server, services, std::move(pattern),
                  QueryHandler([&services, handler = std::move(handler)](QueryExchange& exchange) {
                    const Duration begun = services.clock.steady();
                    auto response = handler(exchange);
                    const Duration took = services.clock.steady() - begun;
                    if (took >= services.config.querier.log_queries_longer_than)
                      audit_metadata(exchange, response.status);
                    return response;
                  }));
}

Result<TimeBounds> metadata_bounds(const Services& services, const QueryExchange& exchange) {
  KVASIR_TRY(const TimeBounds bounds, parse_bounds(exchange.params, services.clock.now()));
  if (bounds.end < bounds.start) {
    return fail(ErrorCode::kInvalidArgument,
                "this data is no longer available, it is past now - max_query_lookback (0s)");
  }
  KVASIR_CHECK_OK(check_query_length(bounds.end - bounds.start, effective_settings(exchange.tenants)));
  return bounds;
}

Result<TimeRange> metadata_range(const Services& services, const QueryExchange& exchange) {
  KVASIR_TRY(const TimeBounds bounds, metadata_bounds(services, exchange));
  const TimestampNs end = bounds.end == TimestampNs::max() ? bounds.end : bounds.end + Duration(1);
  return TimeRange{bounds.start, end};
}

Result<std::vector<LabelMatcher>> metadata_selector(std::string_view text, SelectorPresence presence) {
  if (text.empty() && presence == SelectorPresence::kOptional) return std::vector<LabelMatcher>();
  KVASIR_TRY(const logql::ExprPtr expr, logql::parse_query(text));
  const auto* query = std::get_if<logql::LogQuery>(&expr->node);
  if (query == nullptr || !query->stages.empty() || !query->pipes.empty()) {
    return fail(ErrorCode::kInvalidArgument, "only label matchers are supported");
  }
  return query->selector.matchers;
}

MetadataContext::MetadataContext(const Services& services, const QueryExchange& exchange)
    : budget_("metadata request", 0, &services.query_budget),
      context_(services.clock, services.clock.steady() + effective_settings(exchange.tenants).query_timeout,
               exchange.client, budget_, logql::QueryLimits{}) {}

}  // namespace kvasir::server
