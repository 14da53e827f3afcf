// entry_routes.h -- GET /api/v1/entry/{cursor}: one entry by its place in the order of its tenant, with the lines
// around it.
//
// Errors:   400 broken cursor; 404 no such entry (never stored, deleted, or past its retention).
// Source:   docs/http-extensions.md
#pragma once

#include "common/net/http_server.h"
#include "server/services.h"

namespace kvasir::server {

/// services must outlive the server.
void add_entry_routes(net::HttpServer& server, const Services& services);

}  // namespace kvasir::server
