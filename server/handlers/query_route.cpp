#include "server/handlers/query_route.h"

#include <exception>

#include "common/log.h"
#include "server/answer.h"
#include "server/audit.h"
#include "server/params.h"

namespace kvasir::server {
namespace {

void answer_safely(const StreamingQueryHandler& handler, const std::shared_ptr<QueryExchange>& exchange,
                   const std::shared_ptr<net::HttpReply>& reply) {
  auto params = merged_params(exchange->request);
  if (!params) return reply->send(refused(*exchange, bare_error(params.error())));
  exchange->params = std::move(*params);
  try {
    handler(exchange, reply);
  } catch (const std::exception& e) {
    log::error("query", "a handler ended with an exception",
               {{"target", exchange->request.target}, {"error", e.what()}});
    reply->send(bare_error(500, "internal error"));
  }
}

void queue_exchange(const Services& services, const StreamingQueryHandler& handler, net::HttpRequest request,
                    const std::shared_ptr<net::HttpReply>& reply) {
  auto tenants = services.gate.query_tenants(request, *reply);
  if (!tenants) return;
  for (const auto& tenant : tenants->tenants) {
    if (tenant.settings->query.max_query_parallelism == 0) {
      return reply->send(bare_error(429, "querying is disabled, please contact your Loki operator"));
    }
  }
  const std::string queue = tenants->tenants.front().tenant;
  auto exchange = std::make_shared<QueryExchange>();
  exchange->request = std::move(request);
  exchange->tenants = std::move(*tenants);
  exchange->client = reply->stop_token();
  QueryJob job;
  job.run = [&handler, exchange, reply](Duration queued) {
    exchange->queued = queued;
    if (!exchange->client.stop_requested()) answer_safely(handler, exchange, reply);
  };
  job.on_dropped = [reply] { reply->send(bare_error(503, "the server is stopping")); };
  if (!services.scheduler.submit(queue, std::move(job))) reply->send(bare_error(429, "too many outstanding requests"));
}

}  // namespace

QueryCall query_call(const QueryExchange& exchange, std::string route) {
  QueryCall call;
  call.tenants = exchange.tenants;
  call.route = std::move(route);
  call.peer = exchange.request.peer;
  call.client = exchange.client;
  call.queued = exchange.queued;
  return call;
}

bool allows_cached(const net::HttpRequest& request) {
  return request.headers.value_or_empty("Cache-Control").find("no-cache") == std::string_view::npos;
}

net::HttpResponse refused(const QueryExchange& exchange, net::HttpResponse response) {
  std::string tenants;
  for (const auto& tenant : exchange.tenants.tenants) tenants += (tenants.empty() ? "" : "|") + tenant.tenant;
  audit({"query refused", tenants, exchange.tenants.caller, exchange.request.peer, response.status},
        {{"path", exchange.request.path.substr(0, kAuditedTextMax)},
         {"query", std::string(exchange.params.value_or_empty("query").substr(0, kAuditedTextMax))},
         {"reason", response.body.substr(0, kAuditedTextMax)}});
  return response;
}

void add_query_route(net::HttpServer& server, const Services& services, std::string pattern, QueryHandler handler) {
  add_query_route(server, services, std::move(pattern),
                  StreamingQueryHandler([handler = std::move(handler)](const std::shared_ptr<QueryExchange>& exchange,
                                                                       const std::shared_ptr<net::HttpReply>& reply) {
                    reply->send(handler(*exchange));
                  }));
}

void add_query_route(net::HttpServer& server, const Services& services, std::string pattern,
                     StreamingQueryHandler handler) {
  net::HttpRoute route;
  route.methods = {"GET", "POST"};
  route.pattern = std::move(pattern);
  route.pool = net::kIoPool;
  const auto shared = std::make_shared<const StreamingQueryHandler>(std::move(handler));
  route.handler = [&services, shared](net::HttpRequest request, std::shared_ptr<net::HttpReply> reply) {
    queue_exchange(services, *shared, std::move(request), reply);
  };
  server.add(std::move(route));
}

}  // namespace kvasir::server
