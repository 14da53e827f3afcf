// query_service.h -- runs one query for some tenants: limits first, then the engine, then statistics, metrics and a log
// line.
//
// Order:    parse, blocked queries, matchers, entries, length, range, required labels; the first that fails is the
//           answer.
// Errors:   the engine's, and invalid_argument / limit_exceeded with the texts that clients know; status_of() maps
//           them.
// Threads:  run() from the scheduler's threads; blocks until the query is done. A PagedQuery is used by one thread at a
//           time.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/result.h"
#include "logql/engine.h"
#include "logql/log_pages.h"
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
  std::string limits;                   // X-Loki-Query-Limits where it is heeded
  std::string kind;                     // filter, limited, ...: filled in by the service
  std::stop_token client;               // stops when the client goes away
  Duration queued{0};
  bool check_selectors = true;          // required labels (not for instant queries)
  bool check_limits = true;             // entries and length (not for the history of a tail)
  bool may_use_cache = true;            // false: Cache-Control: no-cache
  bool may_select_all = false;          // {} is the server's own way to find an entry, whatever the tenant allows
  bool in_order = false;                // of pages: streams, read one after the other, are in the order of the query
  logql::QueryProfile* profile = nullptr;  // where operators count what they do; outlives run()
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

/// A query of log entries whose answer comes in pages. Seen by /api/v1/queries from open() until it is destroyed; its
/// deadline counts for each page anew, for the time between pages belongs to the client.
class PagedQuery {
 public:
  PagedQuery(const Services& services, QueryCall call, const QuerySettings& settings,
             std::unique_ptr<logql::LogPager> pager);
  ~PagedQuery();  // counts and logs the query

  /// REQUIRES: the last page has not been given.
  Result<logql::LogPage> next();
  /// Of all pages so far.
  const StatsSummary& stats() const { return stats_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  const Services& services_;
  const QueryCall call_;
  const QuerySettings settings_;
  std::unique_ptr<logql::LogPager> pager_;
  std::shared_ptr<logql::LogSource> source_;
  std::unique_ptr<RunningQueries::Ticket> ticket_;
  MemoryBudget budget_;
  StatsSummary stats_;
  std::vector<std::string> warnings_;
  Duration worked_{0};
  std::optional<Error> error_;
};

class QueryService {
 public:
  explicit QueryService(const Services& services) : services_(services) {}

  Result<QueryOutcome> run(const QueryCall& call) const;
  /// Null: not a query of log entries; run() is for those. page_bytes as in LogPager.
  Result<std::unique_ptr<PagedQuery>> open_pages(const QueryCall& call, std::uint64_t page_bytes,
                                                 std::optional<EntryPosition> after) const;

  /// The source for these tenants: with several, streams carry __tenant_id__.
  std::shared_ptr<logql::LogSource> source_of(const QueryTenants& tenants) const;

 private:
  Result<logql::ExprPtr> check(const QueryCall& call, QuerySettings& settings) const;
  Result<logql::QueryResult> evaluate(const QueryCall& call, const logql::Expr& expr, const logql::QueryParams& params,
                                      logql::QueryContext& context) const;
  Result<QueryOutcome> execute(const QueryCall& call, const QuerySettings& settings, const logql::Expr& expr) const;

  const Services& services_;
};

/// Time range checks that metadata routes share. Errors: invalid_argument.
Result<void> check_query_length(Duration length, const QuerySettings& settings);

}  // namespace kvasir::server
