// drop_counter.h -- counts entries that a stage dropped, as logentry_dropped_lines_total{reason}.
//
// Threads:  one; the counter behind it is shared.
#pragma once

#include <string>
#include <string_view>

#include "promtail-agent/stages/metric_registry.h"

namespace kvasir::agent {

inline constexpr std::string_view kDroppedLinesName = "logentry_dropped_lines_total";
inline constexpr std::string_view kDroppedLinesHelp =
    "A count of all log lines dropped as a result of a pipeline stage";

class DropCounter {
 public:
  DropCounter(MetricRegistry* registry, std::string reason) : registry_(registry), reason_(std::move(reason)) {}
  /// The series appears with the first drop.
  void add() {
    if (!counter_ && registry_ != nullptr)
      counter_ = registry_->counter(kDroppedLinesName, kDroppedLinesHelp, Labels{{"reason", reason_}});
    if (counter_) counter_->add(1);
  }

 private:
  MetricRegistry* registry_;
  std::string reason_;
  SeriesPtr counter_;
};

}  // namespace kvasir::agent
