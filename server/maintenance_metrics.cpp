#include "server/maintenance_metrics.h"

#include <prometheus/counter.h>

namespace kvasir::server {

void collect_maintenance(ServerMetrics& metrics, const Maintenance& maintenance) {
  const auto counter = [&](const char* name, const char* help) -> prometheus::Counter& {
    return prometheus::BuildCounter().Name(name).Help(help).Register(metrics.registry()).Add({});
  };
  auto& merges = counter("kvasir_merges_total", "Merges of segments that ended");
  auto& seconds = counter("kvasir_merge_cpu_seconds_total", "Processor time of merges");
  auto& bytes = counter("kvasir_merge_bytes_total", "Bytes of lines encoded again by merges, and stored bytes copied");
  auto& rows = counter("kvasir_merge_rows_total", "Rows that merges took into new segments");
  auto& copied = counter("kvasir_merge_copied_rows_total", "Of these, rows in blocks that were not encoded again");
  auto& failures = counter("kvasir_maintenance_failures_total", "Steps of expiry, erasing and merging that failed");
  metrics.on_collect([&] {
    const auto follow = [](prometheus::Counter& one, double total) {
      if (total > one.Value()) one.Increment(total - one.Value());
    };
    const auto now = maintenance.counters();
    follow(merges, static_cast<double>(now.merges));
    follow(seconds, std::chrono::duration<double>(now.merge_cpu).count());
    follow(bytes, static_cast<double>(now.merge_bytes));
    follow(rows, static_cast<double>(now.merge_rows));
    follow(copied, static_cast<double>(now.merge_rows_copied));
    follow(failures, static_cast<double>(now.failures));
  });
}

}  // namespace kvasir::server
