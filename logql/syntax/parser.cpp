#include "logql/syntax/parser.h"

#include <algorithm>
#include <unordered_map>

#include "common/number.h"
#include "common/regex.h"
#include "logql/syntax/arithmetic.h"
#include "logql/syntax/stage_parser.h"

namespace kvasir::logql {
namespace {

using enum TokenKind;

/// An expression with what must wait until the whole text has parsed.
struct Parsed {
  ExprPtr expr;
  int depth = 1;                  // of the tree
  std::size_t size = 1;           // nodes, counting a name of `let` as what it stands for
  std::optional<Error> deferred;  // the first complaint about this node and what is below it
};

constexpr std::string_view kEmptySelectorText =
    "queries require at least one regexp or equality matcher that does not have an empty-compatible value. For "
    "instance, "
    "app=~\".*\" does not meet this requirement, but app=~\".+\" will";

constexpr std::string_view kLetHint =
    "write for example `let errors = count_over_time({level=\"error\"}[1h]); errors > 10`";

std::optional<RangeOp> range_op(TokenKind kind) {
  static const std::unordered_map<TokenKind, RangeOp> kOps = {
      {kCountOverTime, RangeOp::kCountOverTime},   {kRate, RangeOp::kRate},
      {kRateCounter, RangeOp::kRateCounter},       {kBytesOverTime, RangeOp::kBytesOverTime},
      {kBytesRate, RangeOp::kBytesRate},           {kAvgOverTime, RangeOp::kAvgOverTime},
      {kSumOverTime, RangeOp::kSumOverTime},       {kMinOverTime, RangeOp::kMinOverTime},
      {kMaxOverTime, RangeOp::kMaxOverTime},       {kStdvarOverTime, RangeOp::kStdvarOverTime},
      {kStddevOverTime, RangeOp::kStddevOverTime}, {kQuantileOverTime, RangeOp::kQuantileOverTime},
      {kFirstOverTime, RangeOp::kFirstOverTime},   {kLastOverTime, RangeOp::kLastOverTime},
      {kAbsentOverTime, RangeOp::kAbsentOverTime},
  };
  const auto it = kOps.find(kind);
  return it == kOps.end() ? std::nullopt : std::optional(it->second);
}

std::optional<VectorOp> vector_op(TokenKind kind) {
  static const std::unordered_map<TokenKind, VectorOp> kOps = {
      {kSum, VectorOp::kSum},       {kAvg, VectorOp::kAvg},           {kCount, VectorOp::kCount},
      {kMax, VectorOp::kMax},       {kMin, VectorOp::kMin},           {kStddev, VectorOp::kStddev},
      {kStdvar, VectorOp::kStdvar}, {kBottomk, VectorOp::kBottomk},   {kTopk, VectorOp::kTopk},
      {kSort, VectorOp::kSort},     {kSortDesc, VectorOp::kSortDesc}, {kApproxTopk, VectorOp::kApproxTopk},
  };
  const auto it = kOps.find(kind);
  return it == kOps.end() ? std::nullopt : std::optional(it->second);
}

struct Operator {
  BinaryOp op;
  int precedence;
};

std::optional<Operator> binary_operator(TokenKind kind) {
  switch (kind) {
    case kOr: return Operator{BinaryOp::kOr, 1};
    case kAnd: return Operator{BinaryOp::kAnd, 2};
    case kUnless: return Operator{BinaryOp::kUnless, 2};
    case kEqual: return Operator{BinaryOp::kEqual, 3};
    case kNotEqual: return Operator{BinaryOp::kNotEqual, 3};
    case kGreater: return Operator{BinaryOp::kGreater, 3};
    case kGreaterOrEqual: return Operator{BinaryOp::kGreaterOrEqual, 3};
    case kLess: return Operator{BinaryOp::kLess, 3};
    case kLessOrEqual: return Operator{BinaryOp::kLessOrEqual, 3};
    case kAdd: return Operator{BinaryOp::kAdd, 4};
    case kSubtract: return Operator{BinaryOp::kSubtract, 4};
    case kMultiply: return Operator{BinaryOp::kMultiply, 5};
    case kDivide: return Operator{BinaryOp::kDivide, 5};
    case kModulo: return Operator{BinaryOp::kModulo, 5};
    case kPower: return Operator{BinaryOp::kPower, 6};
    default: return std::nullopt;
  }
}

Error semantic_error(std::string_view message) { return parse_error({}, message); }

/// Why this range aggregation makes no sense, if it does not.
std::optional<Error> check_range_aggregation(const RangeAggregation& node, const std::string& parameter_text) {
  const std::string name(range_op_name(node.op));
  const bool is_quantile = node.op == RangeOp::kQuantileOverTime;
  if (node.parameter && !is_quantile) {
    return semantic_error("parameter " + parameter_text + " not supported for operation " + name);
  }
  if (!node.parameter && is_quantile) return semantic_error("parameter required for operation " + name);
  const bool plain =
      node.op == RangeOp::kCountOverTime || node.op == RangeOp::kBytesOverTime || node.op == RangeOp::kBytesRate;
  const bool either = node.op == RangeOp::kRate || node.op == RangeOp::kAbsentOverTime;
  const bool groups = !plain && !either && node.op != RangeOp::kSumOverTime && node.op != RangeOp::kRateCounter;
  if (node.grouping && !groups) return semantic_error("grouping not allowed for " + name + " aggregation");
  if (node.range.unwrap && plain) return semantic_error("invalid aggregation " + name + " with unwrap");
  if (!node.range.unwrap && !plain && !either) return semantic_error("invalid aggregation " + name + " without unwrap");
  return std::nullopt;
}

bool takes_k(VectorOp op) { return op == VectorOp::kTopk || op == VectorOp::kBottomk || op == VectorOp::kApproxTopk; }

std::optional<Error> check_k(VectorAggregation& node, const std::optional<std::string>& parameter) {
  const std::string name(vector_op_name(node.op));
  if (!parameter) return semantic_error("parameter required for operation " + name);
  const auto k = parse_int64(*parameter);
  if (!k) return semantic_error("invalid parameter " + name + "(" + *parameter + ",");
  if (*k <= 0) return semantic_error("invalid parameter (must be greater than 0) " + name + "(" + *parameter);
  node.parameter = *k;
  return std::nullopt;
}

std::optional<Error> check_vector_aggregation(VectorAggregation& node, const std::optional<std::string>& parameter) {
  const std::string name(vector_op_name(node.op));
  if (takes_k(node.op)) {
    if (auto error = check_k(node, parameter)) return error;
    if (node.op == VectorOp::kApproxTopk && node.grouping) {
      return semantic_error("grouping not allowed for approx_topk aggregation");
    }
    return std::nullopt;
  }
  if (parameter) return semantic_error("unsupported parameter for operation " + name + "(" + *parameter + ",");
  const bool sorts = node.op == VectorOp::kSort || node.op == VectorOp::kSortDesc;
  if (sorts && node.grouping && !node.grouping->labels.empty()) {
    return semantic_error("sort and sort_desc doesn't allow grouping by ");
  }
  return std::nullopt;
}

std::string printed_literal(double value) {
  char buffer[352];
  std::snprintf(buffer, sizeof buffer, "%.6f", value);
  return buffer;
}

std::optional<Error> check_leg(const Expr& leg, std::string_view side, BinaryOp op) {
  const auto legend = [&](std::string_view what) {
    return std::string(what) + " for " + std::string(side) + " leg of ";
  };
  const std::string op_text(binary_op_text(op));
  if (is_log_query(leg)) {
    const bool piped = !std::get<LogQuery>(leg.node).stages.empty() || !std::get<LogQuery>(leg.node).pipes.empty();
    return semantic_error(legend("unexpected type") + "binary operation (" + op_text + "): *syntax." +
                          (piped ? "PipelineExpr" : "MatchersExpr"));
  }
  return std::nullopt;
}

std::optional<Error> check_set_leg(const Expr& leg, std::string_view side, BinaryOp op) {
  const auto* literal = std::get_if<Literal>(&leg.node);
  if (literal == nullptr || !is_set_operator(op)) return std::nullopt;
  return semantic_error("unexpected literal for " + std::string(side) + " leg of logical/set binary operation (" +
                        std::string(binary_op_text(op)) + "): " + printed_literal(literal->value));
}

std::optional<Error> check_binary(const BinaryOperation& node) {
  for (const auto check : {check_leg, check_set_leg}) {
    if (auto error = check(*node.left, "left", node.op)) return error;
    if (auto error = check(*node.right, "right", node.op)) return error;
  }
  return std::nullopt;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : tokens_(text) {}

  Result<ExprPtr> parse() {
    KVASIR_TRY(Parsed root, tokens_.at_word("let") ? parse_let() : parse_expression(0));
    if (!tokens_.at_end()) return fail(tokens_.unexpected());
    if (root.deferred) return fail(*root.deferred);
    for (const Selector* selector : collect_selectors(*root.expr)) KVASIR_CHECK_OK(check_selector(*selector));
    return root.expr;
  }

 private:
  static Result<void> check_selector(const Selector& selector) {
    if (selector.matchers.size() > kMatchersMax) {
      return fail(ErrorCode::kLimitExceeded, "max streams matchers per query exceeded, matchers-count > limit (" +
                                                 std::to_string(selector.matchers.size()) + " > " +
                                                 std::to_string(kMatchersMax) + ")");
    }
    const auto selects = [](const LabelMatcher& matcher) { return !matcher.matches_empty(); };
    if (selector.matchers.empty() || std::any_of(selector.matchers.begin(), selector.matchers.end(), selects))
      return {};
    return fail(semantic_error(kEmptySelectorText));
  }

  static Parsed wrap(auto node, const Parsed& child, std::optional<Error> own) {
    Parsed out{std::make_shared<const Expr>(Expr{std::move(node)}), child.depth + 1, child.size + 1, std::move(own)};
    if (!out.deferred) out.deferred = child.deferred;
    return out;
  }
  static Parsed leaf(auto node, std::optional<Error> own = std::nullopt) {
    return {std::make_shared<const Expr>(Expr{std::move(node)}), 1, 1, std::move(own)};
  }

  // ---- let

  Result<Parsed> parse_let() {
    LetExpression let;
    std::optional<Error> deferred;
    while (tokens_.at_word("let")) {
      tokens_.take();
      KVASIR_CHECK_OK(parse_binding(let, deferred));
    }
    KVASIR_TRY(Parsed body, parse_expression(0));
    let.body = body.expr;
    return wrap(std::move(let), body, std::move(deferred));
  }

  Result<void> parse_binding(LetExpression& let, std::optional<Error>& deferred) {
    if (!tokens_.at(kIdentifier)) return fail(tokens_.unexpected_with_hint("a name", kLetHint));
    const Token name = tokens_.take();
    if (variables_.contains(name.text)) return fail(tokens_.complain(name, "let binds '" + name.text + "' twice"));
    if (!tokens_.accept(kAssign)) return fail(tokens_.unexpected_with_hint("=", kLetHint));
    KVASIR_TRY(Parsed value, parse_expression(0));
    if (is_log_query(*value.expr)) {
      return fail(tokens_.complain(name, "let needs a metric query or stats: '" + name.text + "' is a log query"));
    }
    if (!tokens_.at_word(";") && tokens_.peek().text != ";") {
      return fail(tokens_.unexpected_with_hint("; at the end of let", kLetHint));
    }
    tokens_.take();
    if (!deferred) deferred = value.deferred;
    let.bindings.push_back({name.text, value.expr});
    variables_.emplace(name.text, std::move(value));
    return {};
  }

  // ---- operators

  Result<Parsed> parse_expression(int lowest) {
    KVASIR_TRY(Parsed left, parse_primary());
    return parse_operators(std::move(left), lowest);
  }

  Result<Parsed> parse_operators(Parsed left, int lowest) {
    const DepthGuard depth(tokens_);
    if (!depth.ok()) return fail(tokens_.too_deep());
    for (;;) {
      const auto op = binary_operator(tokens_.kind());
      if (!op || op->precedence < lowest) return left;
      tokens_.take();
      BinaryOperation node{.op = op->op};
      KVASIR_CHECK_OK(parse_modifiers(node));
      const bool right_associative = op->op == BinaryOp::kPower;
      KVASIR_TRY(Parsed right, parse_expression(right_associative ? op->precedence : op->precedence + 1));
      KVASIR_TRY(left, combine(std::move(node), left, right));
    }
  }

  Result<void> parse_modifiers(BinaryOperation& node) {
    node.return_bool = tokens_.accept(kBool);
    if (!tokens_.at(kOn) && !tokens_.at(kIgnoring)) return {};
    VectorMatching matching;
    matching.on = tokens_.take().kind == kOn;
    KVASIR_TRY(const Token open, tokens_.expect(kOpenParen));
    KVASIR_TRY(matching.labels, parse_name_list(tokens_));
    if (tokens_.at(kGroupLeft) || tokens_.at(kGroupRight)) {
      matching.group = tokens_.take().kind == kGroupLeft ? GroupSide::kLeft : GroupSide::kRight;
      if (tokens_.accept(kOpenParen)) {
        KVASIR_TRY(matching.include, parse_name_list(tokens_));
      }
    }
    node.matching = std::move(matching);
    return {};
  }

  Result<Parsed> combine(BinaryOperation node, const Parsed& left, const Parsed& right) {
    node.left = left.expr;
    node.right = right.expr;
    auto error = check_binary(node);
    const auto* a = std::get_if<Literal>(&left.expr->node);
    const auto* b = std::get_if<Literal>(&right.expr->node);
    if (!error) error = left.deferred ? left.deferred : right.deferred;
    if (!error && a != nullptr && b != nullptr) return leaf(Literal{apply(node.op, a->value, b->value)});
    const int depth = std::max(left.depth, right.depth) + 1;
    const std::size_t size = left.size + right.size + 1;
    if (depth > kExpressionDepthMax) return fail(tokens_.too_deep());
    if (size > kExpressionSizeMax) {
      return fail(
          tokens_.complain(tokens_.peek(), "expression is too large, limit " + std::to_string(kExpressionSizeMax)));
    }
    return Parsed{std::make_shared<const Expr>(Expr{std::move(node)}), depth, size, std::move(error)};
  }

  // ---- operands

  Result<Parsed> parse_primary() {
    const DepthGuard depth(tokens_);
    if (!depth.ok()) return fail(tokens_.too_deep());
    const TokenKind kind = tokens_.kind();
    if (const auto op = range_op(kind)) return parse_range_aggregation(*op);
    if (const auto op = vector_op(kind)) return parse_vector_aggregation(*op);
    switch (kind) {
      case kOpenBrace: return parse_log();
      case kOpenParen: return parse_parenthesised();
      case kNumber:
      case kAdd:
      case kSubtract: return parse_literal();
      case kLabelReplace: return parse_label_replace();
      case kVector: return parse_vector_function();
      case kVariants: return parse_variants();
      case kIdentifier: return parse_variable();
      default: return fail(tokens_.unexpected());
    }
  }

  Result<Parsed> parse_variable() {
    const auto it = variables_.find(tokens_.peek().text);
    if (it == variables_.end()) return fail(tokens_.unexpected());
    tokens_.take();
    const Parsed& value = it->second;
    return Parsed{
        std::make_shared<const Expr>(Expr{LetVariable{it->first, value.expr}}), value.depth + 1, value.size, {}};
  }

  Result<Parsed> parse_parenthesised() {
    tokens_.take();
    KVASIR_TRY(Parsed inner, parse_expression(0));
    if (!tokens_.accept(kCloseParen)) return fail(tokens_.unexpected());
    if (const auto* query = std::get_if<LogQuery>(&inner.expr->node)) {
      LogQuery copy = *query;
      copy.parenthesised = true;
      inner.expr = std::make_shared<const Expr>(Expr{std::move(copy)});
    }
    return inner;
  }

  Result<Parsed> parse_literal() {
    const bool negative = tokens_.at(kSubtract);
    if (negative || tokens_.at(kAdd)) tokens_.take();
    KVASIR_TRY(const Token number, tokens_.expect(kNumber));
    return literal(number, negative);
  }

  static Parsed literal(const Token& number, bool negative) {
    const auto value = number_value(number.text);
    if (!value)
      return leaf(Literal{}, semantic_error("unable to parse literal as a float: " + value.error().message()));
    return leaf(Literal{negative ? -*value : *value});
  }

  /// A metric query as an argument: a log query is not one, and the next token takes the blame.
  Result<Parsed> parse_metric(std::optional<Parsed> first = std::nullopt) {
    Result<Parsed> parsed = first ? parse_operators(std::move(*first), 0) : parse_expression(0);
    if (parsed && is_log_query(*parsed->expr)) return fail(tokens_.unexpected());
    return parsed;
  }

  // ---- aggregations

  Result<std::optional<Grouping>> parse_grouping() {
    if (!tokens_.at(kBy) && !tokens_.at(kWithout)) return std::optional<Grouping>();
    Grouping grouping;
    grouping.without = tokens_.take().kind == kWithout;
    KVASIR_TRY(const Token open, tokens_.expect(kOpenParen));
    KVASIR_TRY(grouping.labels, parse_name_list(tokens_));
    return std::optional(std::move(grouping));
  }

  Result<Parsed> parse_range_aggregation(RangeOp op) {
    tokens_.take();
    RangeAggregation node{.op = op};
    std::string parameter;
    KVASIR_TRY(const Token open, tokens_.expect(kOpenParen));
    if (tokens_.at(kNumber)) {
      parameter = tokens_.take().text;
      KVASIR_TRY(const Token comma, tokens_.expect(kComma));
      if (!tokens_.at(kOpenBrace) && !tokens_.at(kOpenParen)) return fail(tokens_.unexpected({kOpenBrace, kOpenParen}));
      const auto value = number_value(parameter);
      if (!value)
        return fail(semantic_error("invalid parameter for operation " + std::string(range_op_name(op)) + ": " +
                                   value.error().message()));
      node.parameter = *value;
    } else if (!tokens_.at(kOpenBrace) && !tokens_.at(kOpenParen)) {
      return fail(tokens_.unexpected({kNumber, kOpenBrace, kOpenParen}));
    }
    KVASIR_TRY(node.range, parse_log_range());
    KVASIR_TRY(const Token close, tokens_.expect(kCloseParen));
    KVASIR_TRY(node.grouping, parse_grouping());
    auto error = check_range_aggregation(node, parameter);
    return leaf(std::move(node), std::move(error));
  }

  Result<Parsed> parse_vector_aggregation(VectorOp op) {
    tokens_.take();
    VectorAggregation node{.op = op};
    KVASIR_TRY(node.grouping, parse_grouping());
    KVASIR_TRY(const Token open, tokens_.expect(kOpenParen));
    std::optional<std::string> parameter;
    std::optional<Parsed> first;
    if (tokens_.at(kNumber)) {
      const Token number = tokens_.take();
      if (tokens_.accept(kComma)) {
        parameter = number.text;
      } else {
        first = literal(number, false);
      }
    }
    KVASIR_TRY(Parsed operand, parse_metric(std::move(first)));
    if (!tokens_.accept(kCloseParen)) return fail(tokens_.unexpected());
    if (!node.grouping) {
      KVASIR_TRY(node.grouping, parse_grouping());
    }
    node.operand = operand.expr;
    auto error = check_vector_aggregation(node, parameter);
    return wrap(std::move(node), operand, std::move(error));
  }

  // ---- functions

  Result<Parsed> parse_label_replace() {
    tokens_.take();
    KVASIR_TRY(const Token open, tokens_.expect(kOpenParen));
    KVASIR_TRY(Parsed operand, parse_metric());
    if (!tokens_.at(kComma)) return fail(tokens_.unexpected());
    std::string arguments[4];
    for (auto& argument : arguments) {
      KVASIR_TRY(const Token comma, tokens_.expect(kComma));
      KVASIR_TRY(Token text, tokens_.expect(kString));
      argument = std::move(text.text);
    }
    KVASIR_TRY(const Token close, tokens_.expect(kCloseParen));
    std::optional<Error> error;
    const auto regex = compile_regex("^(?:" + arguments[3] + ")$", {});
    if (!regex) error = semantic_error("invalid regex in label_replace: " + regex.error().message());
    return wrap(LabelReplace{operand.expr, arguments[0], arguments[1], arguments[2], arguments[3]}, operand,
                std::move(error));
  }

  Result<Parsed> parse_vector_function() {
    tokens_.take();
    KVASIR_TRY(const Token open, tokens_.expect(kOpenParen));
    KVASIR_TRY(const Token number, tokens_.expect(kNumber));
    KVASIR_TRY(const Token close, tokens_.expect(kCloseParen));
    const auto value = number_value(number.text);
    if (!value)
      return leaf(VectorFunction{},
                  semantic_error("unable to parse vectorExpr as a float: " + value.error().message()));
    return leaf(VectorFunction{*value});
  }

  Result<Parsed> parse_variants() {
    tokens_.take();
    Variants node;
    Parsed last;
    KVASIR_TRY(const Token open, tokens_.expect(kOpenParen));
    do {
      KVASIR_TRY(last, parse_metric());
      node.metrics.push_back(last.expr);
    } while (tokens_.accept(kComma));
    if (!tokens_.accept(kCloseParen)) return fail(tokens_.unexpected());
    KVASIR_TRY(const Token of, tokens_.expect(kOf));
    KVASIR_TRY(const Token open_range, tokens_.expect(kOpenParen));
    if (!tokens_.at(kOpenBrace) && !tokens_.at(kOpenParen)) return fail(tokens_.unexpected({kOpenBrace, kOpenParen}));
    KVASIR_TRY(node.range, parse_log_range());
    KVASIR_TRY(const Token close, tokens_.expect(kCloseParen));
    return wrap(std::move(node), last, std::nullopt);
  }

  // ---- log queries

  Result<Parsed> parse_log() {
    LogQuery query;
    KVASIR_TRY(query.selector, parse_selector(tokens_));
    while (tokens_.at(kPipe) || at_line_filter(tokens_)) {
      const Token start = tokens_.peek();
      const bool limited =
          !query.pipes.empty() && std::holds_alternative<Limit>(query.pipes.back()) && !query.has_stats();
      KVASIR_CHECK_OK(parse_step(query));
      if (limited) return fail(tokens_.complain(start, "limit must be the last step of a log query"));
    }
    return leaf(std::move(query));
  }

  Result<void> parse_step(LogQuery& query) {
    const Token start = tokens_.peek();
    if (at_line_filter(tokens_)) {
      if (!query.pipes.empty()) return fail(stage_after_pipe(start));
      KVASIR_TRY(auto filter, parse_line_filter(tokens_));
      query.stages.emplace_back(std::move(filter));
      return {};
    }
    tokens_.take();  // |
    KVASIR_TRY(auto item, parse_piped_item(tokens_));
    if (auto* pipe = std::get_if<Pipe>(&item)) {
      query.pipes.push_back(std::move(*pipe));
      return {};
    }
    auto& stage = std::get<Stage>(item);
    if (query.pipes.empty()) {
      query.stages.push_back(std::move(stage));
    } else if (auto* filter = std::get_if<LabelFilter>(&stage)) {
      query.pipes.emplace_back(std::move(*filter));
    } else {
      return fail(stage_after_pipe(start));
    }
    return {};
  }

  Error stage_after_pipe(const Token& start) {
    return tokens_.complain(start,
                            "only order by, sort by, stats, limit and label filters can follow order by, stats or "
                            "limit; move this stage in front of them");
  }

  // ---- ranges

  /// Stages and unwrap; false if there was none.
  Result<void> parse_range_pipeline(LogRange& range) {
    while (!range.unwrap && (tokens_.at(kPipe) || at_line_filter(tokens_))) {
      if (at_line_filter(tokens_)) {
        KVASIR_TRY(auto filter, parse_line_filter(tokens_));
        range.stages.emplace_back(std::move(filter));
        continue;
      }
      const Token start = tokens_.take();
      if (tokens_.accept(kUnwrap)) {
        KVASIR_TRY(range.unwrap, parse_unwrap(tokens_));
        continue;
      }
      KVASIR_TRY(auto item, parse_piped_item(tokens_));
      if (std::holds_alternative<Pipe>(item)) {
        return fail(
            tokens_.complain(start, "order by, sort by, stats and limit cannot stand inside a range aggregation"));
      }
      range.stages.push_back(std::move(std::get<Stage>(item)));
    }
    return {};
  }

  Result<void> parse_range_and_offset(LogRange& range) {
    KVASIR_TRY(const Token token, tokens_.expect(kRange));
    range.range = token.duration;
    if (!tokens_.accept(kOffset)) return {};
    KVASIR_TRY(const Token offset, tokens_.expect(kDuration));
    range.offset = offset.duration;
    return {};
  }

  Result<LogRange> parse_log_range() {
    const DepthGuard depth(tokens_);
    if (!depth.ok()) return fail(tokens_.too_deep());
    LogRange range;
    if (!tokens_.accept(kOpenParen)) {
      KVASIR_TRY(const bool ranged, parse_range_body(range, false));
      (void)ranged;
      return range;
    }
    if (tokens_.at(kOpenParen)) {
      KVASIR_TRY(range, parse_log_range());
      KVASIR_TRY(const Token close, tokens_.expect(kCloseParen));
      return range;
    }
    if (!tokens_.at(kOpenBrace)) return fail(tokens_.unexpected({kOpenBrace, kOpenParen}));
    KVASIR_TRY(const bool ranged, parse_range_body(range, true));
    KVASIR_TRY(const Token close, tokens_.expect(kCloseParen));
    if (ranged) return range;
    const bool bare = range.stages.empty() && !range.unwrap;
    KVASIR_CHECK_OK(parse_range_and_offset(range));
    if (bare && tokens_.accept(kPipe)) {
      KVASIR_TRY(const Token unwrap, tokens_.expect(kUnwrap));
      KVASIR_TRY(range.unwrap, parse_unwrap(tokens_));
    }
    return range;
  }

  /// A selector, its pipeline and the range on either side of it. True if the range was there; inside parentheses it
  /// may follow them instead.
  Result<bool> parse_range_body(LogRange& range, bool in_parens) {
    KVASIR_TRY(range.selector, parse_selector(tokens_));
    if (tokens_.at(kRange)) {
      KVASIR_CHECK_OK(parse_range_and_offset(range));
      KVASIR_CHECK_OK(parse_range_pipeline(range));
      return true;
    }
    KVASIR_CHECK_OK(parse_range_pipeline(range));
    if (tokens_.at(kRange)) {
      KVASIR_CHECK_OK(parse_range_and_offset(range));
      return true;
    }
    if (in_parens && tokens_.at(kCloseParen)) return false;
    if (!range.unwrap) return fail(tokens_.unexpected());
    if (in_parens) return fail(tokens_.unexpected({kRange, kCloseParen, kPipe}));
    return fail(tokens_.unexpected({kRange, kPipe}));
  }

  TokenStream tokens_;
  std::unordered_map<std::string, Parsed> variables_;
};

Result<void> check_size(std::string_view text) {
  if (text.size() < kQueryBytesMax) return {};
  return fail(parse_error({}, "input size too long (" + std::to_string(text.size()) + " > " +
                                  std::to_string(kQueryBytesMax) + ")"));
}

}  // namespace

Result<ExprPtr> parse_query(std::string_view text) {
  KVASIR_CHECK_OK(check_size(text));
  return Parser(text).parse();
}

Result<LogQuery> parse_log_query(std::string_view text) {
  KVASIR_TRY(const ExprPtr expr, parse_query(text));
  if (is_log_query(*expr)) return std::get<LogQuery>(expr->node);
  return fail(ErrorCode::kParse, "only log selector is supported");
}

Result<Selector> parse_selector(std::string_view text) {
  KVASIR_TRY(const ExprPtr expr, parse_query(text));
  const auto* query = std::get_if<LogQuery>(&expr->node);
  if (query != nullptr && query->stages.empty() && query->pipes.empty()) return query->selector;
  return fail(ErrorCode::kParse, "only label matchers are supported");
}

}  // namespace kvasir::logql
