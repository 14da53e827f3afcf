// process_metrics.h -- what the process itself uses, logs, and what its pages are asked: process_*,
// loki_log_messages_total, request_duration_seconds and the like of it, tcp_connections.
//
// Lifetime: refers to the registry.
// Threads:  any.
#pragma once

#include "common/net/http_server.h"
#include "promtail-agent/stages/metric_registry.h"

namespace kvasir::agent {

class ProcessMetrics {
 public:
  explicit ProcessMetrics(MetricRegistry& registry);

  /// Reads the process' figures anew.
  void refresh();
  void count_exchange(const net::HttpExchange& exchange);
  /// Requests of a route that are being answered.
  SeriesPtr inflight(std::string_view method, std::string_view route);
  void set_connections(std::size_t open) { connections_->set(static_cast<double>(open)); }
  void set_connections_limit(std::size_t most) { connections_limit_->set(static_cast<double>(most)); }

 private:
  MetricRegistry& registry_;
  SeriesPtr cpu_seconds_, resident_bytes_, virtual_bytes_, start_seconds_, open_files_, max_files_, connections_,
      connections_limit_;
};

}  // namespace kvasir::agent
