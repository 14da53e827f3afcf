// stage_meter.h -- counts the stages of one worker's pipelines for a query that is explained.
//
// Lifetime: made behind the two runners and gone before they run again; adds what it counted when it goes.
// Threads:  one.
#pragma once

#include <vector>

#include "logql/exec/scan.h"

namespace kvasir::logql {

class StageMeter {
 public:
  /// `full` and `rest` run plan.pipeline(false) and plan.pipeline(true). Without a profile nothing is counted.
  StageMeter(const ScanPlan& plan, PipelineRunner& full, PipelineRunner& rest);
  ~StageMeter();
  StageMeter(const StageMeter&) = delete;
  StageMeter& operator=(const StageMeter&) = delete;

 private:
  const ScanPlan& plan_;
  std::vector<StageCounts> counts_[2];  // by `filtered`
};

}  // namespace kvasir::logql
