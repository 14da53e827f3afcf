// process_metrics.h -- what the process itself uses and what its pages are asked: process_*, request_duration_seconds,
// tcp_connections.
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
  void set_connections(std::size_t open) { connections_->set(static_cast<double>(open)); }

 private:
  MetricRegistry& registry_;
  SeriesPtr cpu_seconds_, resident_bytes_, virtual_bytes_, start_seconds_, open_files_, max_files_, connections_;
};

}  // namespace kvasir::agent
