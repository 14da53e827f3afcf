// detected_routes.h -- detected_fields, detected_field/{name}/values and patterns: what is inside the lines of a query.
#pragma once

#include "common/net/http_server.h"
#include "server/services.h"

namespace kvasir::server {

/// services must outlive the server.
void add_detected_routes(net::HttpServer& server, const Services& services);

}  // namespace kvasir::server
