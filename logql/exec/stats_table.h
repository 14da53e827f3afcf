// stats_table.h -- rows of `| stats ... by ...` and the pipes that may stand behind it.
//
// Shape:    a row per group, columns `by` first. A number in a cell is kept as a number; cells of `by` are text.
// Source:   docs/logql-extensions.md
#pragma once

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/result.h"
#include "logql/exec/step_series.h"
#include "logql/syntax/ast.h"

namespace kvasir::logql {

struct StatsCell {
  std::variant<std::string, double> value;

  std::string text() const;
};

struct StatsTable {
  std::vector<std::string> columns;
  std::size_t by_count = 0;  // leading columns that are groups
  std::vector<std::vector<StatsCell>> rows;
};

/// `| n > 5 | order by n desc | limit 3 | stats max(n)`.
Result<void> apply_stats_pipes(StatsTable& table, std::span<const Pipe> pipes);

/// One table per step: one series per row and number column; `column` names the column if there is more than one.
StepVector stats_series(const std::vector<StatsTable>& tables);

}  // namespace kvasir::logql
