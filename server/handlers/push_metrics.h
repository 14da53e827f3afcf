// push_metrics.h -- the distributor's counters under Loki's names.
//
// Labels:   tenant, format (loki, otlp), reason, retention_hours, policy, is_internal_stream. Series per tenant are
//           bounded by kTenantSeriesMax, later tenants share `other`.
// Threads:  any; counters are looked up once per push.
#pragma once

#include <prometheus/registry.h>

#include <map>
#include <string>
#include <tuple>

#include "common/mutex.h"
#include "ingest/push_batch.h"

namespace kvasir::server {

class PushMetrics {
 public:
  explicit PushMetrics(prometheus::Registry& registry);

  struct Origin {
    std::string tenant;
    std::string retention_hours;
    std::string format;
  };
  void received(const Origin& origin, std::uint64_t lines, std::uint64_t bytes);
  void discarded(const Origin& origin, const ingest::Rejections& rejections);

 private:
  struct Counters {
    prometheus::Counter* lines;
    prometheus::Counter* bytes;
  };
  Counters& counters(const Origin& origin, std::string_view reason);

  prometheus::Family<prometheus::Counter>& lines_received_;
  prometheus::Family<prometheus::Counter>& bytes_received_;
  prometheus::Family<prometheus::Counter>& lines_discarded_;
  prometheus::Family<prometheus::Counter>& bytes_discarded_;
  Mutex mutex_;
  std::map<std::tuple<std::string, std::string, std::string, std::string>, Counters> counters_
      KVASIR_GUARDED_BY(mutex_);
};

}  // namespace kvasir::server
