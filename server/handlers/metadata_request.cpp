#include "server/handlers/metadata_request.h"

#include "logql/syntax/parser.h"
#include "server/query_service.h"

namespace kvasir::server {

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
