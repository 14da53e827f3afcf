// services.h -- what handlers work with; made once by main, outlives every request.
#pragma once

#include "common/clock.h"
#include "common/memory_budget.h"
#include "common/net/worker_pool.h"
#include "ingest/ingester.h"
#include "ingest/storage.h"
#include "server/config/server_config.h"
#include "server/delete_requests.h"
#include "server/query_scheduler.h"
#include "server/request_context.h"
#include "server/result_cache.h"
#include "server/running_queries.h"
#include "server/server_metrics.h"
#include "server/store_source.h"
#include "server/tenant_settings_store.h"

namespace kvasir::server {

struct Services {
  const Clock& clock;
  const ServerConfig& config;
  RequestGate& gate;
  TenantSettingsStore& tenants;
  ServerMetrics& metrics;
  StoreSource& store;
  ingest::Ingester& ingester;
  ingest::Storage& storage;
  QueryScheduler& scheduler;
  RunningQueries& running;
  MemoryBudget& query_budget;
  DeleteRequests& deletes;
  ResultCache& results;
  net::WorkerPool&
      answers;  // the pages after the first of long answers: slow readers wait here, not on the query threads
};

}  // namespace kvasir::server
