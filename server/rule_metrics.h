// rule_metrics.h -- what the ruler, its notifier and its remote write have done, and the newest values of recorded
// series, for /metrics.
//
// Names:    those of Loki. A recorded series is shown under its own name with a label `tenant`; names that another
//           metric of this page has are left out.
// Privacy:  the page is open to whoever may scrape; values of recorded series come from lines, so they are shown only
//           while nobody needs a credential to read these.
// Threads:  Collect() from any thread.
#pragma once

#include <prometheus/collectable.h>

#include "common/filesystem.h"
#include "server/start_ruler.h"
#include "server/tenant_gate.h"

namespace kvasir::server {

class RuleMetrics final : public prometheus::Collectable {
 public:
  /// The parts and the gate must outlive this. `rules` is the folder of the rule files, which the label `rule_group`
  /// starts with.
  RuleMetrics(const RulerParts& parts, const TenantGate& gate, Path rules)
      : parts_(parts), gate_(gate), rules_(std::move(rules)) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const RulerParts& parts_;
  const TenantGate& gate_;
  const Path rules_;
};

}  // namespace kvasir::server
