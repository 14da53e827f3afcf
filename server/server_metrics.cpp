#include "server/server_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "common/clock.h"

namespace kvasir::server {
namespace {

const prometheus::Histogram::BucketBoundaries kRequestSeconds = {.005, .01, .025, .05, .1, .25, .5,
                                                                 1,    2.5, 5,    10,  25, 50,  100};

prometheus::Histogram::BucketBoundaries exponential(double start, double factor, int count) {
  prometheus::Histogram::BucketBoundaries out;
  for (int i = 0; i < count; ++i, start *= factor) out.push_back(start);
  return out;
}

prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help,
                         const prometheus::Labels& labels = {}) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
}

prometheus::Counter& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Family<prometheus::Histogram>& histograms(prometheus::Registry& registry, const char* name,
                                                      const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

/// What a client writes there must not make series without end.
std::string known_method(std::string_view method) {
  for (const char* known : {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"}) {
    if (method == known) return known;
  }
  return "other";
}

}  // namespace

std::string route_label(std::string_view pattern) {
  std::string out;
  for (const char c : pattern) {
    if (c == '{' || c == '}' || c == '.') continue;
    const bool keep = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (keep) {
      out += c;
    } else if (!out.empty()) {
      out += '_';
    }
  }
  return out.empty() ? "other" : out;
}

ServerMetrics::ServerMetrics() : registry_(std::make_shared<prometheus::Registry>()) {
  auto& r = *registry_;
  request_seconds_ = &histograms(r, "loki_request_duration_seconds", "Time to answer HTTP requests");
  message_bytes_ = &histograms(r, "loki_request_message_bytes", "Size of request bodies");
  response_bytes_ = &histograms(r, "loki_response_message_bytes", "Size of response bodies");
  query_seconds_ = &histograms(r, "loki_logql_querystats_latency_seconds", "Time to run queries");
  query_rate_ = &histograms(r, "loki_logql_querystats_bytes_processed_per_seconds",
                            "Bytes of lines that queries read per second");
  queue_length_ = &gauge(r, "loki_query_scheduler_queue_length", "Queries that wait", {{"user", "all"}});
  queries_in_progress_ = &gauge(r, "loki_query_frontend_queries_in_progress", "Queries at work");
  tails_active_ = &gauge(r, "loki_querier_tail_active", "Live tails");
  tail_bytes_ = &counter(r, "loki_querier_tail_bytes_total", "Bytes sent to live tails");
  tail_dropped_ = &counter(r, "kvasir_tail_dropped_entries_total", "Entries that slow live tails did not get");
  reload_failures_ = &counter(r, "kvasir_config_reload_failures_total", "Reloads that kept the old configuration");
  resident_bytes_ = &gauge(r, "process_resident_memory_bytes", "Resident memory size in bytes");
  virtual_bytes_ = &gauge(r, "process_virtual_memory_bytes", "Virtual memory size in bytes");
  cpu_seconds_ = &gauge(r, "process_cpu_seconds_total", "User and system CPU time in seconds");
  open_fds_ = &gauge(r, "process_open_fds", "Open file descriptors");
  max_fds_ = &gauge(r, "process_max_fds", "Most file descriptors that may be open");
  gauge(r, "process_start_time_seconds", "Start time since the Unix epoch in seconds")
      .Set(static_cast<double>(system_clock().now().value) / 1e9);
  gauge(r, "loki_build_info", "Version of the interface and of the program",
        {{"version", BuildInfo::kVersion},
         {"revision", BuildInfo::kKvasirVersion},
         {"branch", "kvasir"},
         {"goversion", ""},
         {"goos", "linux"},
         {"goarch", ""},
         {"tags", ""}})
      .Set(1);
  gauge(r, "loki_boltdb_shipper_compactor_running", "1 while background merging runs in this process").Set(1);
  gauge(r, "loki_distributor_replication_factor", "Always 1").Set(1);
  counter(r, "loki_panic_total", "Handlers that ended with an exception");
}

void ServerMetrics::on_collect(std::function<void()> refresh) {
  MutexLock lock(mutex_);
  refreshers_.push_back(std::move(refresh));
}

void ServerMetrics::set_rules(std::shared_ptr<prometheus::Collectable> rules) {
  MutexLock lock(mutex_);
  rules_ = std::move(rules);
}

void ServerMetrics::refresh_process() {
  std::ifstream statm("/proc/self/statm");
  double pages = 0;
  double resident = 0;
  if (statm >> pages >> resident) {
    const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
    virtual_bytes_->Set(pages * page);
    resident_bytes_->Set(resident * page);
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  cpu_seconds_->Set(seconds(usage.ru_utime) + seconds(usage.ru_stime));
  std::error_code ignored;
  open_fds_->Set(static_cast<double>(std::distance(std::filesystem::directory_iterator("/proc/self/fd", ignored), {})));
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  max_fds_->Set(static_cast<double>(limit.rlim_cur));
}

std::string ServerMetrics::text() {
  std::vector<std::function<void()>> refreshers;
  std::vector<prometheus::MetricFamily> families;
  {
    MutexLock lock(mutex_);
    refreshers = refreshers_;
    if (rules_ != nullptr) families = rules_->Collect();
  }
  for (const auto& refresh : refreshers) refresh();
  refresh_process();
  auto own = registry_->Collect();
  families.insert(families.begin(), std::make_move_iterator(own.begin()), std::make_move_iterator(own.end()));
  std::string out = prometheus::TextSerializer().Serialize(families);
  // the client library has no settable counter
  const std::string gauge_type = "# TYPE process_cpu_seconds_total gauge";
  if (const auto at = out.find(gauge_type); at != std::string::npos) {
    out.replace(at, gauge_type.size(), "# TYPE process_cpu_seconds_total counter");
  }
  return out;
}

void ServerMetrics::observe_exchange(const net::HttpExchange& exchange) {
  const std::string route = route_label(exchange.route);
  const std::string method = known_method(exchange.method);
  const bool socket = exchange.status == 101;
  ExchangeMetrics metrics{};
  {
    MutexLock lock(mutex_);
    auto& known = exchanges_[{route, method, exchange.status}];
    if (known.seconds == nullptr) {
      const std::string status = exchange.status == 0 ? "499" : std::to_string(exchange.status);
      known.seconds = &request_seconds_->Add(
          {{"method", method}, {"route", route}, {"status_code", status}, {"ws", socket ? "true" : "false"}},
          kRequestSeconds);
      const prometheus::Labels labels = {{"method", method}, {"route", route}};
      known.request_bytes = &message_bytes_->Add(labels, exponential(4, 4, 15));
      known.response_bytes = &response_bytes_->Add(labels, exponential(4, 4, 15));
    }
    metrics = known;
  }
  metrics.seconds->Observe(static_cast<double>(exchange.duration.count()) / 1e9);
  metrics.request_bytes->Observe(static_cast<double>(exchange.request_bytes));
  metrics.response_bytes->Observe(static_cast<double>(exchange.response_bytes));
}

void ServerMetrics::observe_query(const std::string& kind, bool range, int status, double seconds,
                                  std::uint64_t bytes) {
  const prometheus::Labels labels = {
      {"status_code", std::to_string(status)}, {"type", kind}, {"range", range ? "range" : "instant"}};
  query_seconds_->Add(labels, exponential(.25, 2, 10)).Observe(seconds);
  if (status == 200 && seconds > 0)
    query_rate_->Add(labels, exponential(1e6, 4, 10)).Observe(static_cast<double>(bytes) / seconds);
}

}  // namespace kvasir::server
