#include "logql/exec/let_rewrite.h"

#include <algorithm>
#include <map>
#include <set>

#include "logql/exec/range_scan.h"

namespace kvasir::logql {
namespace {

using Replacements = std::map<std::string, ExprPtr>;

ExprPtr make(auto node) { return std::make_shared<const Expr>(Expr{std::move(node)}); }

/// Operands of one piece of arithmetic: operators without explicit matching, and their leaves.
void collect_variables(const Expr& expr, std::map<std::string, const RangeAggregation*>& out) {
  if (const auto* operation = std::get_if<BinaryOperation>(&expr.node)) {
    if (operation->matching || is_set_operator(operation->op)) return;
    collect_variables(*operation->left, out);
    collect_variables(*operation->right, out);
  } else if (const auto* variable = std::get_if<LetVariable>(&expr.node)) {
    const auto* range = std::get_if<RangeAggregation>(&variable->value->node);
    if (range != nullptr && !range->grouping && range->op != RangeOp::kAbsentOverTime)
      out.emplace(variable->name, range);
  }
}

std::set<std::pair<std::string, std::string>> pinned(const Selector& selector) {
  std::set<std::pair<std::string, std::string>> out;
  for (const auto& matcher : selector.matchers) {
    if (matcher.op() == MatchOp::kEqual) out.emplace(matcher.name(), matcher.value());
  }
  return out;
}

/// What replaces the bare range aggregations of a piece of arithmetic in which at least two of them meet.
Replacements group_by_pinned(const std::map<std::string, const RangeAggregation*>& variables) {
  if (variables.size() < 2) return {};
  auto common = pinned(variables.begin()->second->range.selector);
  for (const auto& [name, range] : variables) {
    const auto own = pinned(range->range.selector);
    std::erase_if(common, [&](const auto& pair) { return !own.contains(pair); });
  }
  Grouping grouping;
  for (const auto& pair : common) grouping.labels.push_back(pair.first);
  Replacements out;
  for (const auto& [name, range] : variables) {
    if (sums_over_series(range->op) || range->op == RangeOp::kRateCounter) {
      out.emplace(name, make(VectorAggregation{.op = VectorOp::kSum, .operand = make(*range), .grouping = grouping}));
    } else {
      RangeAggregation grouped = *range;
      grouped.grouping = grouping;
      out.emplace(name, make(std::move(grouped)));
    }
  }
  return out;
}

class Resolver {
 public:
  explicit Resolver(Replacements replacements = {}) : replacements_(std::move(replacements)) {}

  ExprPtr operator()(const ExprPtr& expr) const {
    return std::visit([&](const auto& node) { return visit(expr, node); }, expr->node);
  }

 private:
  static ExprPtr visit(const ExprPtr&, const LetExpression& let) { return Resolver()(let.body); }

  ExprPtr visit(const ExprPtr&, const LetVariable& variable) const {
    const auto it = replacements_.find(variable.name);
    return it == replacements_.end() ? Resolver()(variable.value) : it->second;
  }

  ExprPtr visit(const ExprPtr& expr, const BinaryOperation& node) const {
    Replacements replacements = replacements_;
    if (replacements.empty() && !node.matching) {
      std::map<std::string, const RangeAggregation*> variables;
      collect_variables(*expr, variables);
      replacements = group_by_pinned(variables);
    }
    // Matching by name and set operators are no arithmetic: below them names mean what they were bound to.
    const bool arithmetic = !node.matching && !is_set_operator(node.op);
    const Resolver inner(arithmetic ? std::move(replacements) : Replacements());
    BinaryOperation copy = node;
    copy.left = inner(node.left);
    copy.right = inner(node.right);
    return make(std::move(copy));
  }

  static ExprPtr visit(const ExprPtr&, const VectorAggregation& node) {
    VectorAggregation copy = node;
    copy.operand = Resolver()(node.operand);
    return make(std::move(copy));
  }

  static ExprPtr visit(const ExprPtr&, const LabelReplace& node) {
    LabelReplace copy = node;
    copy.operand = Resolver()(node.operand);
    return make(std::move(copy));
  }

  static ExprPtr visit(const ExprPtr& expr, const auto&) { return expr; }

  Replacements replacements_;
};

}  // namespace

ExprPtr resolve_let(const ExprPtr& expr) { return Resolver()(expr); }

}  // namespace kvasir::logql
