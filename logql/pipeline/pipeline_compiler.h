// pipeline_compiler.h -- from stages to steps: what to run, in which order, and what of it is needed. Internal to this
// folder.
//
// Law:      reordering and leaving out change cost, never the result (but for errors of stages whose outcome nobody
//           reads).
// Errors:   parse, with the stage's text.
// Threads:  free function.
#pragma once

#include <memory>
#include <vector>

#include "logql/pipeline/pipeline.h"
#include "logql/pipeline/step.h"

namespace kvasir::logql {

struct CompiledPipeline {
  NameTable names;
  std::vector<StepPtr> steps;
  std::vector<std::size_t> stage_of;  // for each step: its place among the stages, or their number for unwrap's
  std::size_t stages = 0;
  std::size_t line_filters =
      0;  // the first of the steps that only look at the line; they run before labels are touched
  PipelineOptions options;
  NeededNames needed;
  std::vector<NameId> wanted;        // ids of `needed`, if parsers may stop when they have them
  std::vector<NameId> grouping;      // ids of options.grouping.labels
  NameId unwrap_label = kNoName;
  bool reads_line = false;
  bool changes_line = false;
  bool reads_metadata = true;
};

Result<std::unique_ptr<CompiledPipeline>> compile_pipeline(std::span<const Stage> stages, const Unwrap* unwrap,
                                                           PipelineOptions options);

}  // namespace kvasir::logql
