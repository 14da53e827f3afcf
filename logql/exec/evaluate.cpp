#include "logql/exec/evaluate.h"

#include "logql/exec/range_scan.h"
#include "logql/exec/stats_scan.h"
#include "logql/exec/vector_operations.h"
#include "logql/syntax/arithmetic.h"

namespace kvasir::logql {
namespace {

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
    KVASIR_TRY(auto out, combine_vectors(node, std::get<StepVector>(left), std::get<StepVector>(right), steps()));
    return StepValue(std::move(out));
  }

  Result<StepValue> operator()(const Literal& literal) const { return StepValue(literal.value); }

  Result<StepValue> operator()(const LabelReplace& node) const {
    KVASIR_TRY(auto operand, evaluate_vector(*node.operand));
    KVASIR_TRY(auto out, replace_label(node, std::move(operand)));
    return StepValue(std::move(out));
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

  /// Names are resolved before evaluation, variants refused.
  Result<StepValue> operator()(const auto&) const { return fail(ErrorCode::kInternal, "unexpected node in evaluation"); }

 private:
  std::size_t steps() const { return evaluation_.times.count; }

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
