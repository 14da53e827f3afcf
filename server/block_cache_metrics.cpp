#include "server/block_cache_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

namespace kvasir::server {
namespace {

/// Brings a counter up to a total that is kept elsewhere.
void follow(prometheus::Counter& counter, std::uint64_t total) {
  const double missing = static_cast<double>(total) - counter.Value();
  if (missing > 0) counter.Increment(missing);
}

}  // namespace

void collect_block_cache(ServerMetrics& metrics, std::shared_ptr<BlockCache> cache) {
  auto& registry = metrics.registry();
  const auto counter = [&](const char* name, const char* help) -> prometheus::Counter& {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
  };
  const auto gauge = [&](const char* name, const char* help) -> prometheus::Gauge& {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  };
  auto& hits = counter("kvasir_block_cache_hits_total", "Blocks that a query found opened");
  auto& misses = counter("kvasir_block_cache_misses_total", "Blocks that a query had to open");
  auto& evicted = counter("kvasir_block_cache_evicted_total", "Blocks that had to make room");
  auto& bytes =
      gauge("kvasir_block_cache_bytes", "Bytes of opened blocks and decoded columns that rest between queries");
  auto& blocks = gauge("kvasir_block_cache_blocks", "Opened blocks that rest between queries");
  metrics.on_collect([&, cache = std::move(cache)] {
    cache->drop_stale();
    const auto now = cache->counters();
    follow(hits, now.hits);
    follow(misses, now.misses);
    follow(evicted, now.evicted);
    bytes.Set(static_cast<double>(now.bytes));
    blocks.Set(static_cast<double>(now.blocks));
  });
}

}  // namespace kvasir::server
