#include "logql/exec/evaluate.h"

#include "logql/exec/bucket_series.h"
#include "logql/exec/range_scan.h"
#include "logql/exec/stats_scan.h"
#include "logql/exec/vector_operations.h"
#include "logql/syntax/arithmetic.h"

namespace kvasir::logql {
namespace {

// Beside an operand of n bytes an operation has up to so many times n at once.
constexpr std::uint64_t kScratchOfOperand = 3;

/// About what series take.
std::uint64_t vector_bytes(const StepVector& vector) {
  std::uint64_t bytes = 0;
  for (const auto& series : vector)
    bytes += sizeof series + labels_bytes(series.labels) + series.points.size() * sizeof(StepPoint);
  return bytes;
}

/// A metric of `variants(...) of (range)`: its own aggregation, over what `of` says. Only unwrap may come from the
/// metric.
Result<Expr> over_range(const Expr& metric, const LogRange& range) {
  if (const auto* node = std::get_if<VectorAggregation>(&metric.node)) {
    KVASIR_TRY(auto operand, over_range(*node->operand, range));
    VectorAggregation copy = *node;
    copy.operand = std::make_shared<const Expr>(std::move(operand));
    return Expr{std::move(copy)};
  }
  const auto* node = std::get_if<RangeAggregation>(&metric.node);
  if (node == nullptr) {
    return fail(ErrorCode::kInvalidArgument,
                "each variant must be a range aggregation, or vector aggregations over one");
  }
  RangeAggregation copy = *node;
  copy.range = range;
  if (!copy.range.unwrap) copy.range.unwrap = node->range.unwrap;
  return Expr{std::move(copy)};
}

class Evaluator {
 public:
  explicit Evaluator(const Evaluation& evaluation) : evaluation_(evaluation) {}

  Result<StepValue> operator()(const RangeAggregation& node) const { return scan(node, std::nullopt); }

  Result<StepValue> operator()(const VectorAggregation& node) const {
    if (const auto* range = std::get_if<RangeAggregation>(&node.operand->node)) {
      // The sum of counts is the count of everything: the groups are made while the logs are read.
      if (node.op == VectorOp::kSum && !range->grouping && sums_over_series(range->op)) {
        return scan(*range, node.grouping.value_or(Grouping{}));
      }
    }
    KVASIR_TRY(auto operand, evaluate_vector(*node.operand));
    MemoryBudget scratch("scratch", 0, &evaluation_.context.budget());  // points by step or state, and the result
    KVASIR_CHECK_OK(scratch.charge(kScratchOfOperand * vector_bytes(operand)));
    return aggregate_vector(node, std::move(operand), steps());
  }

  Result<StepValue> operator()(const BinaryOperation& node) const {
    KVASIR_TRY(auto left, evaluate(*node.left, evaluation_));
    KVASIR_TRY(auto right, evaluate(*node.right, evaluation_));
    KVASIR_CHECK_OK(evaluation_.context.check());
    auto* a = std::get_if<double>(&left);
    auto* b = std::get_if<double>(&right);
    if (a != nullptr && b != nullptr) return StepValue(apply(node.op, *a, *b));
    if (a != nullptr) return combine_with_number(node, std::move(std::get<StepVector>(right)), *a, true);
    if (b != nullptr) return combine_with_number(node, std::move(std::get<StepVector>(left)), *b, false);
    return combine(node, std::get<StepVector>(left), std::get<StepVector>(right));
  }

  Result<StepValue> operator()(const Literal& literal) const { return StepValue(literal.value); }

  Result<StepValue> operator()(const LabelReplace& node) const {
    KVASIR_TRY(auto operand, evaluate_vector(*node.operand));
    return replace_label(node, std::move(operand), evaluation_.context);
  }

  Result<StepValue> operator()(const VectorFunction& node) const {
    StepSeries series;
    for (std::size_t i = 0; i < steps(); ++i) series.points.push_back({static_cast<std::uint32_t>(i), node.value});
    return StepValue(StepVector{std::move(series)});
  }

  Result<StepValue> operator()(const LogQuery& query) const {
    if (!query.has_stats()) return fail(ErrorCode::kInvalidArgument, "a log query has no value");
    const auto& params = evaluation_.params;
    Duration window = evaluation_.times.step;
    if (params.instant) window = params.end > params.start ? params.end - params.start : kStatsLookback;
    KVASIR_TRY(const auto tables,
               scan_stats(query, evaluation_.times, window, params, evaluation_.source, evaluation_.context));
    return StepValue(stats_series(tables));
  }

  Result<StepValue> operator()(const Variants& node) const {
    StepVector out;
    for (std::size_t i = 0; i < node.metrics.size(); ++i) {
      KVASIR_TRY(const Expr metric, over_range(*node.metrics[i], node.range));
      KVASIR_TRY(StepVector series, evaluate_vector(metric));
      const std::uint32_t max = evaluation_.context.limits().series_max;
      if (max != 0 && series.size() > max) {
        evaluation_.context.add_warning("maximum number of series (" + std::to_string(max) + ") reached for variant (" +
                                        std::to_string(i) + "); it is left out");
        continue;
      }
      for (auto& one : series) {
        one.labels.set("__variant__", std::to_string(i));
        out.push_back(std::move(one));
      }
    }
    return StepValue(std::move(out));
  }

  /// Names are resolved before evaluation.
  Result<StepValue> operator()(const auto&) const {
    return fail(ErrorCode::kInternal, "unexpected node in evaluation");
  }

 private:
  std::size_t steps() const { return evaluation_.times.count; }

  Result<StepValue> combine(const BinaryOperation& node, const StepVector& left, const StepVector& right) const {
    MemoryBudget scratch("scratch", 0, &evaluation_.context.budget());  // points by step and by key on both sides, and the result
    KVASIR_CHECK_OK(scratch.charge(kScratchOfOperand * (vector_bytes(left) + vector_bytes(right))));
    KVASIR_TRY(auto out, combine_vectors(node, left, right, steps()));
    KVASIR_CHECK_OK(evaluation_.context.keep_bytes(vector_bytes(out)));
    return StepValue(std::move(out));
  }

  Result<StepValue> scan(const RangeAggregation& node, std::optional<Grouping> outer) const {
    const RangeScanRequest request{&node, evaluation_.times, std::move(outer)};
    KVASIR_TRY(auto out, scan_range(request, evaluation_.params, evaluation_.source, evaluation_.context));
    return StepValue(std::move(out));
  }

  Result<StepVector> evaluate_vector(const Expr& expr) const {
    KVASIR_TRY(auto value, evaluate(expr, evaluation_));
    if (auto* vector = std::get_if<StepVector>(&value)) return std::move(*vector);
    return fail(ErrorCode::kInternal,
                "unexpected expr type (*syntax.LiteralExpr) for Evaluator type (*logql.DefaultEvaluator)");
  }

  const Evaluation& evaluation_;
};

}  // namespace

Result<StepValue> evaluate(const Expr& expr, const Evaluation& evaluation) {
  return std::visit(Evaluator(evaluation), expr.node);
}

}  // namespace kvasir::logql
