#include "logql/exec/range_scan.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <utility>

#include "logql/exec/aggregate_state.h"
#include "logql/exec/block_statistics.h"
#include "logql/exec/bucket_ends.h"
#include "logql/exec/bucket_grid.h"
#include "logql/exec/bucket_series.h"
#include "logql/exec/column_scan.h"
#include "logql/exec/parallel.h"
#include "logql/exec/quantile_windows.h"
#include "logql/exec/stage_meter.h"
#include "logql/exec/window_merger.h"

namespace kvasir::logql {
namespace {

constexpr std::size_t kRowsBetweenChecks = 8192;

/// What a sample is worth before unwrap: 1, or the length of the line.
enum class SampleValue { kOne, kLineBytes, kUnwrapped };

SampleValue sample_value(const RangeAggregation& node) {
  if (node.range.unwrap && node.op != RangeOp::kAbsentOverTime) return SampleValue::kUnwrapped;
  return node.op == RangeOp::kBytesOverTime || node.op == RangeOp::kBytesRate ? SampleValue::kLineBytes
                                                                              : SampleValue::kOne;
}

Error pipeline_error(std::string_view error, const Labels& series) {
  const std::string name(error);
  return Error(
      ErrorCode::kInvalidArgument,
      "pipeline error: '" + name + "' for series: '" + series.to_string() +
          "'.\nUse a label filter to intentionally skip this error. (e.g | __error__!=\"" + name +
          "\").\nTo skip all potential errors you can match empty errors.(e.g __error__=\"\")\nThe label filter can "
          "also be specified after unwrap. (e.g | unwrap latency | __error__=\"\" )\n");
}

bool names_error(const LabelFilter& filter) {
  if (const auto* pair = std::get_if<LabelFilterPair>(&filter.node)) {
    return names_error(*pair->left) || names_error(*pair->right);
  }
  const auto* text = std::get_if<StringPredicate>(&filter.node);
  return text != nullptr && (text->name == "__error__" || text->name == "__error_details__");
}

/// The query asks for errors itself: by a filter, or as a group.
bool asks_for_errors(const LogRange& range, const std::vector<std::string>& labels) {
  if (std::find(labels.begin(), labels.end(), "__error__") != labels.end()) return true;
  const auto& filters = range.unwrap ? range.unwrap->post_filters : std::vector<LabelFilter>();
  return std::any_of(filters.begin(), filters.end(), names_error) ||
         std::any_of(range.stages.begin(), range.stages.end(), [](const Stage& stage) {
           const auto* filter = std::get_if<LabelFilter>(&stage);
           return filter != nullptr && names_error(*filter);
         });
}

PipelineOptions pipeline_options(const RangeScanRequest& request) {
  PipelineOptions options;
  const auto& node = *request.node;
  if (node.op == RangeOp::kAbsentOverTime) {
    options.grouping.kind = ResultGrouping::Kind::kBy;
    return options;
  }
  const auto& grouping = node.grouping ? node.grouping : request.outer;
  if (!grouping) return options;
  options.grouping.kind = grouping->without ? ResultGrouping::Kind::kWithout : ResultGrouping::Kind::kBy;
  options.grouping.labels = grouping->labels;
  options.only_needed_labels = !grouping->without;
  options.preserve_errors = !grouping->without && asks_for_errors(node.range, grouping->labels);
  return options;
}

/// What all workers of a range scan share.
struct RangeScan {
  const ScanPlan& plan;
  const BucketGrid& grid;
  SampleValue value;
  QueryContext& context;
  std::unique_ptr<const ColumnPlan> columns[2];  // for pipeline(filtered)
  bool may_fail = false;  // some stage can set an error; metadata named __error__ alone does not count

  RangeScan(const ScanPlan& scan_plan, const BucketGrid& bucket_grid, SampleValue sample, QueryContext& query)
      : plan(scan_plan), grid(bucket_grid), value(sample), context(query) {
    for (const bool filtered : {false, true}) {
      if (plan.pushdowns().field_columns) {
        columns[filtered] = ColumnPlan::make(plan.stages(filtered), plan.unwrap(), plan.options().grouping);
      }
    }
    const auto stages = plan.stages(false);
    may_fail = plan.unwrap() != nullptr || std::any_of(stages.begin(), stages.end(), [](const Stage& stage) {
                 return !std::holds_alternative<LineFilter>(stage);
               });
  }
};

template <class State>
class RangeWorker {
 public:
  explicit RangeWorker(const RangeScan& scan)
      : scan_(scan),
        table_(scan.context.budget()),
        full_(scan.plan.pipeline(false)),
        rest_(scan.plan.pipeline(true)),
        meter_(scan.plan, full_, rest_),
        statistics_(scan.plan) {}

  Result<void> start() {
    KVASIR_TRY(fields_, scan_.plan.make_field_selector());
    return {};
  }
  SeriesTable<State>& table() { return table_; }

  Result<void> scan(const ScanUnit& unit) {
    if (unit.unique) return scan_unique(unit);
    KVASIR_TRY(auto blocks, scan_.plan.prepare(unit, fields_.get(), scan_.context));
    return scan_blocks(blocks);
  }

 private:
  Result<void> scan_unique(const ScanUnit& unit) {
    std::vector<std::shared_ptr<const BlockHandle>> unanswered;
    for (const auto& handle : unit.handles) {
      const bool answered = take_statistics(*handle);
      note_answer(ScanProfile::kFooters, *handle, answered);
      if (answered) continue;
      KVASIR_TRY(const bool counted, take_times(*handle));
      note_answer(ScanProfile::kTimes, *handle, counted);
      if (!counted) unanswered.push_back(handle);
    }
    KVASIR_CHECK_OK(table_.account());
    if (unanswered.empty()) return scan_.context.check();
    KVASIR_TRY(auto blocks, scan_.plan.prepare_unique(unanswered, fields_.get(), scan_.context));
    return scan_blocks(blocks);
  }

  /// Of a short cut that answers for a whole block or not at all.
  void note_answer(ScanProfile::Operator op, const BlockHandle& handle, bool answered) {
    OperatorCounts* const counts = scan_.plan.counts(op);
    if (counts == nullptr) return;
    count_blocks(counts, 1, answered ? 1 : 0);
    count_rows(counts, handle.rows(), answered ? handle.rows() : 0);
  }

  Result<void> scan_blocks(std::vector<ScannedBlock>& blocks) {
    for (auto& scanned : blocks) {
      if (!take_columns(scanned)) KVASIR_CHECK_OK(take_rows(scanned));
      KVASIR_CHECK_OK(table_.account());
    }
    return {};
  }

  static constexpr bool kCounts = std::is_same_v<State, CountState>;
  static constexpr bool kSums = std::is_same_v<State, SumState>;
  static constexpr bool kNeedsSequence = std::is_same_v<State, EndState<true>> ||
                                         std::is_same_v<State, EndState<false>> ||
                                         std::is_same_v<State, SamplesState>;

  /// True if an exact block lies in one bucket and its statistics say everything.
  bool take_statistics(const BlockHandle& handle) {
    if constexpr (kCounts || kSums) {
      const OperatorTimer timer(scan_.plan.counts(ScanProfile::kFooters));
      const auto bucket = scan_.grid.covering(handle.first(), handle.last());
      if (!bucket) return false;
      if (const auto series = series_of_stream(handle)) {
        add_many(table_.at(*series, *bucket), handle.rows(), handle.line_bytes());
        return true;
      }
      const auto shares = statistics_.shares(handle, kSums);
      if (!shares) return false;
      for (const auto& [group, rows, bytes] : *shares) add_many(table_.at(table_.find(group), *bucket), rows, bytes);
      return true;
    } else {
      return false;
    }
  }

  /// True if all rows of an exact block are in one group and are counted: then their times say everything.
  Result<bool> take_times(const BlockHandle& handle) {
    if constexpr (kCounts) {
      const auto series = series_of_stream(handle);
      if (!series) return false;
      if (count_known_intervals(handle, *series)) return true;
      KVASIR_TRY(const auto scanned, scan_.plan.open(handle, scan_.context));
      const OperatorTimer timer(scan_.plan.counts(ScanProfile::kTimes));
      if (!scanned.rows.none()) count_times(*scanned.block, scanned.rows, *series);
      return true;
    } else {
      return false;
    }
  }

  /// The series of all rows of the block, which is exact, if its stream decides it.
  std::optional<std::size_t> series_of_stream(const BlockHandle& handle) {
    const StreamIdentity& stream = *handle.stream();
    if (last_stream_ == &stream) return series_of_last_;
    last_stream_ = &stream;
    series_of_last_.reset();
    if (!statistics_.make_group_key(stream.labels, key_)) return std::nullopt;
    const auto [known, is_new] = series_of_key_.try_emplace(key_);
    if (is_new) {
      if (const auto group = statistics_.group_of_stream(handle)) known->second = table_.find(*group);
    }
    return series_of_last_ = known->second;
  }

  /// Without opening the block.
  bool count_known_intervals(const BlockHandle& handle, std::size_t series) {
    const TimeRange& range = scan_.plan.range();
    if (!scan_.grid.whole_steps() || !range.contains(handle.first()) || !range.contains(handle.last())) return false;
    const OperatorTimer timer(scan_.plan.counts(ScanProfile::kTimes));
    const auto ends = handle.known_interval_ends(scan_.grid.step(), scan_.grid.phase());
    std::size_t begin = 0;
    for (const auto& [interval, end] : ends) {
      const auto bucket = static_cast<std::uint32_t>(scan_.grid.interval_bucket(interval));
      if constexpr (kCounts) table_.at(series, bucket).add_many(end - std::exchange(begin, end));
    }
    return !ends.empty();
  }

  static void add_many(CountState& state, std::uint64_t rows, std::uint64_t) { state.add_many(rows); }
  static void add_many(SumState& state, std::uint64_t rows, std::uint64_t line_bytes) {
    state.add_many(rows, static_cast<double>(line_bytes));
  }

  /// Leaves in `scanned` the rows that only the pipeline can judge. True: there are none.
  bool take_columns(ScannedBlock& scanned) {
    const ColumnPlan* plan = scan_.columns[scanned.filtered].get();
    if (plan == nullptr) return false;
    RowSet rows = scanned.rows;
    const auto columns = select_by_columns(*plan, scan_.plan, scanned, rows);
    if (columns == nullptr) return false;
    if (rows.none()) return scanned.rows.none();
    const OperatorTimer timer(scan_.plan.counts(ScanProfile::kResult));
    if (OperatorCounts* const counts = scan_.plan.counts(ScanProfile::kResult)) counts->rows_in += rows.count();
    std::vector<std::size_t> series(columns->group_count());
    for (std::size_t g = 0; g < series.size(); ++g) series[g] = table_.find(columns->group_labels(g));
    add_column_rows(*scanned.block, rows, *columns, series);
    return scanned.rows.none();
  }

  /// One group, counted: the times at which buckets end, and the number of rows between them.
  bool count_times(LogBlock& block, const RowSet& rows, std::size_t series) {
    if constexpr (kCounts) {
      if (count_intervals(block, rows, series)) return true;
      const auto times = block.timestamps();
      const auto coarse = coarse_times(block);
      const BucketEnds ends(times, coarse);
      for (std::size_t row = rows.next(0); row < times.size();) {
        const auto bucket = scan_.grid.find({times[row]});
        const std::size_t end = bucket ? ends.first_after(row, bucket->last_ns) : row + 1;
        if (bucket) table_.at(series, bucket->index).add_many(rows.count(row, end));
        row = rows.next(end);
      }
      return true;
    } else {
      return false;
    }
  }

  /// The same from the ends that the block keeps.
  bool count_intervals(LogBlock& block, const RowSet& rows, std::size_t series) {
    if (!scan_.grid.whole_steps()) return false;
    const auto ends = block.interval_ends(scan_.grid.step(), scan_.grid.phase());
    std::size_t begin = 0;
    for (const auto& [interval, end] : ends) {
      const std::size_t found = rows.count(std::exchange(begin, end), end);
      if (found == 0) continue;
      const auto bucket = static_cast<std::uint32_t>(scan_.grid.interval_bucket(interval));
      if constexpr (kCounts) table_.at(series, bucket).add_many(found);
    }
    return !ends.empty();
  }

  std::span<const std::int64_t> coarse_times(LogBlock& block) {
    const auto kept = block.coarse_timestamps();
    if (!kept.empty()) return kept;
    coarse_ = coarse_of(block.timestamps());
    return coarse_;
  }

  void add_column_rows(LogBlock& block, const RowSet& rows, const ColumnBlock& columns,
                       const std::vector<std::size_t>& series) {
    if (series.size() == 1 && count_times(block, rows, series[0])) return;
    const auto times = block.timestamps();
    const auto groups = columns.row_groups();
    std::optional<BucketGrid::Bucket> bucket;
    std::vector<State*> states(series.size());  // of the bucket; found when first needed
    SampleReader sample_of(scan_.value, block, columns);
    for_each_row(rows, [&](std::size_t row) {
      if (!bucket || times[row] > bucket->last_ns) {
        bucket = scan_.grid.find({times[row]});
        std::fill(states.begin(), states.end(), nullptr);
      }
      if (!bucket) return;
      State*& state = states[groups.empty() ? 0 : groups[row]];
      if (state == nullptr) state = &table_.at(series[groups.empty() ? 0 : groups[row]], bucket->index);
      table_.add_to(*state, sample_of(row));
    });
  }

  /// Samples of a block whose rows are answered from columns.
  class SampleReader {
   public:
    SampleReader(SampleValue value, LogBlock& block, const ColumnBlock& columns)
        : value_(value), block_(block), times_(block.timestamps()), unwrapped_(columns.values()) {
      if (value == SampleValue::kLineBytes) lengths_ = block.line_lengths();
    }
    Sample operator()(std::size_t row) const {
      if constexpr (kCounts) return {};
      Sample sample{times_[row], kNeedsSequence ? block_.sequence(row) : 0, 1};
      if (value_ == SampleValue::kLineBytes) sample.value = lengths_[row];
      if (value_ == SampleValue::kUnwrapped) sample.value = unwrapped_[row];
      return sample;
    }

   private:
    SampleValue value_;
    LogBlock& block_;
    std::span<const std::int64_t> times_;
    std::span<const double> unwrapped_;
    std::span<const std::uint32_t> lengths_;
  };

  /// Reads the lines and runs the pipeline.
  Result<void> take_rows(ScannedBlock& scanned) {
    LogBlock& block = *scanned.block;
    PipelineRunner& runner = scanned.filtered ? rest_ : full_;
    const Pipeline& pipeline = *scan_.plan.pipeline(scanned.filtered);
    runner.bind(block.stream()->labels);
    const bool needs_lines = pipeline.reads_line() || scan_.value == SampleValue::kLineBytes;
    if (needs_lines) {
      KVASIR_CHECK_OK(scan_.plan.read_lines(block, scanned.rows, lines_, scan_.context));
    } else {
      lines_.assign(block.rows(), std::string_view());
    }
    const OperatorTimer timer(scan_.plan.counts(ScanProfile::kResult));
    std::uint64_t samples = 0;
    const bool needs_metadata = block.has_metadata() && pipeline.reads_metadata();
    std::optional<BucketGrid::Bucket> bucket;
    std::optional<Error> error;
    std::size_t until_check = kRowsBetweenChecks;
    for_each_row(scanned.rows, [&](std::size_t row) {
      if (error) return;
      if (--until_check == 0) {
        until_check = kRowsBetweenChecks;
        auto checked = scan_.context.check();
        if (checked) checked = table_.account();
        if (!checked) error = std::move(checked).error();
      }
      const TimestampNs time{block.timestamps()[row]};
      if (!bucket || time.value > bucket->last_ns) bucket = scan_.grid.find(time);
      if (!bucket) return;
      const auto metadata = needs_metadata ? block.metadata(row) : std::span<const LabelView>();
      if (!runner.process(time, lines_[row], metadata)) return;
      if (scan_.may_fail && runner.fails_query()) {
        error = pipeline_error(runner.error(), runner.final_labels());
        return;
      }
      ++samples;
      add(runner, {time.value, kNeedsSequence ? block.sequence(row) : 0, value_of(runner)}, bucket->index);
    });
    if (OperatorCounts* const counts = scan_.plan.counts(ScanProfile::kResult)) counts->rows_in += samples;
    if (error) return fail(std::move(*error));
    return {};
  }

  double value_of(const PipelineRunner& runner) const {
    switch (scan_.value) {
      case SampleValue::kOne: return 1;
      case SampleValue::kLineBytes: return static_cast<double>(runner.line().size());
      default: return runner.value();
    }
  }

  void add(const PipelineRunner& runner, const Sample& sample, std::uint32_t bucket) {
    const std::size_t series = table_.find(
        runner.result_hash(), [&](const Labels& labels) { return runner.result_equals(labels); },
        [&] { return runner.result_labels(); });
    table_.add(series, bucket, sample);
  }

  const RangeScan& scan_;
  SeriesTable<State> table_;
  PipelineRunner full_;
  PipelineRunner rest_;
  const StageMeter meter_;
  BlockStatistics statistics_;
  std::unique_ptr<FieldSelector> fields_;
  const StreamIdentity* last_stream_ = nullptr;
  std::optional<std::size_t> series_of_last_;
  boost::unordered_flat_map<std::string, std::optional<std::size_t>> series_of_key_;
  std::string key_;
  std::vector<std::string_view> lines_;
  std::vector<std::int64_t> coarse_;
};

/// What one series gives at each step.
using Points = std::vector<StepPoint>;

/// Calls points_of(series) for every series, on several threads where that takes long.
template <class State, class PointsOf>
Result<StepVector> make_series(const RangeScan& scan, SeriesTable<State>& table, PointsOf points_of) {
  auto& all = table.series();
  std::vector<Points> points(all.size());
  const std::size_t wanted = kKeepsSamples<State> ? scan.context.limits().parallelism : 1;
  std::atomic<std::size_t> next{0};
  KVASIR_CHECK_OK(run_workers(worker_count(wanted, all.size()), [&](std::size_t) -> Result<void> {
    for (std::size_t i = next++; i < all.size(); i = next++) {
      KVASIR_CHECK_OK(scan.context.check());
      if (all[i].buckets.empty()) continue;
      points[i] = points_of(all[i]);
      if (points[i].empty()) continue;
      KVASIR_CHECK_OK(scan.context.keep_bytes(sizeof(StepSeries) + labels_bytes(all[i].labels) +
                                              points[i].capacity() * sizeof(StepPoint)));
      // The samples are done with; only the points go on.
      all[i].buckets = {};
    }
    return {};
  }));
  StepVector out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!points[i].empty()) out.push_back({std::move(all[i].labels), std::move(points[i])});
  }
  return out;
}

template <class State, class PointsOf>
Result<StepVector> aggregate_series(const RangeScan& scan, PointsOf points_of) {
  const auto& units = scan.plan.units();
  const std::size_t count = worker_count(scan.context.limits().parallelism, units.size());
  std::vector<std::unique_ptr<RangeWorker<State>>> workers;
  for (std::size_t i = 0; i < count; ++i) workers.push_back(std::make_unique<RangeWorker<State>>(scan));
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  KVASIR_CHECK_OK(run_workers(count, [&](std::size_t index) -> Result<void> {
    auto& worker = *workers[index];
    KVASIR_CHECK_OK(worker.start());
    for (std::size_t i = next++; i < units.size() && !failed; i = next++) {
      auto done = worker.scan(units[i]);
      if (!done) {
        failed = true;
        return done;
      }
    }
    return {};
  }));
  // Workers find series by the hash of whatever way they read a block; here each label set is one series.
  SeriesTable<State> table(scan.context.budget());
  for (auto& worker : workers) {
    table.merge_from(worker->table());
    KVASIR_CHECK_OK(table.account());
    KVASIR_CHECK_OK(scan.context.check());
  }
  return make_series(scan, table, points_of);
}

template <class State, class Finish>
Result<StepVector> aggregate(const RangeScan& scan, Finish finish) {
  return aggregate_series<State>(scan, [&](const BucketSeries<State>& series) {
    Points points;
    const WindowMerger<State> merger(scan.grid, series);
    const auto [begin, end] = steps_of(scan.grid, series);
    for (std::size_t step = begin; step < end; ++step) {
      State state = merger.window(step);
      if (!state.empty()) points.push_back({static_cast<std::uint32_t>(step), finish(state)});
    }
    return points;
  });
}

Result<StepVector> run(const RangeScan& scan, const RangeAggregation& node) {
  const double seconds = std::chrono::duration<double>(node.range.range).count();
  switch (node.op) {
    case RangeOp::kCountOverTime:
    case RangeOp::kAbsentOverTime:
      return aggregate<CountState>(scan, [](const CountState& s) { return static_cast<double>(s.count); });
    case RangeOp::kRate:
      if (node.range.unwrap) return aggregate<SumState>(scan, [=](const SumState& s) { return s.sum / seconds; });
      return aggregate<CountState>(scan, [=](const CountState& s) { return static_cast<double>(s.count) / seconds; });
    case RangeOp::kBytesOverTime:
    case RangeOp::kSumOverTime: return aggregate<SumState>(scan, [](const SumState& s) { return s.sum; });
    case RangeOp::kBytesRate: return aggregate<SumState>(scan, [=](const SumState& s) { return s.sum / seconds; });
    case RangeOp::kAvgOverTime:
      return aggregate<SumState>(scan, [](const SumState& s) { return s.sum / static_cast<double>(s.count); });
    case RangeOp::kMinOverTime: return aggregate<ExtremeState<false>>(scan, [](const auto& s) { return s.value; });
    case RangeOp::kMaxOverTime: return aggregate<ExtremeState<true>>(scan, [](const auto& s) { return s.value; });
    case RangeOp::kStdvarOverTime:
      return aggregate<MomentState>(scan,
                                    [](const MomentState& s) { return s.squares / static_cast<double>(s.count); });
    case RangeOp::kStddevOverTime:
      return aggregate<MomentState>(scan,
                                    [](const auto& s) { return std::sqrt(s.squares / static_cast<double>(s.count)); });
    case RangeOp::kFirstOverTime: return aggregate<EndState<false>>(scan, [](const auto& s) { return s.sample.value; });
    case RangeOp::kLastOverTime: return aggregate<EndState<true>>(scan, [](const auto& s) { return s.sample.value; });
    case RangeOp::kQuantileOverTime:
      return aggregate_series<ValuesState>(
          scan, [&](BucketSeries<ValuesState>& series) { return quantile_points(scan.grid, series, *node.parameter); });
    case RangeOp::kRateCounter:
      return aggregate<SamplesState>(scan, [=](SamplesState& s) { return counter_rate(s.samples, seconds); });
  }
  return StepVector();
}

/// The labels of `absent_over_time`: what the selector pins, unless it says more than one thing about a name.
Labels absent_labels(const Selector& selector) {
  Labels labels;
  for (const auto& matcher : selector.matchers) {
    const auto same_name = [&](const LabelMatcher& other) { return other.name() == matcher.name(); };
    const auto times = std::count_if(selector.matchers.begin(), selector.matchers.end(), same_name);
    if (matcher.op() == MatchOp::kEqual && times == 1 && matcher.name() != "__name__") {
      labels.set(matcher.name(), matcher.value());
    }
  }
  return labels;
}

StepVector invert(const StepVector& present, const Selector& selector, std::size_t steps) {
  std::vector<bool> seen(steps, false);
  for (const auto& series : present) {
    for (const auto& point : series.points) seen[point.step] = true;
  }
  StepSeries absent{absent_labels(selector), {}};
  for (std::size_t i = 0; i < steps; ++i) {
    if (!seen[i]) absent.points.push_back({static_cast<std::uint32_t>(i), 1});
  }
  if (absent.points.empty()) return {};
  return {std::move(absent)};
}

/// The end of the first window; empty if the windows leave the time that can be told.
std::optional<TimestampNs> earliest_window_end(const StepTimes& times, const LogRange& range) {
  std::int64_t first = 0;
  std::int64_t begin = 0;
  std::int64_t last = 0;
  const std::int64_t offset = range.offset.count();
  if (__builtin_sub_overflow(times.first.value, offset, &first) ||
      __builtin_sub_overflow(times.last().value, offset, &last) ||
      __builtin_sub_overflow(first, range.range.count(), &begin) || last == TimestampNs::max().value) {
    return std::nullopt;
  }
  return TimestampNs{first};
}

}  // namespace

bool sums_over_series(RangeOp op) {
  return op == RangeOp::kCountOverTime || op == RangeOp::kRate || op == RangeOp::kBytesOverTime ||
         op == RangeOp::kBytesRate || op == RangeOp::kSumOverTime;
}

Result<StepVector> scan_range(const RangeScanRequest& request, const QueryParams& params, LogSource& source,
                              QueryContext& context) {
  const RangeAggregation& node = *request.node;
  const bool absent = node.op == RangeOp::kAbsentOverTime;
  constexpr std::size_t kBlocksPerUnit = 8;
  ScanRequest scan_request{.selector = &node.range.selector,
                           .stages = node.range.stages,
                           .unwrap = node.range.unwrap ? &*node.range.unwrap : nullptr,
                           .options = pipeline_options(request)};
  if (node.range.range.count() == 0) {
    // No window holds anything; the stages are still checked.
    KVASIR_TRY(const auto unused, Pipeline::compile(node.range.stages, scan_request.unwrap, scan_request.options));
    return absent ? invert({}, node.range.selector, request.times.count) : StepVector();
  }
  const auto first = earliest_window_end(request.times, node.range);
  if (!first) return absent ? invert({}, node.range.selector, request.times.count) : StepVector();
  const BucketGrid grid(*first, request.times.step, request.times.count, node.range.range);
  scan_request.range = grid.range();
  scan_request.in_order = false;
  scan_request.blocks_per_unit = kBlocksPerUnit;
  KVASIR_TRY(const auto plan, ScanPlan::build(scan_request, params, source, context));
  const RangeScan scan(*plan, grid, sample_value(node), context);
  KVASIR_TRY(auto result, run(scan, node));
  return absent ? invert(result, node.range.selector, request.times.count) : std::move(result);
}

}  // namespace kvasir::logql
