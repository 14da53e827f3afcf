// row_filter.h -- label filters behind `order by` or `stats`: over the final labels of a row, or over its columns.
//
// Meaning:  unlike a stage, a filter here drops what it cannot read: there is no entry left to carry an error.
// Threads:  one thread.
#pragma once

#include <optional>
#include <span>

#include "common/labels.h"
#include "common/result.h"
#include "logql/pipeline/pipeline.h"

namespace kvasir::logql {

class RowFilter {
 public:
  static Result<RowFilter> create(std::span<const LabelFilter> filters);

  /// No filter at all: every row is kept, and its labels need not be made.
  bool empty() const { return !runner_; }
  bool keeps(const Labels& labels);

 private:
  std::optional<PipelineRunner> runner_;
};

}  // namespace kvasir::logql
