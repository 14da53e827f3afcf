#include "logql/exec/stats_scan.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <unordered_map>

#include "common/number.h"
#include "logql/exec/aggregate_state.h"
#include "logql/exec/bucket_grid.h"
#include "logql/exec/log_scan.h"
#include "logql/exec/parallel.h"
#include "logql/pipeline/value_text.h"

namespace kvasir::logql {
namespace {

/// A number, a duration in seconds, or a size in bytes.
std::optional<double> field_number(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::string ignored;
  if (const auto number = parse_number_text(text, ignored)) return number;
  if (const auto duration = parse_duration_text(text, ignored)) return std::chrono::duration<double>(*duration).count();
  const auto bytes = parse_bytes_text(text, ignored);
  return bytes ? std::optional(static_cast<double>(*bytes)) : std::nullopt;
}

struct ColumnState {
  std::uint64_t count = 0;
  double sum = 0;
  double min = 0;
  double max = 0;
  std::vector<double> values;
  std::set<std::string, std::less<>> distinct;

  void add(const StatsColumn& column, std::string_view text) {
    if (column.function == StatsFunction::kCount) {
      if (column.field.empty() || !text.empty()) ++count;
    } else if (column.function == StatsFunction::kCountDistinct) {
      if (!text.empty() && !distinct.contains(text)) distinct.emplace(text);
    } else if (const auto number = field_number(text)) {
      min = count == 0 ? *number : std::min(min, *number);
      max = count == 0 ? *number : std::max(max, *number);
      sum += *number;
      ++count;
      if (column.function == StatsFunction::kQuantile) values.push_back(*number);
    }
  }

  void merge(ColumnState& other) {
    if (other.count > 0) {
      min = count == 0 ? other.min : std::min(min, other.min);
      max = count == 0 ? other.max : std::max(max, other.max);
    }
    count += other.count;
    sum += other.sum;
    values.insert(values.end(), other.values.begin(), other.values.end());
    distinct.merge(other.distinct);
  }

  StatsCell finish(const StatsColumn& column) {
    const bool counts = column.function == StatsFunction::kCount;
    if (!counts && column.function != StatsFunction::kCountDistinct && count == 0) return {std::string()};
    switch (column.function) {
      case StatsFunction::kCount: return {static_cast<double>(count)};
      case StatsFunction::kCountDistinct: return {static_cast<double>(distinct.size())};
      case StatsFunction::kSum: return {sum};
      case StatsFunction::kAvg: return {sum / static_cast<double>(count)};
      case StatsFunction::kMin: return {min};
      case StatsFunction::kMax: return {max};
      case StatsFunction::kQuantile: return {quantile_of(values, column.quantile)};
    }
    return {};
  }
};

/// Groups of one step: key of `by` values -> a state per column.
using Groups = std::map<std::vector<std::string>, std::vector<ColumnState>>;

class StatsWorker {
 public:
  StatsWorker(const ScanPlan& plan, const Stats& stats, const BucketGrid& grid, QueryContext& context)
      : plan_(plan),
        stats_(stats),
        grid_(grid),
        context_(context),
        full_(plan.pipeline(false)),
        rest_(plan.pipeline(true)),
        groups_(grid.buckets()) {}
  ~StatsWorker() { context_.budget().release(charged_); }

  Result<void> start() {
    KVASIR_TRY(fields_, plan_.make_field_selector());
    return {};
  }
  std::vector<Groups>& groups() { return groups_; }

  Result<void> scan(const ScanUnit& unit) {
    KVASIR_TRY(auto blocks, plan_.prepare(unit, fields_.get(), context_));
    for (auto& scanned : blocks) KVASIR_CHECK_OK(scan_block(scanned));
    return {};
  }

 private:
  Result<void> scan_block(ScannedBlock& scanned) {
    LogBlock& block = *scanned.block;
    PipelineRunner& runner = scanned.filtered ? rest_ : full_;
    runner.bind(block.stream()->labels);
    KVASIR_CHECK_OK(fetch_lines(block, scanned.rows, lines_, context_));
    std::optional<Error> error;
    for_each_row(scanned.rows, [&](std::size_t row) {
      const TimestampNs time{block.timestamps()[row]};
      const auto bucket = grid_.find(time);
      if (error || !bucket || !runner.process(time, lines_[row], block.metadata(row))) return;
      if (auto added = add(runner, time, groups_[bucket->index]); !added) error = std::move(added).error();
    });
    if (error) return fail(std::move(*error));
    return context_.check();
  }

  static std::string field_text(const PipelineRunner& runner, TimestampNs time, const std::string& field) {
    if (field == "line") return std::string(runner.line());
    if (field == "timestamp") return std::to_string(time.value);
    return std::string(runner.label(field).value_or(std::string_view()));
  }

  Result<void> add(const PipelineRunner& runner, TimestampNs time, Groups& groups) {
    std::vector<std::string> key;
    std::uint64_t bytes = 0;
    for (const auto& field : stats_.by) {
      key.push_back(field_text(runner, time, field));
      bytes += key.back().size() + sizeof(std::string);
    }
    auto it = groups.find(key);
    if (it == groups.end()) {
      bytes += stats_.columns.size() * sizeof(ColumnState);
      KVASIR_CHECK_OK(context_.budget().charge(bytes));
      charged_ += bytes;
      it = groups.emplace(std::move(key), std::vector<ColumnState>(stats_.columns.size())).first;
    }
    for (std::size_t i = 0; i < stats_.columns.size(); ++i) {
      const auto& column = stats_.columns[i];
      it->second[i].add(column, column.field.empty() ? std::string() : field_text(runner, time, column.field));
    }
    return {};
  }

  const ScanPlan& plan_;
  const Stats& stats_;
  const BucketGrid& grid_;
  QueryContext& context_;
  PipelineRunner full_;
  PipelineRunner rest_;
  std::unique_ptr<FieldSelector> fields_;
  std::vector<Groups> groups_;  // per step
  std::vector<std::string_view> lines_;
  std::uint64_t charged_ = 0;
};

StatsTable make_table(const Stats& stats, Groups& groups) {
  StatsTable table;
  table.columns = stats.by;
  table.by_count = stats.by.size();
  for (const auto& column : stats.columns) table.columns.push_back(column.name);
  for (auto& [key, states] : groups) {
    std::vector<StatsCell> row;
    for (const auto& text : key) row.push_back({text});
    for (std::size_t i = 0; i < states.size(); ++i) row.push_back(states[i].finish(stats.columns[i]));
    table.rows.push_back(std::move(row));
  }
  return table;
}

// ---- pipes behind stats

std::string cell_text(const StatsTable& table, const std::vector<StatsCell>& row, const std::string& column) {
  const auto it = std::find(table.columns.begin(), table.columns.end(), column);
  return it == table.columns.end() ? std::string() : row[static_cast<std::size_t>(it - table.columns.begin())].text();
}

Result<void> filter_rows(StatsTable& table, const LabelFilter& filter) {
  const Stage stage(filter);
  KVASIR_TRY(auto pipeline, Pipeline::compile(std::span(&stage, 1), nullptr, {}));
  PipelineRunner runner(std::move(pipeline));
  std::erase_if(table.rows, [&](const std::vector<StatsCell>& row) {
    std::vector<Label> cells;
    for (std::size_t i = 0; i < row.size(); ++i) cells.push_back({table.columns[i], row[i].text()});
    const Labels labels = Labels::from_unsorted(std::move(cells));
    runner.bind(labels);
    return !runner.process({}, {}, {}) || !runner.error().empty();
  });
  return {};
}

void order_rows(StatsTable& table, const OrderBy& order) {
  std::stable_sort(table.rows.begin(), table.rows.end(), [&](const auto& a, const auto& b) {
    for (const auto& key : order.keys) {
      const std::string x = cell_text(table, a, key.field);
      const std::string y = cell_text(table, b, key.field);
      if (x.empty() != y.empty()) return y.empty();
      const auto compared = compare_field_texts(x, y);
      if (compared != 0) return key.descending ? compared > 0 : compared < 0;
    }
    return false;
  });
}

/// `| stats ... | stats ...`: rows are entries whose fields are the columns.
StatsTable stats_of_table(const StatsTable& table, const Stats& stats) {
  Groups groups;
  for (const auto& row : table.rows) {
    std::vector<std::string> key;
    for (const auto& field : stats.by) key.push_back(cell_text(table, row, field));
    auto& states = groups.try_emplace(std::move(key), std::vector<ColumnState>(stats.columns.size())).first->second;
    for (std::size_t i = 0; i < states.size(); ++i) {
      states[i].add(stats.columns[i], cell_text(table, row, stats.columns[i].field));
    }
  }
  return make_table(stats, groups);
}

Result<void> apply_pipes(StatsTable& table, std::span<const Pipe> pipes) {
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

}  // namespace

std::string StatsCell::text() const {
  if (const auto* number = std::get_if<double>(&value)) return format_sample_value(*number);
  return std::get<std::string>(value);
}

Result<std::vector<StatsTable>> scan_stats(const LogQuery& query, const StepTimes& times, Duration window,
                                           const QueryParams& params, LogSource& source, QueryContext& context) {
  const auto position = std::find_if(query.pipes.begin(), query.pipes.end(),
                                     [](const Pipe& pipe) { return std::holds_alternative<Stats>(pipe); });
  const Stats& stats = std::get<Stats>(*position);
  // Label filters between `order by` and `stats` are ordinary stages.
  std::vector<Stage> stages = query.stages;
  for (auto it = query.pipes.begin(); it != position; ++it) {
    if (const auto* filter = std::get_if<LabelFilter>(&*it)) stages.emplace_back(*filter);
  }
  const BucketGrid grid(times.first, times.step, times.count, window);
  const ScanRequest request{.selector = &query.selector, .stages = stages, .range = grid.range()};
  KVASIR_TRY(const auto plan, ScanPlan::build(request, params, source, context));
  const auto& units = plan->units();
  std::vector<std::unique_ptr<StatsWorker>> workers;
  for (std::size_t i = 0; i < worker_count(context.limits().parallelism, units.size()); ++i) {
    workers.push_back(std::make_unique<StatsWorker>(*plan, stats, grid, context));
  }
  std::atomic<std::size_t> next{0};
  KVASIR_CHECK_OK(run_workers(workers.size(), [&](std::size_t index) -> Result<void> {
    KVASIR_CHECK_OK(workers[index]->start());
    for (std::size_t i = next++; i < units.size(); i = next++) KVASIR_CHECK_OK(workers[index]->scan(units[i]));
    return {};
  }));
  std::vector<StatsTable> tables;
  for (std::size_t step = 0; step < times.count; ++step) {
    Groups& groups = workers.front()->groups()[step];
    for (std::size_t i = 1; i < workers.size(); ++i) {
      for (auto& [key, states] : workers[i]->groups()[step]) {
        auto& target = groups.try_emplace(key, std::vector<ColumnState>(states.size())).first->second;
        for (std::size_t c = 0; c < states.size(); ++c) target[c].merge(states[c]);
      }
    }
    tables.push_back(make_table(stats, groups));
    KVASIR_CHECK_OK(apply_pipes(tables.back(), std::span(query.pipes).subspan(
                                                   static_cast<std::size_t>(position - query.pipes.begin()) + 1)));
  }
  return tables;
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
