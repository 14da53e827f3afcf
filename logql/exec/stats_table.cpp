#include "logql/exec/stats_table.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>

#include "common/number.h"
#include "logql/exec/log_scan.h"
#include "logql/exec/row_filter.h"
#include "logql/exec/stats_groups.h"

namespace kvasir::logql {
namespace {

std::string cell_text(const StatsTable& table, const std::vector<StatsCell>& row, const std::string& column) {
  const auto it = std::find(table.columns.begin(), table.columns.end(), column);
  return it == table.columns.end() ? std::string() : row[static_cast<std::size_t>(it - table.columns.begin())].text();
}

/// Durations became seconds in the cells that hold a number: there `t > 1s` is `t > 1`.
LabelFilter with_seconds(const LabelFilter& filter, std::span<const std::string> number_columns) {
  if (const auto* pair = std::get_if<LabelFilterPair>(&filter.node)) {
    auto left = std::make_shared<const LabelFilter>(with_seconds(*pair->left, number_columns));
    auto right = std::make_shared<const LabelFilter>(with_seconds(*pair->right, number_columns));
    return {LabelFilterPair{pair->is_or, std::move(left), std::move(right)}};
  }
  const auto* duration = std::get_if<DurationPredicate>(&filter.node);
  if (duration == nullptr) return filter;
  if (std::find(number_columns.begin(), number_columns.end(), duration->name) == number_columns.end()) return filter;
  const double seconds = std::chrono::duration<double>(duration->value).count();
  return {NumberPredicate{duration->name, duration->op, seconds}};
}

/// One filter of the table for each set of columns that hold numbers; most tables have one.
class RowKeeper {
 public:
  explicit RowKeeper(const LabelFilter& filter) : filter_(filter) {}

  Result<bool> keeps(const StatsTable& table, const std::vector<StatsCell>& row) {
    std::vector<Label> cells;
    std::vector<std::string> numbers;
    for (std::size_t i = 0; i < row.size(); ++i) {
      cells.push_back({table.columns[i], row[i].text()});
      if (std::holds_alternative<double>(row[i].value)) numbers.push_back(table.columns[i]);
    }
    auto it = filters_.find(numbers);
    if (it == filters_.end()) {
      const LabelFilter own = with_seconds(filter_, numbers);
      KVASIR_TRY(auto made, RowFilter::create(std::span(&own, 1)));
      it = filters_.emplace(std::move(numbers), std::move(made)).first;
    }
    return it->second.keeps(Labels::from_unsorted(std::move(cells)));
  }

 private:
  const LabelFilter& filter_;
  std::map<std::vector<std::string>, RowFilter> filters_;
};

Result<void> filter_rows(StatsTable& table, const LabelFilter& filter) {
  RowKeeper keeper(filter);
  std::vector<std::vector<StatsCell>> kept;
  for (auto& row : table.rows) {
    KVASIR_TRY(const bool keeps, keeper.keeps(table, row));
    if (keeps) kept.push_back(std::move(row));
  }
  table.rows = std::move(kept);
  return {};
}

void order_rows(StatsTable& table, const OrderBy& order) {
  struct Keyed {
    std::vector<std::string> keys;
    std::vector<StatsCell> cells;
  };
  std::vector<Keyed> rows;
  for (auto& cells : table.rows) {
    Keyed row;
    for (const auto& key : order.keys) row.keys.push_back(cell_text(table, cells, key.field));
    row.cells = std::move(cells);
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(), [&](const Keyed& a, const Keyed& b) {
    for (std::size_t i = 0; i < order.keys.size(); ++i) {
      if (a.keys[i].empty() != b.keys[i].empty()) return b.keys[i].empty();
      const auto compared = compare_field_texts(a.keys[i], b.keys[i]);
      if (compared != 0) return order.keys[i].descending ? compared > 0 : compared < 0;
    }
    return false;
  });
  for (std::size_t i = 0; i < rows.size(); ++i) table.rows[i] = std::move(rows[i].cells);
}

/// `| stats ... | stats ...`: rows are entries whose fields are the columns.
StatsTable stats_of_table(const StatsTable& table, const Stats& stats) {
  StatsGroups groups(stats);
  for (const auto& row : table.rows) {
    std::vector<std::string> texts;
    for (const auto& field : stats.by) texts.push_back(cell_text(table, row, field));
    const std::vector<std::string_view> key(texts.begin(), texts.end());
    const auto group = groups.find(key);
    for (std::size_t i = 0; i < stats.columns.size(); ++i) {
      const std::string text = cell_text(table, row, stats.columns[i].field);
      groups.add(group, i, {text, stats_number(text)});
    }
  }
  return groups.finish();
}

}  // namespace

std::string StatsCell::text() const {
  if (const auto* number = std::get_if<double>(&value)) return format_sample_value(*number);
  return std::get<std::string>(value);
}

Result<void> apply_stats_pipes(StatsTable& table, std::span<const Pipe> pipes) {
  for (const auto& pipe : pipes) {
    if (const auto* filter = std::get_if<LabelFilter>(&pipe)) KVASIR_CHECK_OK(filter_rows(table, *filter));
    if (const auto* order = std::get_if<OrderBy>(&pipe)) order_rows(table, *order);
    if (const auto* limit = std::get_if<Limit>(&pipe)) {
      if (table.rows.size() > limit->count) table.rows.resize(limit->count);
    }
    if (const auto* stats = std::get_if<Stats>(&pipe)) table = stats_of_table(table, *stats);
  }
  return {};
}

StepVector stats_series(const std::vector<StatsTable>& tables) {
  StepVector out;
  std::map<Labels, std::size_t> known;
  for (std::uint32_t step = 0; step < tables.size(); ++step) {
    const StatsTable& table = tables[step];
    for (const auto& row : table.rows) {
      std::vector<Label> group;
      for (std::size_t i = 0; i < table.by_count; ++i) {
        if (std::string text = row[i].text(); !text.empty()) group.push_back({table.columns[i], std::move(text)});
      }
      const Labels labels = Labels::from_unsorted(std::move(group));
      const bool many = table.columns.size() - table.by_count > 1;
      for (std::size_t i = table.by_count; i < row.size(); ++i) {
        const auto* number = std::get_if<double>(&row[i].value);
        if (number == nullptr) continue;
        Labels own = labels;
        if (many) own.set("column", table.columns[i]);
        const auto [it, added] = known.try_emplace(own, out.size());
        if (added) out.push_back({std::move(own), {}});
        out[it->second].points.push_back({step, *number});
      }
    }
  }
  return out;
}

}  // namespace kvasir::logql
