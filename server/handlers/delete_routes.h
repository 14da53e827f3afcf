// delete_routes.h -- /loki/api/v1/delete: create, list and cancel requests that hide lines at once and erase them
// later.
//
// Notes:    parameters are read from the URL only, as clients send them. DELETE without request_id is refused, where
//           the reference server would drop every request of the tenant.
#pragma once

#include "common/net/http_server.h"
#include "server/delete_requests.h"
#include "server/services.h"

namespace kvasir::server {

/// Both must outlive the server.
void add_delete_routes(net::HttpServer& server, const Services& services, DeleteRequests& deletes);

}  // namespace kvasir::server
