// ledger_routes.h -- GET /api/v1/ledger: which bytes of which file durable pushes were made of.
//
// Errors:   400 without a file to look for; 403 for a caller with a read policy.
// Source:   docs/http-extensions.md, docs/formats/ledger-v1.md
#pragma once

#include "common/net/http_server.h"
#include "server/services.h"

namespace kvasir::server {

/// services must outlive the server.
void add_ledger_routes(net::HttpServer& server, const Services& services);

}  // namespace kvasir::server
