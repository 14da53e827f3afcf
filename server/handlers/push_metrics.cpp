#include "server/handlers/push_metrics.h"

#include <prometheus/counter.h>

#include "server/server_metrics.h"

namespace kvasir::server {
namespace {

prometheus::Family<prometheus::Counter>& family(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

constexpr std::size_t kSeriesPerTenant = static_cast<std::size_t>(ingest::DiscardReason::kCount);

}  // namespace

PushMetrics::PushMetrics(prometheus::Registry& registry)
    : lines_received_(family(registry, "loki_distributor_lines_received_total", "Lines in pushes that were read")),
      bytes_received_(family(registry, "loki_distributor_bytes_received_total",
                             "Bytes of lines and metadata in pushes that were read")),
      lines_discarded_(family(registry, "loki_discarded_samples_total", "Entries that were refused, by reason")),
      bytes_discarded_(
          family(registry, "loki_discarded_bytes_total", "Bytes of entries that were refused, by reason")) {}

void PushMetrics::received(const Origin& origin, std::uint64_t lines, std::uint64_t bytes) {
  MutexLock lock(mutex_);
  Counters& found = counters(origin, {});
  found.lines->Increment(static_cast<double>(lines));
  found.bytes->Increment(static_cast<double>(bytes));
}

void PushMetrics::discarded(const Origin& origin, const ingest::Rejections& rejections) {
  for (std::size_t i = 0; i < rejections.by_reason().size(); ++i) {
    const auto& [entries, bytes] = rejections.by_reason()[i];
    if (entries == 0) continue;
    MutexLock lock(mutex_);
    Counters& found = counters(origin, ingest::discard_reason_name(static_cast<ingest::DiscardReason>(i)));
    found.lines->Increment(static_cast<double>(entries));
    found.bytes->Increment(static_cast<double>(bytes));
  }
}

PushMetrics::Counters& PushMetrics::counters(const Origin& origin, std::string_view reason) {
  const bool full = counters_.size() >= kTenantSeriesMax * kSeriesPerTenant;
  const std::string tenant = full ? "other" : origin.tenant;
  const auto [it, added] =
      counters_.try_emplace({tenant, std::string(reason), origin.retention_hours, origin.format}, Counters{});
  if (!added) return it->second;
  prometheus::Labels labels = {{"tenant", tenant}, {"policy", ""}, {"format", origin.format}};
  if (!reason.empty()) {
    labels["reason"] = std::string(reason);
    labels["retention_hours"] = origin.retention_hours;
    it->second = {&lines_discarded_.Add(labels), &bytes_discarded_.Add(labels)};
    return it->second;
  }
  labels["is_internal_stream"] = "false";
  it->second.lines = &lines_received_.Add(labels);
  labels["retention_hours"] = origin.retention_hours;
  it->second.bytes = &bytes_received_.Add(labels);
  return it->second;
}

}  // namespace kvasir::server
