// maintenance_metrics.h -- what the background work on segments did and used, read at each exposition.
#pragma once

#include "server/maintenance.h"
#include "server/server_metrics.h"

namespace kvasir::server {

/// `maintenance` must live as long as `metrics` is asked for its text.
void collect_maintenance(ServerMetrics& metrics, const Maintenance& maintenance);

}  // namespace kvasir::server
