// admin_routes.h -- health, metrics, configuration, build, log level, flush, shutdown, rings, running queries.
#pragma once

#include "common/net/http_server.h"
#include "server/life_cycle.h"
#include "server/services.h"

namespace kvasir::server {

/// The route (its pattern) answers everybody, whatever credential comes along.
bool is_open_route(std::string_view pattern);
/// Both must outlive the server.
void add_admin_routes(net::HttpServer& server, const Services& services, LifeCycle& life);

}  // namespace kvasir::server
