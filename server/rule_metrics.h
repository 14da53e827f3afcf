// rule_metrics.h -- counters of the ruler and the newest values of recorded series, for /metrics.
//
// Names:    a recorded series is shown under its own name with a label `tenant`; names that another metric of this page
//           has are left out.
// Threads:  Collect() from any thread.
#pragma once

#include <prometheus/collectable.h>

#include "alerts/ruler.h"

namespace kvasir::server {

class RuleMetrics final : public prometheus::Collectable {
 public:
  /// The ruler must outlive this.
  explicit RuleMetrics(const alerts::Ruler& ruler) : ruler_(ruler) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const alerts::Ruler& ruler_;
};

}  // namespace kvasir::server
