// prometheus_routes.h -- Prometheus' query API over LogQL metric queries, and the lines of a trace.
//
// Routes:   /api/v1/query, query_range, labels, label/{name}/values, series (GET, POST); GET /api/v1/trace/{id}/logs.
// Errors:   JSON: bad_data 400, execution 422, timeout 503.
#pragma once

#include "common/net/http_server.h"
#include "server/services.h"

namespace kvasir::server {

/// services must outlive the server.
void add_prometheus_routes(net::HttpServer& server, const Services& services);

}  // namespace kvasir::server
