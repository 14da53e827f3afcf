// metadata_request.h -- what label, series, index and detected routes share: a selector, a checked time range, a query
// context.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/matcher.h"
#include "common/result.h"
#include "logql/query_context.h"
#include "server/handlers/query_route.h"
#include "server/params.h"

namespace kvasir::server {

/// start, end and since as a half-open range that includes `end`. Errors: the texts for the client; too long for the
/// tenant.
Result<TimeRange> metadata_range(const Services& services, const QueryExchange& exchange);
/// The same without the inclusive end, for routes that echo the times.
Result<TimeBounds> metadata_bounds(const Services& services, const QueryExchange& exchange);

/// add_query_route() that leaves a line in the log, as queries do: who asked what.
void add_metadata_route(net::HttpServer& server, const Services& services, std::string pattern, QueryHandler handler);

/// A selector; `optional`: nothing given selects everything.
enum class SelectorPresence { kRequired, kOptional };
Result<std::vector<LabelMatcher>> metadata_selector(std::string_view text, SelectorPresence presence);

/// Deadline, budget and stop for work outside of the query engine.
class MetadataContext {
 public:
  MetadataContext(const Services& services, const QueryExchange& exchange);
  logql::QueryContext& get() { return context_; }

 private:
  MemoryBudget budget_;
  logql::QueryContext context_;
};

}  // namespace kvasir::server
