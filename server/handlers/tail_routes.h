// tail_routes.h -- /loki/api/v1/tail and the legacy /api/prom/tail: history first, then live entries over a WebSocket.
#pragma once

#include "common/net/http_server.h"
#include "server/services.h"
#include "server/tail_hub.h"

namespace kvasir::server {

/// Both must outlive the server.
void add_tail_routes(net::HttpServer& server, const Services& services, TailHub& hub);

}  // namespace kvasir::server
