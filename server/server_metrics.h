// server_metrics.h -- the server's own metrics under the names that Loki's dashboards and alerts read.
//
// Labels:   closed sets only: route, method, status, tenant; never a stream label. Series per tenant are bounded by
//           kTenantSeriesMax, later tenants share `other`.
// Threads:  observe_* from any thread; a metric that is looked up per request is kept in a map under one lock.
#pragma once

#include <prometheus/registry.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "common/mutex.h"
#include "common/net/http_server.h"
#include "common/time.h"

namespace kvasir::server {

inline constexpr std::size_t kTenantSeriesMax = 1000;

/// `/loki/api/v1/label/{name}/values` -> `loki_api_v1_label_name_values`; "" -> other.
std::string route_label(std::string_view pattern);

class ServerMetrics {
 public:
  ServerMetrics();

  prometheus::Registry& registry() { return *registry_; }
  /// Text exposition of everything, with the process' own figures refreshed.
  std::string text();
  /// More families, collected at each exposition; nullptr takes them away again.
  void set_rules(std::shared_ptr<prometheus::Collectable> rules);
  /// Runs before each exposition: for gauges that are read rather than counted.
  void on_collect(std::function<void()> refresh);

  void observe_exchange(const net::HttpExchange& exchange);
  void observe_query(const std::string& kind, bool range, int status, double seconds, std::uint64_t bytes);

  prometheus::Gauge& queue_length() { return *queue_length_; }
  prometheus::Gauge& queries_in_progress() { return *queries_in_progress_; }
  prometheus::Gauge& tails_active() { return *tails_active_; }
  prometheus::Counter& tail_bytes() { return *tail_bytes_; }
  prometheus::Counter& tail_dropped() { return *tail_dropped_; }
  prometheus::Counter& reload_failures() { return *reload_failures_; }

 private:
  void refresh_process();

  std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Histogram>* request_seconds_;
  prometheus::Family<prometheus::Histogram>* message_bytes_;
  prometheus::Family<prometheus::Histogram>* response_bytes_;
  prometheus::Family<prometheus::Histogram>* query_seconds_;
  prometheus::Family<prometheus::Histogram>* query_rate_;
  prometheus::Gauge* queue_length_;
  prometheus::Gauge* queries_in_progress_;
  prometheus::Gauge* tails_active_;
  prometheus::Counter* tail_bytes_;
  prometheus::Counter* tail_dropped_;
  prometheus::Counter* reload_failures_;
  prometheus::Gauge* resident_bytes_;
  prometheus::Gauge* virtual_bytes_;
  prometheus::Gauge* cpu_seconds_;
  prometheus::Gauge* open_fds_;
  prometheus::Gauge* max_fds_;

  struct ExchangeMetrics {
    prometheus::Histogram* seconds;
    prometheus::Histogram* request_bytes;
    prometheus::Histogram* response_bytes;
  };
  Mutex mutex_;
  std::map<std::tuple<std::string, std::string, int>, ExchangeMetrics> exchanges_ KVASIR_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> refreshers_ KVASIR_GUARDED_BY(mutex_);
  std::shared_ptr<prometheus::Collectable> rules_ KVASIR_GUARDED_BY(mutex_);
};

/// Version numbers shown by /metrics, buildinfo and -version.
struct BuildInfo {
  static constexpr const char* kVersion = "3.7.6";        // of the interface: clients compare it
  static constexpr const char* kKvasirVersion = "0.1.0";
};

}  // namespace kvasir::server
