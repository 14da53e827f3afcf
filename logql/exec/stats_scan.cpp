#include "logql/exec/stats_scan.h"

#include <algorithm>
#include <atomic>

#include "logql/exec/bucket_grid.h"
#include "logql/exec/column_scan.h"
#include "logql/exec/parallel.h"
#include "logql/exec/row_filter.h"
#include "logql/exec/stage_meter.h"
#include "logql/exec/stats_groups.h"

namespace kvasir::logql {
namespace {

constexpr std::size_t kRowsBetweenChecks = 8192;
constexpr std::uint32_t kNoGroup = 0xffffffff;

/// `line` and `timestamp` are the entry's own, not labels.
bool is_label(const std::string& field) { return !field.empty() && field != "line" && field != "timestamp"; }

/// The labels that a stats reads.
std::vector<std::string> label_names(const Stats& stats) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& field) {
    if (is_label(field) && std::find(names.begin(), names.end(), field) == names.end()) names.push_back(field);
  };
  for (const auto& field : stats.by) add(field);
  for (const auto& column : stats.columns) add(column.field);
  return names;
}

bool reads_field(const Stats& stats, std::string_view field) {
  return std::find(stats.by.begin(), stats.by.end(), field) != stats.by.end() ||
         std::any_of(stats.columns.begin(), stats.columns.end(),
                     [&](const StatsColumn& c) { return c.field == field; });
}

/// Parsers need not look for anything else. Whether a line has an error is only known when it was read to its end, and
/// filters of `order by` read what they like.
PipelineOptions pipeline_options(const Stats& stats, bool filtered) {
  PipelineOptions options;
  options.needs_line = reads_field(stats, "line");
  if (filtered) return options;
  if (reads_field(stats, "__error__") || reads_field(stats, "__error_details__")) return options;
  options.grouping = {ResultGrouping::Kind::kBy, label_names(stats)};
  options.only_needed_labels = true;
  return options;
}

/// The fields of the columns of a stats, and which column reads which.
struct StatsExtras {
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::vector<ColumnExtra> fields;
  std::vector<std::size_t> of_column;  // into fields; kNone for count() of rows

  explicit StatsExtras(const Stats& stats) {
    for (const auto& column : stats.columns) {
      of_column.push_back(column.field.empty() ? kNone : fields.size());
      if (!column.field.empty()) fields.push_back({column.field, stats_reads_numbers(column.function)});
    }
  }
};

/// What all workers share.
struct StatsScan {
  const ScanPlan& plan;
  const Stats& stats;
  const StatsExtras& extras;
  std::unique_ptr<const ColumnPlan> columns[2];  // for pipeline(filtered); null: lines are read
  const std::vector<LabelFilter>& filters;  // of an `order by` in front
  const BucketGrid& grid;
  QueryContext& context;
};

class StatsWorker {
 public:
  explicit StatsWorker(const StatsScan& scan)
      : scan_(scan),
        full_(scan.plan.pipeline(false)),
        rest_(scan.plan.pipeline(true)),
        meter_(scan.plan, full_, rest_),
        groups_(scan.grid.buckets(), StatsGroups(scan.stats)) {}
  ~StatsWorker() { scan_.context.budget().release(charged_); }

  Result<void> start() {
    KVASIR_TRY(fields_, scan_.plan.make_field_selector());
    KVASIR_TRY(filter_, RowFilter::create(scan_.filters));
    return {};
  }

  Result<void> scan(const ScanUnit& unit) {
    KVASIR_TRY(auto blocks, scan_.plan.prepare(unit, fields_.get(), scan_.context));
    for (auto& scanned : blocks) {
      KVASIR_CHECK_OK(take_columns(scanned));
      if (!scanned.rows.none()) KVASIR_CHECK_OK(take_rows(scanned));
    }
    return {};
  }

  /// Takes the groups of another worker of the same scan.
  Result<void> merge_from(StatsWorker& other) {
    for (std::size_t i = 0; i < groups_.size(); ++i) groups_[i].merge_from(other.groups_[i]);
    charged_ += std::exchange(other.charged_, 0);
    return scan_.context.check();
  }
  StatsTable finish(std::size_t step) { return groups_[step].finish(); }

 private:
  /// Charges what the groups of a bucket grew by.
  Result<void> account(std::uint64_t grown) {
    KVASIR_CHECK_OK(scan_.context.budget().charge(grown));
    charged_ += grown;
    return scan_.context.check();
  }

  /// Leaves in `scanned` the rows that only the pipeline can judge.
  Result<void> take_columns(ScannedBlock& scanned) {
    const ColumnPlan* plan = scan_.columns[scanned.filtered].get();
    if (plan == nullptr) return {};
    RowSet rows = scanned.rows;
    const auto columns = select_by_columns(*plan, scan_.plan, scanned, rows);
    if (columns == nullptr || rows.none()) return {};
    OperatorCounts* const counts = scan_.plan.counts(ScanProfile::kResult);
    const OperatorTimer timer(counts);
    if (counts != nullptr) counts->rows_in += rows.count();
    const auto times = scanned.block->timestamps();
    const auto row_groups = columns->row_groups();
    std::vector<FieldReader> readers = make_readers(*columns);
    std::vector<std::uint32_t> known(columns->group_count(), kNoGroup);  // of the bucket
    std::optional<BucketGrid::Bucket> bucket;
    std::uint64_t grown = 0;
    for_each_row(rows, [&](std::size_t row) {
      if (!bucket || times[row] > bucket->last_ns) {
        bucket = scan_.grid.find({times[row]});
        std::fill(known.begin(), known.end(), kNoGroup);
      }
      if (!bucket) return;
      StatsGroups& groups = groups_[bucket->index];
      const std::uint64_t before = groups.bytes();
      const std::size_t own = row_groups.empty() ? 0 : row_groups[row];
      if (known[own] == kNoGroup) known[own] = find_group(*columns, own, groups);
      for (std::size_t i = 0; i < readers.size(); ++i) groups.add(known[own], i, readers[i].read(row));
      grown += groups.bytes() - before;
    });
    return account(grown);
  }

  /// Reads one field of a column block row by row; what a text is as a number is found out once.
  class FieldReader {
   public:
    FieldReader() = default;
    FieldReader(const ColumnBlock& columns, std::size_t extra, bool numbers)
        : columns_(&columns), extra_(extra), column_(numbers ? columns.extra_numbers(extra) : nullptr) {
      if (column_ != nullptr) return;
      fields_.resize(columns.extra_codes(extra));
      wants_number_ = numbers;
    }

    StatsField read(std::size_t row) {
      if (columns_ == nullptr) return {};
      if (column_ != nullptr)
        return {{}, column_->present.test(row) ? std::optional(column_->values[row]) : std::nullopt};
      const std::size_t code = columns_->extra_code(extra_, row);
      auto& field = fields_[code];
      if (!field) {
        field = StatsField{columns_->extra_text(extra_, code), std::nullopt};
        if (wants_number_) field->number = stats_number(field->text);
      }
      return *field;
    }

   private:
    const ColumnBlock* columns_ = nullptr;  // null: count() of rows
    std::size_t extra_ = 0;
    const NumberColumn* column_ = nullptr;
    bool wants_number_ = false;
    std::vector<std::optional<StatsField>> fields_;  // by code
  };

  std::vector<FieldReader> make_readers(const ColumnBlock& columns) const {
    std::vector<FieldReader> readers;
    for (std::size_t i = 0; i < scan_.stats.columns.size(); ++i) {
      const std::size_t extra = scan_.extras.of_column[i];
      if (extra == StatsExtras::kNone) readers.emplace_back();
      else readers.emplace_back(columns, extra, stats_reads_numbers(scan_.stats.columns[i].function));
    }
    return readers;
  }

  std::uint32_t find_group(const ColumnBlock& columns, std::size_t own, StatsGroups& groups) {
    key_.clear();
    for (std::size_t i = 0; i < scan_.stats.by.size(); ++i) key_.push_back(columns.group_text(own, i));
    return groups.find(key_);
  }

  /// Reads the lines and runs the pipeline.
  Result<void> take_rows(ScannedBlock& scanned) {
    LogBlock& block = *scanned.block;
    const Pipeline& pipeline = *scan_.plan.pipeline(scanned.filtered);
    PipelineRunner& runner = scanned.filtered ? rest_ : full_;
    runner.bind(block.stream()->labels);
    if (pipeline.reads_line() || scan_.plan.options().needs_line) {
      KVASIR_CHECK_OK(scan_.plan.read_lines(block, scanned.rows, lines_, scan_.context));
    } else {
      lines_.assign(block.rows(), std::string_view());
    }
    OperatorCounts* const counts = scan_.plan.counts(ScanProfile::kResult);
    const OperatorTimer timer(counts);
    std::uint64_t taken = 0;
    Result<void> done;
    std::uint64_t grown = 0;
    std::size_t until_check = kRowsBetweenChecks;
    for_each_row(scanned.rows, [&](std::size_t row) {
      const TimestampNs time{block.timestamps()[row]};
      const auto bucket = scan_.grid.find(time);
      if (!done || !bucket || !runner.process(time, lines_[row], block.metadata(row))) return;
      if (!filter_.empty() && !filter_.keeps(runner.final_labels())) return;
      StatsGroups& groups = groups_[bucket->index];
      const std::uint64_t before = groups.bytes();
      ++taken;
      add(runner, time, groups);
      grown += groups.bytes() - before;
      if (--until_check > 0) return;
      until_check = kRowsBetweenChecks;
      done = account(std::exchange(grown, 0));
    });
    if (counts != nullptr) counts->rows_in += taken;
    if (!done) return done;
    return account(grown);
  }

  void add(const PipelineRunner& runner, TimestampNs time, StatsGroups& groups) {
    timestamp_ = std::to_string(time.value);
    const auto text_of = [&](const std::string& field) -> std::string_view {
      if (field == "line") return runner.line();
      if (field == "timestamp") return timestamp_;
      return field.empty() ? std::string_view() : runner.label(field).value_or(std::string_view());
    };
    key_.clear();
    for (const auto& field : scan_.stats.by) key_.push_back(text_of(field));
    const auto group = groups.find(key_);
    for (std::size_t i = 0; i < scan_.stats.columns.size(); ++i) {
      const auto& column = scan_.stats.columns[i];
      StatsField field{text_of(column.field), std::nullopt};
      if (stats_reads_numbers(column.function)) field.number = stats_number(field.text);
      groups.add(group, i, field);
    }
  }

  const StatsScan& scan_;
  PipelineRunner full_;
  PipelineRunner rest_;
  const StageMeter meter_;
  std::unique_ptr<FieldSelector> fields_;
  RowFilter filter_;
  std::vector<StatsGroups> groups_;  // per step
  std::vector<std::string_view> lines_;
  std::vector<std::string_view> key_;
  std::string timestamp_;
  std::uint64_t charged_ = 0;
};

/// Null if the rows must go through the pipeline.
std::unique_ptr<const ColumnPlan> column_plan(const ScanPlan& plan, const StatsScan& scan, bool filtered) {
  const bool of_the_entry = reads_field(scan.stats, "line") || reads_field(scan.stats, "timestamp");
  if (!plan.pushdowns().field_columns || of_the_entry || !scan.filters.empty()) return nullptr;
  return ColumnPlan::make(plan.stages(filtered), nullptr, {ResultGrouping::Kind::kBy, scan.stats.by},
                          scan.extras.fields);
}

Result<void> run_workers_over_units(std::vector<std::unique_ptr<StatsWorker>>& workers,
                                    const std::vector<ScanUnit>& units) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  return run_workers(workers.size(), [&](std::size_t index) -> Result<void> {
    KVASIR_CHECK_OK(workers[index]->start());
    for (std::size_t i = next++; i < units.size() && !failed; i = next++) {
      auto done = workers[index]->scan(units[i]);
      if (done) continue;
      failed = true;
      return done;
    }
    return {};
  });
}

}  // namespace

Result<std::vector<StatsTable>> scan_stats(const LogQuery& query, const StepTimes& times, Duration window,
                                           const QueryParams& params, LogSource& source, QueryContext& context) {
  const auto position = std::find_if(query.pipes.begin(), query.pipes.end(),
                                     [](const Pipe& pipe) { return std::holds_alternative<Stats>(pipe); });
  const Stats& stats = std::get<Stats>(*position);
  // The order in front of a stats means nothing, but the filters behind it do.
  std::vector<LabelFilter> filters;
  for (auto it = query.pipes.begin(); it != position; ++it) {
    if (const auto* filter = std::get_if<LabelFilter>(&*it)) filters.push_back(*filter);
  }
  const BucketGrid grid(times.first, times.step, times.count, window);
  const ScanRequest request{.selector = &query.selector,
                            .stages = query.stages,
                            .options = pipeline_options(stats, !filters.empty()),
                            .range = grid.range(),
                            .in_order = false};
  KVASIR_TRY(const auto plan, ScanPlan::build(request, params, source, context));
  const StatsExtras extras(stats);
  StatsScan scan{*plan, stats, extras, {}, filters, grid, context};
  for (const bool filtered : {false, true}) scan.columns[filtered] = column_plan(*plan, scan, filtered);
  std::vector<std::unique_ptr<StatsWorker>> workers;
  for (std::size_t i = 0; i < worker_count(context.limits().parallelism, plan->units().size()); ++i) {
    workers.push_back(std::make_unique<StatsWorker>(scan));
  }
  KVASIR_CHECK_OK(run_workers_over_units(workers, plan->units()));
  for (std::size_t i = 1; i < workers.size(); ++i) KVASIR_CHECK_OK(workers.front()->merge_from(*workers[i]));
  const auto pipes = std::span(query.pipes).subspan(static_cast<std::size_t>(position - query.pipes.begin()) + 1);
  std::vector<StatsTable> tables;
  for (std::size_t step = 0; step < times.count; ++step) {
    KVASIR_CHECK_OK(context.check());
    tables.push_back(workers.front()->finish(step));
    KVASIR_CHECK_OK(apply_stats_pipes(tables.back(), pipes));
  }
  return tables;
}

}  // namespace kvasir::logql
