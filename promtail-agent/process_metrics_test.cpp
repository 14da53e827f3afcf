#include "promtail-agent/process_metrics.h"

#include <doctest/doctest.h>

#include "common/log.h"

namespace kvasir::agent {

TEST_CASE("the process tells what it uses and what it was asked") {
  MetricRegistry registry(system_clock());
  ProcessMetrics process(registry);
  process.set_connections_limit(7);
  log::warn("test", "a line that is counted");
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
  exchange.request_bytes = 5;
  exchange.response_bytes = 2 << 20;
  exchange.duration = std::chrono::milliseconds(3);
  process.count_exchange(exchange);
  process.inflight("GET", "/targets")->add(1);
  const std::string text = registry.render(MetricsFormat::kPrometheus);
  for (const char* sample : {
           R"(request_duration_seconds_count{method="GET",route="service_discovery",status_code="200",ws="false"} 1)",
           R"(request_message_bytes_sum{method="GET",route="service_discovery"} 5)",
           R"(response_message_bytes_bucket{method="GET",route="service_discovery",le="1.048576e+06"} 0)",
           R"(response_message_bytes_bucket{method="GET",route="service_discovery",le="2.62144e+06"} 1)",
           R"(inflight_requests{method="GET",route="targets"} 1)",
           R"(tcp_connections_limit{protocol="http"} 7)",
           R"(loki_log_messages_total{level="debug"} 0)",
       }) {
    CHECK_MESSAGE(text.find("\n" + std::string(sample) + "\n") != std::string::npos, sample);
  }
  CHECK(registry.counter("loki_log_messages_total", "", Labels{{"level", "warn"}})->value() >= 1);
}

}  // namespace kvasir::agent
