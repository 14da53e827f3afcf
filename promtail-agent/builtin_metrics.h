// builtin_metrics.h -- the names under which the agent shows its own metrics, whatever it is configured for.
//
// Order:    register them before pipelines are built: some series appear only with the first push or request, and a
//           metrics stage must not take their names for another type until then.
#pragma once

#include "promtail-agent/stages/metric_registry.h"

namespace kvasir::agent {

void register_builtin_names(MetricRegistry& metrics);

}  // namespace kvasir::agent
