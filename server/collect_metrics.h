// collect_metrics.h -- gauges and counters of the ingester, storage and queues, read at each exposition.
#pragma once

#include "common/memory_budget.h"
#include "server/services.h"

namespace kvasir::server {

/// services and ingest_budget must live as long as services.metrics is asked for its text.
void collect_metrics(const Services& services, const MemoryBudget& ingest_budget);

}  // namespace kvasir::server
