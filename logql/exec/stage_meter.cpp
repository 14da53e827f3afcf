#include "logql/exec/stage_meter.h"

#include <algorithm>

namespace kvasir::logql {

StageMeter::StageMeter(const ScanPlan& plan, PipelineRunner& full, PipelineRunner& rest) : plan_(plan) {
  if (plan.profile() == nullptr) return;
  for (const bool filtered : {false, true}) counts_[filtered].resize(plan.pipeline(filtered)->counted_stages());
  full.count_stages(counts_[false]);
  rest.count_stages(counts_[true]);
}

StageMeter::~StageMeter() {
  for (const bool filtered : {false, true}) {
    const std::size_t before = plan_.stages(false).size() - plan_.stages(filtered).size();
    for (std::size_t i = 0; i < counts_[filtered].size(); ++i) {
      const StageCounts& counted = counts_[filtered][i];
      if (counted.rows_in == 0) continue;
      OperatorCounts& stage = plan_.profile()->stages[before + i];
      stage.rows_in += counted.rows_in;
      stage.rows_out += counted.rows_out;
      stage.bytes += counted.bytes_in;
      stage.cpu_ns += counted.sampled_ns * kStageSampledEvery;
    }
  }
}

}  // namespace kvasir::logql
