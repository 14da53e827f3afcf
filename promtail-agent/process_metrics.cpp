#include "promtail-agent/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

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
}

void ProcessMetrics::count_exchange(const net::HttpExchange& exchange) {
  std::string route(exchange.route.empty() ? "other" : exchange.route);
  while (route.starts_with('/')) route.erase(0, 1);
  for (char& c : route) c = c == '/' || c == '-' ? '_' : c;
  registry_
      .histogram("request_duration_seconds", "Time (in seconds) spent serving HTTP requests.",
                 Labels{{"method", std::string(exchange.method)},
                        {"route", route.empty() ? "root" : route},
                        {"status_code", std::to_string(exchange.status)},
                        {"ws", "false"}})
      ->observe(std::chrono::duration<double>(exchange.duration).count());
}

}  // namespace kvasir::agent
