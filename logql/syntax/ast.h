// ast.h -- the tree of a query: selectors, pipelines, pipes, aggregations, operators.
//
// Shape:    Expr is a variant behind shared_ptr<const>; rewriting builds new parents and shares the rest.
// Units:    ranges and offsets are Duration; literals are doubles, already folded.
// Errors:   none here; parser.h makes only trees that passed every check of docs/logql-extensions.md and the language
//           itself.
// Threads:  immutable after parsing; share freely.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/matcher.h"
#include "common/time.h"
#include "logql/syntax/stages.h"

namespace kvasir::logql {

/// Where a token starts; line and column count from 1, columns in characters. 0, 0: nowhere.
struct SourcePosition {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

/// `{app="web"}`. No matcher at all selects every stream (ours).
struct Selector {
  std::vector<LabelMatcher> matchers;
};

// ---- pipes: steps over the whole result, ours. They follow the per-entry stages.

/// `| order by a desc, b` (also `sort by`). `timestamp` and `line` are the entry's own.
struct OrderKey {
  std::string field;
  bool descending = false;
};
struct OrderBy {
  std::vector<OrderKey> keys;
};

enum class StatsFunction { kCount, kSum, kAvg, kMin, kMax, kCountDistinct, kQuantile };

/// `quantile(0.99, took) as p99`; without `as` the column is named as it is written: `sum(bytes)`.
struct StatsColumn {
  StatsFunction function = StatsFunction::kCount;
  double quantile = 0;     // kQuantile only
  std::string field;       // empty: count() of rows
  std::string name;
};

/// `| stats count() as n, sum(bytes) by service, line`.
struct Stats {
  std::vector<StatsColumn> columns;
  std::vector<std::string> by;
};

/// `| limit 10`.
struct Limit {
  std::uint64_t count = 0;
};

/// A label filter after a `stats` reads its columns.
using Pipe = std::variant<OrderBy, Stats, Limit, LabelFilter>;

// ---- expressions

struct Expr;
using ExprPtr = std::shared_ptr<const Expr>;

struct LogQuery {
  Selector selector;
  std::vector<Stage> stages;
  std::vector<Pipe> pipes;
  bool parenthesised = false;

  bool has_stats() const;
};

/// What a range aggregation reads.
struct LogRange {
  Selector selector;
  std::vector<Stage> stages;
  std::optional<Unwrap> unwrap;
  Duration range{0};
  Duration offset{0};
};

enum class RangeOp {
  kCountOverTime,
  kRate,
  kRateCounter,
  kBytesOverTime,
  kBytesRate,
  kAvgOverTime,
  kSumOverTime,
  kMinOverTime,
  kMaxOverTime,
  kStdvarOverTime,
  kStddevOverTime,
  kQuantileOverTime,
  kFirstOverTime,
  kLastOverTime,
  kAbsentOverTime,
};

enum class VectorOp {
  kSum, kAvg, kCount, kMax, kMin, kStddev, kStdvar, kBottomk, kTopk, kSort, kSortDesc, kApproxTopk,
};

enum class BinaryOp {
  kOr,
  kAnd,
  kUnless,
  kEqual,
  kNotEqual,
  kGreater,
  kGreaterOrEqual,
  kLess,
  kLessOrEqual,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kPower,
};

struct Grouping {
  bool without = false;
  std::vector<std::string> labels;
};

struct RangeAggregation {
  RangeOp op = RangeOp::kCountOverTime;
  std::optional<double> parameter;
  LogRange range;
  std::optional<Grouping> grouping;
};

struct VectorAggregation {
  VectorOp op = VectorOp::kSum;
  std::int64_t parameter = 0;  // k of topk and its like
  ExprPtr operand;
  std::optional<Grouping> grouping;
};

enum class GroupSide { kNone, kLeft, kRight };  // group_left, group_right

struct VectorMatching {
  bool on = false;  // false: ignoring
  std::vector<std::string> labels;
  GroupSide group = GroupSide::kNone;
  std::vector<std::string> include;
};

struct BinaryOperation {
  BinaryOp op = BinaryOp::kAdd;
  bool return_bool = false;
  std::optional<VectorMatching> matching;
  ExprPtr left;
  ExprPtr right;
};

struct Literal {
  double value = 0;
};

struct LabelReplace {
  ExprPtr operand;
  std::string target;
  std::string replacement;
  std::string source;
  std::string regex;
};

struct VectorFunction {
  double value = 0;
};

/// `variants(m1, m2) of (range)`.
struct Variants {
  std::vector<ExprPtr> metrics;
  LogRange range;
};

/// A name bound by `let`, where it is used (ours).
struct LetVariable {
  std::string name;
  ExprPtr value;
};

struct LetBinding {
  std::string name;
  ExprPtr value;
};

/// `let a = x; let b = y; body` (ours); only as the root.
struct LetExpression {
  std::vector<LetBinding> bindings;
  ExprPtr body;
};

struct Expr {
  std::variant<LogQuery, RangeAggregation, VectorAggregation, BinaryOperation, Literal, LabelReplace, VectorFunction,
               Variants, LetVariable, LetExpression>
      node;
};

/// True for a LogQuery without `stats` (what gives streams).
bool is_log_query(const Expr& expr);

/// Every selector of the tree, left to right.
std::vector<const Selector*> collect_selectors(const Expr& expr);

/// `rate`, `topk`, `unless`.
std::string_view range_op_name(RangeOp op);
std::string_view vector_op_name(VectorOp op);
std::string_view binary_op_text(BinaryOp op);
std::string_view compare_op_text(CompareOp op);
std::string_view line_filter_op_text(LineFilterOp op);
std::string_view stats_function_name(StatsFunction function);

bool is_set_operator(BinaryOp op);
bool is_comparison(BinaryOp op);

}  // namespace kvasir::logql
