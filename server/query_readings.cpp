#include "server/query_readings.h"

namespace kvasir::server {
namespace {

void collect(const logql::Expr& expr, std::vector<Reading>& out) {
  if (const auto* query = std::get_if<logql::LogQuery>(&expr.node)) {
    out.push_back({&query->selector, &query->stages, Duration{0}, Duration{0}});
  } else if (const auto* aggregation = std::get_if<logql::RangeAggregation>(&expr.node)) {
    const auto& range = aggregation->range;
    out.push_back({&range.selector, &range.stages, range.range, range.offset});
  } else if (const auto* vector = std::get_if<logql::VectorAggregation>(&expr.node)) {
    collect(*vector->operand, out);
  } else if (const auto* replace = std::get_if<logql::LabelReplace>(&expr.node)) {
    collect(*replace->operand, out);
  } else if (const auto* binary = std::get_if<logql::BinaryOperation>(&expr.node)) {
    collect(*binary->left, out);
    collect(*binary->right, out);
  } else if (const auto* let = std::get_if<logql::LetExpression>(&expr.node)) {
    for (const auto& binding : let->bindings) collect(*binding.value, out);
    collect(*let->body, out);
  }
}

}  // namespace

std::vector<Reading> collect_readings(const logql::Expr& expr) {
  std::vector<Reading> out;
  collect(expr, out);
  return out;
}

}  // namespace kvasir::server
