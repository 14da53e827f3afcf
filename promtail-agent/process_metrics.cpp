#include "promtail-agent/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/log_format.h"

namespace kvasir::agent {

namespace {

struct ProcessStat {
  double start_ticks = 0;  // since the machine's start
  double virtual_bytes = 0;
  double resident_pages = 0;
};

/// Of /proc/self/stat, behind the program's name, which may hold anything.
ProcessStat read_stat() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  ProcessStat stat;
  if (name_end == std::string::npos) return stat;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 19; ++i) fields >> skipped;  // state ... itrealvalue
  fields >> stat.start_ticks >> stat.virtual_bytes >> stat.resident_pages;
  return stat;
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

/// When the process began, in seconds since 1970.
double start_time() {
  timespec now{};
  timespec since_boot{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  const double boot = static_cast<double>(now.tv_sec - since_boot.tv_sec);
  return boot + read_stat().start_ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double open_file_count() {
  std::error_code ec;
  double count = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", ec), end; !ec && it != end; it.increment(ec)) ++count;
  return count;
}

/// `/service-discovery` as dashboards know it: service_discovery.
std::string route_label(std::string_view pattern) {
  std::string route(pattern.empty() ? "other" : pattern);
  while (route.starts_with('/')) route.erase(0, 1);
  for (char& c : route) c = c == '/' || c == '-' ? '_' : c;
  return route.empty() ? "root" : route;
}

Buckets body_buckets() {
  Buckets buckets;
  constexpr double kMebibytes[] = {1, 2.5, 5, 10, 25, 50, 100, 250};
  for (const double size : kMebibytes) buckets.push_back(size * (1 << 20));
  return buckets;
}

constexpr std::pair<log::Level, const char*> kLevels[] = {{log::Level::kDebug, "debug"},
                                                          {log::Level::kInfo, "info"},
                                                          {log::Level::kWarn, "warn"},
                                                          {log::Level::kError, "error"}};

}  // namespace

ProcessMetrics::ProcessMetrics(MetricRegistry& registry) : registry_(registry) {
  cpu_seconds_ =
      registry.counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.");
  resident_bytes_ = registry.gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
  virtual_bytes_ = registry.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.");
  start_seconds_ = registry.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.");
  open_files_ = registry.gauge("process_open_fds", "Number of open file descriptors.");
  max_files_ = registry.gauge("process_max_fds", "Maximum number of open file descriptors.");
  connections_ = registry.gauge("tcp_connections", "Current number of accepted TCP connections.",
                                Labels{{"protocol", "http"}});
  connections_limit_ =
      registry.gauge("tcp_connections_limit",
                     "The max number of TCP connections that can be accepted (0 means no limit).",
                     Labels{{"protocol", "http"}});
  start_seconds_->set(start_time());
}

void ProcessMetrics::refresh() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    cpu_seconds_->set(seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
  }
  const ProcessStat stat = read_stat();
  virtual_bytes_->set(stat.virtual_bytes);
  resident_bytes_->set(stat.resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  open_files_->set(open_file_count());
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) max_files_->set(static_cast<double>(limit.rlim_cur));
  for (const auto& [level, name] : kLevels) {
    const double lines = static_cast<double>(log::lines_written(level));
    for (const char* family : {"loki_log_messages_total", "loki_internal_log_messages_total"})
      registry_.counter(family, "Total number of log messages, by level.", Labels{{"level", name}})->set(lines);
  }
}

SeriesPtr ProcessMetrics::inflight(std::string_view method, std::string_view route) {
  return registry_.gauge("inflight_requests", "Current number of inflight requests.",
                         Labels{{"method", std::string(method)}, {"route", route_label(route)}});
}

void ProcessMetrics::count_exchange(const net::HttpExchange& exchange) {
  const Labels asked{{"method", std::string(exchange.method)}, {"route", route_label(exchange.route)}};
  registry_.histogram("request_message_bytes", "Size (in bytes) of messages received in the request.", asked,
                      body_buckets())
      ->observe(static_cast<double>(exchange.request_bytes));
  registry_.histogram("response_message_bytes", "Size (in bytes) of messages sent in response.", asked, body_buckets())
      ->observe(static_cast<double>(exchange.response_bytes));
  registry_
      .histogram("request_duration_seconds", "Time (in seconds) spent serving HTTP requests.",
                 Labels{{"method", std::string(exchange.method)},
                        {"route", route_label(exchange.route)},
                        {"status_code", std::to_string(exchange.status)},
                        {"ws", "false"}})
      ->observe(std::chrono::duration<double>(exchange.duration).count());
}

}  // namespace kvasir::agent
