// services.h -- what every input of the agent is given.
//
// Lifetime: all pointees outlive the inputs.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/clock.h"
#include "promtail-agent/config/config.h"
#include "promtail-agent/feeder.h"
#include "promtail-agent/positions.h"
#include "promtail-agent/progress.h"
#include "common/relabel.h"
#include "promtail-agent/stages/metric_registry.h"

namespace kvasir::agent {

struct Services {
  const Clock* clock = nullptr;
  MetricRegistry* metrics = nullptr;
  ProgressTable* progress = nullptr;
  Positions* positions = nullptr;
  std::string hostname;
};

/// The parts every job has, made from its scrape config.
struct JobParts {
  ScrapeConfig config;
  Relabeler relabeler;
  std::unique_ptr<Feeder> feeder;
  Services services;
  LimitsConfig limits;
};

}  // namespace kvasir::agent
