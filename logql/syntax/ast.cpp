#include "logql/syntax/ast.h"

#include <algorithm>

namespace kvasir::logql {
namespace {

void collect(const Expr& expr, std::vector<const Selector*>& out);

struct SelectorCollector {
  std::vector<const Selector*>& out;

  void operator()(const LogQuery& query) const { out.push_back(&query.selector); }
  void operator()(const RangeAggregation& aggregation) const { out.push_back(&aggregation.range.selector); }
  void operator()(const VectorAggregation& aggregation) const { collect(*aggregation.operand, out); }
  void operator()(const BinaryOperation& operation) const {
    collect(*operation.left, out);
    collect(*operation.right, out);
  }
  void operator()(const LabelReplace& replace) const { collect(*replace.operand, out); }
  void operator()(const Variants& variants) const { out.push_back(&variants.range.selector); }
  void operator()(const LetExpression& let) const {
    for (const auto& binding : let.bindings) collect(*binding.value, out);
    collect(*let.body, out);
  }
  void operator()(const LetVariable&) const {}  // counted where it is bound
  void operator()(const Literal&) const {}
  void operator()(const VectorFunction&) const {}
};

void collect(const Expr& expr, std::vector<const Selector*>& out) { std::visit(SelectorCollector{out}, expr.node); }

constexpr std::string_view kRangeOpNames[] = {
    "count_over_time",  "rate",           "rate_counter",       "bytes_over_time",
    "bytes_rate",       "avg_over_time",  "sum_over_time",  "min_over_time",      "max_over_time",
    "stdvar_over_time", "stddev_over_time", "quantile_over_time", "first_over_time", "last_over_time",
    "absent_over_time"};
constexpr std::string_view kVectorOpNames[] = {
    "sum", "avg", "count", "max", "min", "stddev", "stdvar", "bottomk", "topk", "sort", "sort_desc",
    "approx_topk"};
constexpr std::string_view kBinaryOpTexts[] = {
    "or", "and", "unless", "==", "!=", ">", ">=", "<", "<=", "+", "-", "*", "/", "%", "^"};
constexpr std::string_view kCompareOpTexts[] = {"==", "!=", ">", ">=", "<", "<="};
constexpr std::string_view kLineFilterOpTexts[] = {"|=", "!=", "|~", "!~", "|>", "!>"};
constexpr std::string_view kStatsFunctionNames[] = {
    "count", "sum", "avg", "min", "max", "count_distinct", "quantile"};

}  // namespace

bool LogQuery::has_stats() const {
  return std::any_of(pipes.begin(), pipes.end(), [](const Pipe& pipe) { return std::holds_alternative<Stats>(pipe); });
}

bool is_log_query(const Expr& expr) {
  const auto* query = std::get_if<LogQuery>(&expr.node);
  return query != nullptr && !query->has_stats();
}

std::vector<const Selector*> collect_selectors(const Expr& expr) {
  std::vector<const Selector*> out;
  collect(expr, out);
  return out;
}

std::string_view range_op_name(RangeOp op) { return kRangeOpNames[static_cast<std::size_t>(op)]; }
std::string_view vector_op_name(VectorOp op) { return kVectorOpNames[static_cast<std::size_t>(op)]; }
std::string_view binary_op_text(BinaryOp op) { return kBinaryOpTexts[static_cast<std::size_t>(op)]; }
std::string_view compare_op_text(CompareOp op) { return kCompareOpTexts[static_cast<std::size_t>(op)]; }
std::string_view line_filter_op_text(LineFilterOp op) { return kLineFilterOpTexts[static_cast<std::size_t>(op)]; }
std::string_view stats_function_name(StatsFunction function) {
  return kStatsFunctionNames[static_cast<std::size_t>(function)];
}

bool is_set_operator(BinaryOp op) { return op <= BinaryOp::kUnless; }
bool is_comparison(BinaryOp op) { return op >= BinaryOp::kEqual && op <= BinaryOp::kLessOrEqual; }

}  // namespace kvasir::logql
