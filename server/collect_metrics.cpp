#include "server/collect_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

namespace kvasir::server {
namespace {

/// A counter that follows a total kept elsewhere.
struct Follower {
  prometheus::Counter* counter;
  void set(std::uint64_t total) const {
    const double missing = static_cast<double>(total) - counter->Value();
    if (missing > 0) counter->Increment(missing);
  }
};

Follower follow(prometheus::Registry& registry, const char* name, const char* help,
                const prometheus::Labels& labels = {}) {
  return {&prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(labels)};
}

prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help,
                         const prometheus::Labels& labels = {}) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
}

}  // namespace

void collect_metrics(const Services& services, const MemoryBudget& ingest_budget) {
  auto& r = services.metrics.registry();
  const auto entries = follow(r, "kvasir_ingester_entries_total", "Entries applied");
  const auto bytes = follow(r, "kvasir_ingester_bytes_total", "Bytes of lines and metadata applied");
  const auto duplicates = follow(r, "loki_ingester_wal_duplicate_entries_total", "Entries that were there already");
  const auto repeated = follow(r, "kvasir_ingester_repeated_batches_total", "Pushes recognised as sent again");
  const auto records = follow(r, "loki_ingester_wal_records_logged_total", "Records written to the log");
  const auto logged = follow(r, "loki_ingester_wal_logged_bytes_total", "Bytes written to the log");
  const auto syncs = follow(r, "kvasir_wal_syncs_total", "Times the log was synced");
  const auto replayed = follow(r, "loki_ingester_wal_recovered_entries_total", "Entries replayed at the start");
  const auto flushed = follow(r, "kvasir_segments_written_total", "Segments written");
  const auto failures = follow(r, "kvasir_flush_failures_total", "Flushes that failed and will be tried again");
  auto& wal_bytes = gauge(r, "loki_ingester_wal_bytes_in_use", "Bytes of the log on disk");
  auto& head_bytes = gauge(r, "kvasir_head_bytes", "Bytes of entries in memory");
  auto& chunks = gauge(r, "loki_ingester_memory_chunks", "Chunks in memory");
  auto& damaged = gauge(r, "kvasir_damaged_segments", "Segments that cannot be read, or in which damage was met");
  auto& streams = gauge(r, "loki_ingester_memory_streams", "Streams with entries in memory", {{"tenant", "all"}});
  auto& ingest_used =
      gauge(r, "kvasir_memory_budget_used_bytes", "Bytes charged to the account", {{"account", "ingest"}});
  auto& query_used =
      gauge(r, "kvasir_memory_budget_used_bytes", "Bytes charged to the account", {{"account", "queries"}});
  const prometheus::Labels results = {{"cache", "results"}};
  // They only rise, but under these names promtool takes them for counters without _total.
  auto& cache_asked =
      gauge(r, "loki_cache_fetched_keys", "Keys asked of a cache since the start", {{"name", "results"}});
  auto& cache_found = gauge(r, "loki_cache_hits", "Keys found in a cache since the start", {{"name", "results"}});
  auto& cache_parts = gauge(r, "loki_embeddedcache_entries", "Entries in a cache", results);
  auto& cache_bytes = gauge(r, "loki_embeddedcache_memory_bytes", "Bytes held by a cache", results);
  services.metrics.on_collect([=, &services, &cache_asked, &cache_found, &cache_parts, &cache_bytes, &ingest_budget,
                               &wal_bytes, &head_bytes, &chunks, &damaged, &streams, &ingest_used, &query_used] {
    const auto c = services.ingester.counters();
    entries.set(c.entries);
    bytes.set(c.bytes);
    duplicates.set(c.duplicates);
    repeated.set(c.repeated_batches);
    records.set(c.batches);
    logged.set(c.wal_bytes_written);
    syncs.set(c.wal_syncs);
    replayed.set(c.replayed_entries);
    flushed.set(c.segments_written);
    failures.set(c.flush_failures);
    wal_bytes.Set(static_cast<double>(c.wal_bytes));
    head_bytes.Set(static_cast<double>(c.head_bytes));
    chunks.Set(static_cast<double>(c.head_chunks));
    streams.Set(static_cast<double>(c.active_streams));
    std::size_t damaged_segments = 0;
    for (const auto* tenant : services.storage.tenants()) damaged_segments += tenant->segments()->damaged_segments();
    damaged.Set(static_cast<double>(damaged_segments));
    ingest_used.Set(static_cast<double>(ingest_budget.used_bytes()));
    query_used.Set(static_cast<double>(services.query_budget.used_bytes()));
    const auto cached = services.results.counters();
    cache_asked.Set(static_cast<double>(cached.asked));
    cache_found.Set(static_cast<double>(cached.found));
    cache_parts.Set(static_cast<double>(cached.parts));
    cache_bytes.Set(static_cast<double>(cached.bytes));
    services.metrics.queue_length().Set(static_cast<double>(services.scheduler.waiting()));
  });
}

}  // namespace kvasir::server
