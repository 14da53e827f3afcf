// query_service.h -- runs one query for some tenants: limits first, then the engine, then statistics, metrics and a log line.
//
// Order:    parse, blocked queries, matchers, entries, length, range, required labels; the first that fails is the answer.
// Errors:   the engine's, and invalid_argument / limit_exceeded with the texts that clients know; status_of() maps them.
// Threads:  run() from the scheduler's threads; blocks until the query is done.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "common/result.h"
#include "logql/engine.h"
#include "logql/syntax/ast.h"
#include "server/encode_result.h"
#include "server/services.h"

namespace kvasir::server {

struct QueryCall {
  logql::QueryParams params;            // the tenant is filled in by run()
  QueryTenants tenants;
  std::string route;                    // for logs: query_range, query, ...
  std::string peer;
  std::string tags;                     // of X-Query-Tags, cleaned
  std::stop_token client;               // stops when the client goes away
  Duration queued{0};
  bool check_selectors = true;          // required labels (not for instant queries)
  bool check_limits = true;             // entries and length (not for the history of a tail)
  bool log_queries_allowed = true;      // false: a plain log query is an error (instant)
};

struct QueryOutcome {
  logql::QueryResult result;
  StatsSummary stats;
  std::vector<std::string> warnings;
};

/// `Source=grafana, a=b`: other characters become `_`.
std::string clean_query_tags(std::string_view header);

/// The strictest of the tenants' limits.
QuerySettings effective_settings(const QueryTenants& tenants);

class QueryService {
 public:
  explicit QueryService(const Services& services) : services_(services) {}

  Result<QueryOutcome> run(const QueryCall& call) const;

  /// The source for these tenants: with several, streams carry __tenant_id__.
  std::shared_ptr<logql::LogSource> source_of(const QueryTenants& tenants) const;

 private:
  Result<QueryOutcome> execute(const QueryCall& call, const QuerySettings& settings, const logql::Expr& expr) const;

  const Services& services_;
};

/// Time range checks that metadata routes share. Errors: invalid_argument.
Result<void> check_query_length(Duration length, const QuerySettings& settings);

}  // namespace kvasir::server
