// query_routes.h -- /loki/api/v1/query and query_range, the legacy /api/prom/query, and format_query.
#pragma once

#include "common/net/http_server.h"
#include "server/services.h"

namespace kvasir::server {

/// services must outlive the server.
void add_query_routes(net::HttpServer& server, const Services& services);

}  // namespace kvasir::server
