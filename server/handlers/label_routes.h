// label_routes.h -- labels, label values and series, in the v1 and the legacy forms.
#pragma once

#include "common/net/http_server.h"
#include "server/services.h"

namespace kvasir::server {

/// services must outlive the server.
void add_label_routes(net::HttpServer& server, const Services& services);

}  // namespace kvasir::server
