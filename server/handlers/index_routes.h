// index_routes.h -- index/stats, index/volume, index/volume_range and detected_labels: answers from block statistics
// and labels.
#pragma once

#include "common/net/http_server.h"
#include "server/services.h"

namespace kvasir::server {

/// services must outlive the server.
void add_index_routes(net::HttpServer& server, const Services& services);

}  // namespace kvasir::server
