// explain_route.h -- GET /api/v1/explain: what each operator of a query lets through, reads and costs.
//
// Shape:    a query is explained by running it: first the selector alone, then with one stage more each time, without a
//           limit, and at last as it is. So rows are exact, and bytes and seconds are those of the query up to that
//           operator, with whatever short cuts the engine finds for it.
// Errors:   those of a query.
// Source:   docs/http-extensions.md
#pragma once

#include "common/net/http_server.h"
#include "server/services.h"

namespace kvasir::server {

/// services must outlive the server.
void add_explain_route(net::HttpServer& server, const Services& services);

}  // namespace kvasir::server
