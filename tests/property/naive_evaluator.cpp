#include "tests/property/naive_evaluator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "common/regex.h"

namespace kvasir::logql {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

bool among(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Labels only(const Labels& labels, const std::vector<std::string>& names) {
  Labels out;
  for (const Label& label : labels) {
    if (among(names, label.name)) out.set(label.name, label.value);
  }
  return out;
}

Labels without(Labels labels, const std::vector<std::string>& names) {
  for (const std::string& name : names) labels.erase(name);
  return labels;
}

Labels group_of(const Labels& labels, const std::optional<Grouping>& grouping) {
  if (!grouping) return {};
  return grouping->without ? without(labels, grouping->labels) : only(labels, grouping->labels);
}

double mean(const std::vector<double>& v) {
  double sum = 0;
  for (const double x : v) sum += x;
  return sum / static_cast<double>(v.size());
}

double variance(const std::vector<double>& v) {
  const double middle = mean(v);
  double sum = 0;
  for (const double x : v) sum += (x - middle) * (x - middle);
  return sum / static_cast<double>(v.size());
}

/// Not a number only if all of them are.
double extreme(const std::vector<double>& v, bool max) {
  double out = kNaN;
  for (const double x : v) {
    if (std::isnan(out) || (max ? x > out : x < out)) out = x;
  }
  return out;
}

double quantile(std::vector<double> v, double q) {
  if (q < 0) return -kInfinity;
  if (q > 1) return kInfinity;
  std::sort(v.begin(), v.end());
  const double rank = q * static_cast<double>(v.size() - 1);
  const auto low = static_cast<std::size_t>(std::floor(rank));
  const std::size_t high = std::min(low + 1, v.size() - 1);
  return v[low] * (1 - (rank - std::floor(rank))) + v[high] * (rank - std::floor(rank));
}

double rate_counter(const std::vector<double>& v, double seconds_between, double range_seconds) {
  if (v.size() < 2) return 0;
  if (seconds_between == 0) return kNaN;
  double delta = v.back() - v.front();
  for (std::size_t i = 1; i < v.size(); ++i) delta += v[i] < v[i - 1] ? v[i - 1] : 0;
  double extra = range_seconds * 1e-6;
  if (delta > 0 && v.front() >= 0) extra = std::min(extra, seconds_between * v.front() / delta);
  return delta / range_seconds * (1 + extra / seconds_between);
}

double arithmetic(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd: return a + b;
    case BinaryOp::kSubtract: return a - b;
    case BinaryOp::kMultiply: return a * b;
    case BinaryOp::kDivide: return b == 0 ? kNaN : a / b;
    case BinaryOp::kModulo: return b == 0 ? kNaN : std::fmod(a, b);
    default: return std::pow(a, b);
  }
}

bool holds(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kEqual: return a == b;
    case BinaryOp::kNotEqual: return a != b;
    case BinaryOp::kGreater: return a > b;
    case BinaryOp::kGreaterOrEqual: return a >= b;
    case BinaryOp::kLess: return a < b;
    default: return a <= b;
  }
}

/// One pair of values: the result, or nothing if a filtering comparison fails.
std::optional<double> combine(const BinaryOperation& operation, double a, double b, double kept) {
  if (!is_comparison(operation.op)) return arithmetic(operation.op, a, b);
  const bool holding = holds(operation.op, a, b);
  if (operation.return_bool) return holding ? 1 : 0;
  return holding ? std::optional<double>(kept) : std::nullopt;
}

Labels key_of(const Labels& labels, const std::optional<VectorMatching>& matching) {
  if (!matching) return labels;
  return matching->on ? only(labels, matching->labels) : without(labels, matching->labels);
}

bool has_key(const NaiveVector& vector, const Labels& key, const std::optional<VectorMatching>& matching) {
  return std::any_of(vector.begin(), vector.end(), [&](const auto& s) { return key_of(s.labels, matching) == key; });
}

NaiveVector combine_sets(const BinaryOperation& operation, const NaiveVector& left, const NaiveVector& right) {
  NaiveVector out;
  for (const auto& sample : left) {
    const bool matched = has_key(right, key_of(sample.labels, operation.matching), operation.matching);
    if (operation.op == BinaryOp::kOr || matched == (operation.op == BinaryOp::kAnd)) out.push_back(sample);
  }
  if (operation.op != BinaryOp::kOr) return out;
  for (const auto& sample : right) {
    if (!has_key(left, key_of(sample.labels, operation.matching), operation.matching)) out.push_back(sample);
  }
  return out;
}

Unexpected matching_fails(const char* text) { return fail(ErrorCode::kInternal, text); }

Labels matched_labels(const BinaryOperation& operation, const Labels& many, const Labels& one) {
  if (!operation.matching) return many;
  if (operation.matching->group == GroupSide::kNone) return key_of(many, operation.matching);
  Labels labels = many;
  for (const auto& name : operation.matching->include) {
    const auto value = one.value_or_empty(name);
    value.empty() ? labels.erase(name) : labels.set(name, value);
  }
  return labels;
}

Result<NaiveVector> combine_vectors(const BinaryOperation& operation, const NaiveVector& left,
                                    const NaiveVector& right) {
  const auto& matching = operation.matching;
  const GroupSide group = matching ? matching->group : GroupSide::kNone;
  const bool one_is_left = group == GroupSide::kRight;
  const NaiveVector& one = one_is_left ? left : right;
  const NaiveVector& many = one_is_left ? right : left;
  std::map<Labels, const NaiveSample*> partners;
  for (const auto& sample : one) {
    if (!partners.emplace(key_of(sample.labels, matching), &sample).second)
      return matching_fails("found duplicate series");
  }
  NaiveVector out;
  std::set<Labels> used;
  for (const auto& sample : many) {
    const Labels key = key_of(sample.labels, matching);
    const auto partner = partners.find(key);
    if (partner == partners.end()) continue;
    const double a = one_is_left ? partner->second->value : sample.value;
    const double b = one_is_left ? sample.value : partner->second->value;
    const auto value = combine(operation, a, b, a);
    if (!value) continue;
    const Labels labels = matched_labels(operation, sample.labels, partner->second->labels);
    if (!used.insert(group == GroupSide::kNone ? key : labels).second)
      return matching_fails("multiple matches for labels");
    out.push_back({labels, *value});
  }
  return out;
}

/// NaN comes last in both directions; equal values by labels.
bool ranks_before(const NaiveSample& a, const NaiveSample& b, bool descending) {
  if (std::isnan(a.value) != std::isnan(b.value)) return std::isnan(b.value);
  if (!std::isnan(a.value) && a.value != b.value) return descending ? a.value > b.value : a.value < b.value;
  return a.labels < b.labels;
}

double aggregate_values(VectorOp op, const std::vector<double>& v) {
  switch (op) {
    case VectorOp::kSum: return mean(v) * static_cast<double>(v.size());
    case VectorOp::kAvg: return mean(v);
    case VectorOp::kCount: return static_cast<double>(v.size());
    case VectorOp::kMax: return extreme(v, true);
    case VectorOp::kMin: return extreme(v, false);
    case VectorOp::kStdvar: return variance(v);
    default: return std::sqrt(variance(v));
  }
}

double aggregate_range(const RangeAggregation& node, const std::vector<double>& v, double span) {
  const double seconds = std::chrono::duration<double>(node.range.range).count();
  double sum = 0;
  for (const double x : v) sum += x;
  switch (node.op) {
    case RangeOp::kRate:
    case RangeOp::kBytesRate: return sum / seconds;
    case RangeOp::kBytesOverTime:
    case RangeOp::kSumOverTime: return sum;
    case RangeOp::kAvgOverTime: return mean(v);
    case RangeOp::kMinOverTime: return extreme(v, false);
    case RangeOp::kMaxOverTime: return extreme(v, true);
    case RangeOp::kStdvarOverTime: return variance(v);
    case RangeOp::kStddevOverTime: return std::sqrt(variance(v));
    case RangeOp::kQuantileOverTime: return quantile(v, *node.parameter);
    case RangeOp::kFirstOverTime: return v.front();
    case RangeOp::kLastOverTime: return v.back();
    case RangeOp::kRateCounter: return rate_counter(v, span, seconds);
    default: return static_cast<double>(v.size());
  }
}

/// What the selector pins to one value and says nothing else about.
Labels absent_labels(const Selector& selector) {
  Labels labels;
  for (const LabelMatcher& matcher : selector.matchers) {
    if (matcher.op() == MatchOp::kEqual) labels.set(matcher.name(), matcher.value());
  }
  for (const LabelMatcher& a : selector.matchers) {
    for (const LabelMatcher& b : selector.matchers) {
      if (&a != &b && a.name() == b.name()) labels.erase(a.name());
    }
  }
  return labels;
}

// ---- let

using Ranges = std::map<std::string, const RangeAggregation*>;

bool is_arithmetic(const BinaryOperation& node) { return !node.matching && !is_set_operator(node.op); }

/// Names bound to bare range aggregations that meet in one piece of arithmetic.
void collect(const Expr& expr, Ranges& out) {
  if (const auto* node = std::get_if<BinaryOperation>(&expr.node); node != nullptr && is_arithmetic(*node)) {
    collect(*node->left, out);
    collect(*node->right, out);
  }
  const auto* variable = std::get_if<LetVariable>(&expr.node);
  const auto* range = variable == nullptr ? nullptr : std::get_if<RangeAggregation>(&variable->value->node);
  if (range != nullptr && !range->grouping && range->op != RangeOp::kAbsentOverTime) out[variable->name] = range;
}

bool pins(const RangeAggregation& range, const LabelMatcher& wanted) {
  const auto& matchers = range.range.selector.matchers;
  return std::find(matchers.begin(), matchers.end(), wanted) != matchers.end();
}

/// Labels that all of them pin to the same value.
std::vector<std::string> pinned_by_all(const Ranges& ranges) {
  std::vector<std::string> out;
  for (const auto& matcher : ranges.begin()->second->range.selector.matchers) {
    const bool by_all =
        std::all_of(ranges.begin(), ranges.end(), [&](const auto& r) { return pins(*r.second, matcher); });
    if (matcher.op() == MatchOp::kEqual && by_all) out.push_back(matcher.name());
  }
  return out;
}

bool can_be_summed(RangeOp op) {
  return op == RangeOp::kCountOverTime || op == RangeOp::kRate || op == RangeOp::kBytesOverTime ||
         op == RangeOp::kBytesRate || op == RangeOp::kSumOverTime || op == RangeOp::kRateCounter;
}

/// `variants(sum by (x) (count_over_time(...))) of (range)`: the metric over that range.
Expr over_range(const Expr& metric, const LogRange& range) {
  if (const auto* node = std::get_if<VectorAggregation>(&metric.node)) {
    VectorAggregation copy = *node;
    copy.operand = std::make_shared<const Expr>(over_range(*node->operand, range));
    return {copy};
  }
  RangeAggregation copy = std::get<RangeAggregation>(metric.node);
  const auto unwrap = copy.range.unwrap;
  copy.range = range;
  if (!copy.range.unwrap) copy.range.unwrap = unwrap;
  return {copy};
}

}  // namespace

Result<NaiveVector> NaiveEvaluator::range(const RangeAggregation& aggregation, TimestampNs at) const {
  KVASIR_TRY(const Samples all, samples(aggregation, at));
  NaiveVector out;
  if (aggregation.op == RangeOp::kAbsentOverTime) {
    if (all.empty()) out.push_back({absent_labels(aggregation.range.selector), 1});
    return out;
  }
  for (const auto& [labels, series] : all) {
    std::vector<double> v;
    for (const Sample& sample : series) v.push_back(sample.value);
    const double span = static_cast<double>(series.back().timestamp.value - series.front().timestamp.value) / 1e9;
    out.push_back({labels, aggregate_range(aggregation, v, span)});
  }
  return out;
}

Result<NaiveVector> NaiveEvaluator::aggregate(const VectorAggregation& aggregation, TimestampNs at) const {
  KVASIR_TRY(NaiveVector input, vector_of(*aggregation.operand, at, {}));
  const VectorOp op = aggregation.op;
  const bool descending = op == VectorOp::kTopk || op == VectorOp::kApproxTopk || op == VectorOp::kSortDesc;
  const auto before = [&](const auto& a, const auto& b) { return ranks_before(a, b, descending); };
  if (op == VectorOp::kSort || op == VectorOp::kSortDesc) {
    std::stable_sort(input.begin(), input.end(), before);
    return input;
  }
  std::map<Labels, NaiveVector> groups;
  for (const auto& sample : input) groups[group_of(sample.labels, aggregation.grouping)].push_back(sample);
  NaiveVector out;
  for (auto& [labels, members] : groups) {
    if (op == VectorOp::kTopk || op == VectorOp::kBottomk || op == VectorOp::kApproxTopk) {
      std::stable_sort(members.begin(), members.end(), before);
      members.resize(std::min(members.size(), static_cast<std::size_t>(aggregation.parameter)));
      out.insert(out.end(), members.begin(), members.end());
      continue;
    }
    std::vector<double> v;
    for (const auto& member : members) v.push_back(member.value);
    out.push_back({labels, aggregate_values(op, v)});
  }
  return out;
}

Result<NaiveValue> NaiveEvaluator::binary(const BinaryOperation& operation, TimestampNs at,
                                          const PinnedNames& pinned) const {
  PinnedNames names = is_arithmetic(operation) ? pinned : PinnedNames();
  if (names.empty() && is_arithmetic(operation)) {
    Ranges ranges;
    collect(*operation.left, ranges);
    collect(*operation.right, ranges);
    for (const auto& [name, range] : ranges) {
      if (ranges.size() > 1) names[name] = pinned_by_all(ranges);
    }
  }
  KVASIR_TRY(const NaiveValue left, evaluate(*operation.left, at, names));
  KVASIR_TRY(const NaiveValue right, evaluate(*operation.right, at, names));
  const auto* a = std::get_if<double>(&left);
  const auto* b = std::get_if<double>(&right);
  if (a != nullptr && b != nullptr) {
    return NaiveValue(is_comparison(operation.op) ? (holds(operation.op, *a, *b) ? 1.0 : 0.0)
                                                  : arithmetic(operation.op, *a, *b));
  }
  if (a == nullptr && b == nullptr) {
    const auto& x = std::get<NaiveVector>(left);
    const auto& y = std::get<NaiveVector>(right);
    if (is_set_operator(operation.op)) return NaiveValue(combine_sets(operation, x, y));
    KVASIR_TRY(auto out, combine_vectors(operation, x, y));
    return NaiveValue(std::move(out));
  }
  NaiveVector out;
  for (const auto& [labels, value] : std::get<NaiveVector>(a != nullptr ? right : left)) {
    if (const auto result = combine(operation, a != nullptr ? *a : value, b != nullptr ? *b : value, value))
      out.push_back({labels, *result});
  }
  return NaiveValue(std::move(out));
}

Result<NaiveVector> NaiveEvaluator::replace_label(const LabelReplace& node, TimestampNs at) const {
  KVASIR_TRY(NaiveVector out, vector_of(*node.operand, at, {}));
  KVASIR_TRY(const auto regex, compile_regex("^(?:" + node.regex + ")$", {}));
  for (auto& sample : out) {
    // `${1}` is all that the generator writes.
    re2::StringPiece groups[2];
    const std::string value(sample.labels.value_or_empty(node.source));
    const int count = std::min(2, regex->NumberOfCapturingGroups() + 1);
    if (!regex->Match(value, 0, value.size(), re2::RE2::ANCHOR_BOTH, groups, count)) continue;
    std::string text = node.replacement;
    const auto reference = text.find("${1}");
    if (reference != std::string::npos) text.replace(reference, 4, std::string(groups[1].data(), groups[1].size()));
    text.empty() ? sample.labels.erase(node.target) : sample.labels.set(node.target, text);
  }
  return out;
}

Result<NaiveVector> NaiveEvaluator::variants(const Variants& node, TimestampNs at) const {
  NaiveVector out;
  for (std::size_t i = 0; i < node.metrics.size(); ++i) {
    KVASIR_TRY(NaiveVector one, vector_of(over_range(*node.metrics[i], node.range), at, {}));
    for (auto& sample : one) {
      sample.labels.set("__variant__", std::to_string(i));
      out.push_back(std::move(sample));
    }
  }
  return out;
}

Result<NaiveValue> NaiveEvaluator::variable(const LetVariable& node, TimestampNs at, const PinnedNames& pinned) const {
  const auto it = pinned.find(node.name);
  if (it == pinned.end()) return evaluate(*node.value, at, {});
  const Grouping grouping{false, it->second};
  RangeAggregation range = std::get<RangeAggregation>(node.value->node);
  if (!can_be_summed(range.op)) range.grouping = grouping;
  if (!can_be_summed(range.op)) return evaluate(Expr{range}, at, {});
  return evaluate(Expr{VectorAggregation{.op = VectorOp::kSum, .operand = node.value, .grouping = grouping}}, at, {});
}

NaiveVector NaiveEvaluator::stats_vector(const NaiveTable& table) const {
  NaiveVector out;
  for (const auto& row : table.rows) {
    for (std::size_t i = table.by_count; i < row.size(); ++i) {
      if (!std::holds_alternative<double>(row[i])) continue;
      NaiveSample sample{{}, std::get<double>(row[i])};
      for (std::size_t k = 0; k < table.by_count; ++k) {
        if (!std::get<std::string>(row[k]).empty()) sample.labels.set(table.columns[k], std::get<std::string>(row[k]));
      }
      if (row.size() - table.by_count > 1) sample.labels.set("column", table.columns[i]);
      out.push_back(std::move(sample));
    }
  }
  return out;
}

Result<NaiveVector> NaiveEvaluator::vector_of(const Expr& expr, TimestampNs at, const PinnedNames& pinned) const {
  KVASIR_TRY(NaiveValue value, evaluate(expr, at, pinned));
  if (auto* vector = std::get_if<NaiveVector>(&value)) return std::move(*vector);
  return fail(ErrorCode::kInternal, "unexpected expr type");
}

Result<NaiveValue> NaiveEvaluator::evaluate(const Expr& expr, TimestampNs at, const PinnedNames& pinned) const {
  const auto wrap = [](Result<NaiveVector> vector) -> Result<NaiveValue> {
    if (!vector) return fail(std::move(vector).error());
    return NaiveValue(std::move(*vector));
  };
  if (const auto* node = std::get_if<RangeAggregation>(&expr.node)) return wrap(range(*node, at));
  if (const auto* node = std::get_if<VectorAggregation>(&expr.node)) return wrap(aggregate(*node, at));
  if (const auto* node = std::get_if<BinaryOperation>(&expr.node)) return binary(*node, at, pinned);
  if (const auto* node = std::get_if<Literal>(&expr.node)) return NaiveValue(node->value);
  if (const auto* node = std::get_if<VectorFunction>(&expr.node)) return NaiveValue(NaiveVector{{{}, node->value}});
  if (const auto* node = std::get_if<LabelReplace>(&expr.node)) return wrap(replace_label(*node, at));
  if (const auto* node = std::get_if<Variants>(&expr.node)) return wrap(variants(*node, at));
  if (const auto* node = std::get_if<LetVariable>(&expr.node)) return variable(*node, at, pinned);
  if (const auto* node = std::get_if<LetExpression>(&expr.node)) return evaluate(*node->body, at, {});
  // Half-open from the other side: (at - window, at].
  const TimeRange window{at - options_.stats_window + Duration(1), at + Duration(1)};
  KVASIR_TRY(const NaiveTable rows, table(std::get<LogQuery>(expr.node), window));
  return NaiveValue(stats_vector(rows));
}

}  // namespace kvasir::logql
