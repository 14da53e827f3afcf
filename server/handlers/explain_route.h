// explain_route.h -- GET /api/v1/explain: what each operator of a query lets through, reads and costs.
//
// Shape:    the query is run once, as it is, with a profile (logql/query_profile.h). For each place at which it reads
//           logs there are the operators that did something, short cuts included, then the stages that lines went
//           through, then what was made of the rows; at the end the answer as a whole.
// Errors:   those of a query.
// Source:   docs/http-extensions.md
#pragma once

#include "common/net/http_server.h"
#include "server/services.h"

namespace kvasir::server {

/// services must outlive the server.
void add_explain_route(net::HttpServer& server, const Services& services);

}  // namespace kvasir::server
