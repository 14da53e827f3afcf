#include "logql/engine.h"

#include <algorithm>

#include "logql/exec/evaluate.h"
#include "logql/exec/let_rewrite.h"
#include "logql/exec/stats_scan.h"
#include "logql/log_pages.h"
#include "logql/syntax/parser.h"

namespace kvasir::logql {
namespace {

constexpr std::size_t kStepsMax = 1 << 20;  // the server's own limit is far below; this one protects memory

std::int64_t floor_to(std::int64_t value, std::int64_t step) {
  const std::int64_t rest = value % step;
  return value - (rest < 0 ? rest + step : rest);
}

Result<QueryResult> run_table(const LogQuery& query, const QueryParams& params, LogSource& source,
                              QueryContext& context) {
  // Half-open [start, end), as log queries; the windows of metrics include their end and not their start.
  const bool ranged = params.end > params.start;
  const Duration window = ranged ? params.end - params.start : kStatsLookback;
  const StepTimes times{.first = ranged ? TimestampNs{params.end.value - 1} : params.end, .step = window};
  KVASIR_TRY(const auto tables, scan_stats(query, times, window, params, source, context));
  Table table;
  table.columns = tables.front().columns;
  for (const auto& row : tables.front().rows) {
    auto& texts = table.rows.emplace_back();
    for (const auto& cell : row) texts.push_back(cell.text());
  }
  return table;
}

// ---- metric queries

Result<StepTimes> step_times(const QueryParams& params) {
  if (params.instant) return StepTimes{.first = params.end};
  const std::int64_t step = params.step.count();
  if (step <= 0) {
    return fail(ErrorCode::kInvalidArgument,
                "zero or negative query resolution step widths are not accepted. Try a positive integer");
  }
  // Steps stand on multiples of the step, so that neighbouring requests agree; the last may lie behind the end.
  const std::int64_t first = params.align_steps ? floor_to(params.start.value, step) : params.start.value;
  const std::int64_t last = params.align_steps ? floor_to(params.end.value + step - 1, step) : params.end.value;
  const auto count = static_cast<std::size_t>((last - first) / step) + 1;
  if (count > kStepsMax) return fail(ErrorCode::kInvalidArgument, "too many steps: " + std::to_string(count));
  return StepTimes{.first = {first}, .step = params.step, .count = count};
}

bool keeps_order(const Expr& expr) {
  if (const auto* node = std::get_if<VectorAggregation>(&expr.node)) {
    return node->op == VectorOp::kSort || node->op == VectorOp::kSortDesc || keeps_order(*node->operand);
  }
  if (const auto* node = std::get_if<BinaryOperation>(&expr.node))
    return keeps_order(*node->left) || keeps_order(*node->right);
  if (const auto* node = std::get_if<LabelReplace>(&expr.node)) return keeps_order(*node->operand);
  const auto* query = std::get_if<LogQuery>(&expr.node);
  return query != nullptr && std::any_of(query->pipes.begin(), query->pipes.end(),
                                         [](const Pipe& pipe) { return std::holds_alternative<OrderBy>(pipe); });
}

Result<void> check_series(std::size_t count, const QueryContext& context) {
  const std::uint32_t max = context.limits().series_max;
  if (max == 0 || count <= max) return {};
  return fail(
      ErrorCode::kLimitExceeded,
      "maximum number of series (" + std::to_string(max) +
          ") reached for a single query; consider reducing query cardinality by adding more specific stream "
          "selectors, reducing the time range, or aggregating results with functions like sum(), count() or topk()");
}

std::vector<Series> make_series(StepVector vector, const StepTimes& times) {
  std::vector<Series> out;
  for (auto& series : vector) {
    Series& target = out.emplace_back(Series{std::move(series.labels), {}});
    for (const auto& point : series.points)
      target.points.push_back({times.at(point.step).value / 1'000'000, point.value});
  }
  return out;
}

void sort_series(std::vector<Series>& series) {
  std::stable_sort(series.begin(), series.end(), [](const Series& a, const Series& b) { return a.labels < b.labels; });
}

/// Series with equal labels become one; their points are put in order.
void merge_equal_series(std::vector<Series>& series) {
  sort_series(series);
  std::vector<Series> out;
  for (auto& one : series) {
    if (out.empty() || out.back().labels != one.labels) {
      out.push_back(std::move(one));
      continue;
    }
    auto& points = out.back().points;
    points.insert(points.end(), one.points.begin(), one.points.end());
    std::stable_sort(points.begin(), points.end(),
                     [](const auto& a, const auto& b) { return a.timestamp_ms < b.timestamp_ms; });
  }
  series = std::move(out);
}

Result<QueryResult> run_metric_query(const Expr& expr, const QueryParams& params, LogSource& source,
                                     QueryContext& context) {
  KVASIR_TRY(const StepTimes times, step_times(params));
  KVASIR_TRY(StepValue value, evaluate(expr, Evaluation{params, source, context, times}));
  if (const auto* number = std::get_if<double>(&value)) {
    if (params.instant) return Scalar{{times.first.value / 1'000'000, *number}};
    KVASIR_TRY(value, evaluate(Expr{VectorFunction{*number}}, Evaluation{params, source, context, times}));
  }
  auto series = make_series(std::move(std::get<StepVector>(value)), times);
  if (params.instant) {
    if (!keeps_order(expr)) sort_series(series);
    KVASIR_CHECK_OK(check_series(series.size(), context));
    return Vector{std::move(series)};
  }
  merge_equal_series(series);
  KVASIR_CHECK_OK(check_series(series.size(), context));
  return Matrix{std::move(series)};
}

}  // namespace

Result<QueryResult> run_query(const QueryParams& params, LogSource& source, QueryContext& context) {
  KVASIR_TRY(const ExprPtr parsed, parse_query(params.query));
  KVASIR_CHECK_OK(context.check());
  const ExprPtr expr = resolve_let(parsed);
  if (std::holds_alternative<Variants>(expr->node) && !context.limits().multi_variant_queries) {
    return fail(ErrorCode::kInvalidArgument, "multi variant queries are disabled for this instance");
  }
  const auto* query = std::get_if<LogQuery>(&expr->node);
  if (query != nullptr && query->has_stats() && params.as_table) return run_table(*query, params, source, context);
  if (query == nullptr || query->has_stats()) return run_metric_query(*expr, params, source, context);
  if (params.instant) {
    return fail(
        ErrorCode::kInvalidArgument,
        "log queries are not supported as an instant query type, please change your query to a range query type");
  }
  LogPager pager(params, expr, 0, std::nullopt);
  KVASIR_TRY(LogPage page, pager.next(source, context));
  return group_streams(std::move(page));
}

}  // namespace kvasir::logql
