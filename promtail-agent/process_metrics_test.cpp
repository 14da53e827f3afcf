#include "promtail-agent/process_metrics.h"

#include <doctest/doctest.h>

namespace kvasir::agent {

TEST_CASE("the process tells what it uses and what it was asked") {
  MetricRegistry registry(system_clock());
  ProcessMetrics process(registry);
  process.refresh();
  CHECK(registry.gauge("process_resident_memory_bytes", "")->value() > 1e6);
  CHECK(registry.gauge("process_open_fds", "")->value() >= 3);
  CHECK(registry.counter("process_cpu_seconds_total", "")->value() > 0);
  const double now = static_cast<double>(system_clock().now().value) / 1e9;
  const double started = registry.gauge("process_start_time_seconds", "")->value();
  CHECK(started < now + 2);
  CHECK(started > now - 3600);
  net::HttpExchange exchange;
  exchange.method = "GET";
  exchange.route = "/service-discovery";
  exchange.status = 200;
  exchange.duration = std::chrono::milliseconds(3);
  process.count_exchange(exchange);
  CHECK(registry.render(MetricsFormat::kPrometheus)
            .find("request_duration_seconds_count{method=\"GET\",route=\"service_discovery\",status_code=\"200\","
                  "ws=\"false\"} 1\n") != std::string::npos);
}

}  // namespace kvasir::agent
