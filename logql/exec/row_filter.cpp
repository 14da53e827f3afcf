#include "logql/exec/row_filter.h"

#include <vector>

namespace kvasir::logql {

Result<RowFilter> RowFilter::create(std::span<const LabelFilter> filters) {
  RowFilter filter;
  if (filters.empty()) return filter;
  const std::vector<Stage> stages(filters.begin(), filters.end());
  auto pipeline = Pipeline::compile(stages, nullptr, {});
  if (!pipeline) return fail(std::move(pipeline).error());
  filter.runner_.emplace(std::move(*pipeline));
  return filter;
}

bool RowFilter::keeps(const Labels& labels) {
  if (!runner_) return true;
  runner_->bind(labels);
  return runner_->process({}, {}, {}) && runner_->error().empty();
}

}  // namespace kvasir::logql
