// query_route.h -- a route whose work runs on the fair query queue: tenant first, then wait for a turn, then answer.
//
// Threads:  the route itself runs on the socket thread and only queues; the handler runs on a scheduler thread.
// Errors:   429 `too many outstanding requests` when the tenant's queue is full; 500 when a handler throws.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/net/http_server.h"
#include "server/query_service.h"
#include "server/services.h"

namespace kvasir::server {

/// One request on its way through a handler.
struct QueryExchange {
  net::HttpRequest request;
  net::HttpParams params;      // form and query string
  QueryTenants tenants;
  Duration queued{0};
  std::stop_token client;
};

/// An answer to a request that was refused before it became a query: it leaves a line in the audit as queries do.
net::HttpResponse refused(const QueryExchange& exchange, net::HttpResponse response);

/// Who asks, for whom and since when; the query itself is still to be filled in.
QueryCall query_call(const QueryExchange& exchange, std::string route);

/// False: `Cache-Control: no-cache`.
bool allows_cached(const net::HttpRequest& request);

using QueryHandler = std::function<net::HttpResponse(QueryExchange&)>;

/// Answers through the reply, now or later, on any thread. Dropping the reply without an answer is a 500.
using StreamingQueryHandler = std::function<void(std::shared_ptr<QueryExchange>, std::shared_ptr<net::HttpReply>)>;

/// GET and POST. The handler reads through QueryService or VisibleStore, which heed exchange.tenants.policy; it never
/// asks services.store itself.
void add_query_route(net::HttpServer& server, const Services& services, std::string pattern,
                     StreamingQueryHandler handler);
void add_query_route(net::HttpServer& server, const Services& services, std::string pattern, QueryHandler handler);

}  // namespace kvasir::server
