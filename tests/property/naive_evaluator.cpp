#include "tests/property/naive_evaluator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "logql/pipeline/pipeline.h"

namespace kvasir::logql {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

bool selects(const Selector& selector, const Labels& stream) {
  return std::all_of(selector.matchers.begin(), selector.matchers.end(), [&](const LabelMatcher& m) { return m.matches(stream); });
}

Labels only(const Labels& labels, const std::vector<std::string>& names) {
  Labels out;
  for (const Label& label : labels) {
    if (std::find(names.begin(), names.end(), label.name) != names.end()) out.set(label.name, label.value);
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

// One pair of values: the result, or nothing if a filtering comparison fails.
std::optional<double> combine(const BinaryOperation& operation, double a, double b, double kept) {
  if (!is_comparison(operation.op)) return arithmetic(operation.op, a, b);
  const bool holding = holds(operation.op, a, b);
  if (operation.return_bool) return holding ? 1 : 0;
  return holding ? std::optional<double>(kept) : std::nullopt;
}

Unexpected query_fails(const PipelineRunner& runner) {
  return fail(ErrorCode::kInvalidArgument, "pipeline error: " + std::string(runner.error()));
}

}  // namespace

NaiveEvaluator::NaiveEvaluator(std::vector<NaiveRow> rows) {
  std::set<std::tuple<Labels, std::int64_t, std::string>> seen;
  for (NaiveRow& row : rows) {
    if (seen.emplace(row.stream, row.timestamp.value, row.line).second) rows_.push_back(std::move(row));
  }
  std::stable_sort(rows_.begin(), rows_.end(), [](const NaiveRow& a, const NaiveRow& b) {
    return std::tie(a.timestamp, a.sequence) < std::tie(b.timestamp, b.sequence);
  });
}

Result<std::vector<NaiveEntry>> NaiveEvaluator::entries(const LogQuery& query, TimeRange range, Direction direction,
                                                        std::size_t limit) const {
  KVASIR_TRY(const auto pipeline, Pipeline::compile(query.stages, nullptr, {}));
  PipelineRunner runner(pipeline);
  std::vector<NaiveEntry> out;
  for (const NaiveRow& row : rows_) {
    if (!range.contains(row.timestamp) || !selects(query.selector, row.stream)) continue;
    std::vector<LabelView> metadata;
    for (const Label& label : row.metadata) metadata.push_back({label.name, label.value});
    runner.bind(row.stream);
    if (!runner.process(row.timestamp, row.line, metadata)) continue;
    out.push_back({runner.final_labels(), row.timestamp, std::string(runner.line())});
  }
  if (direction == Direction::kBackward) std::reverse(out.begin(), out.end());
  if (out.size() > limit) out.resize(limit);
  return out;
}

Result<NaiveEvaluator::Samples> NaiveEvaluator::samples(const RangeAggregation& aggregation, TimestampNs at) const {
  const LogRange& range = aggregation.range;
  const Unwrap* unwrap = range.unwrap ? &*range.unwrap : nullptr;
  KVASIR_TRY(const auto pipeline, Pipeline::compile(range.stages, unwrap, {}));
  PipelineRunner runner(pipeline);
  const bool counts_bytes = aggregation.op == RangeOp::kBytesOverTime || aggregation.op == RangeOp::kBytesRate;
  const TimestampNs last = at - range.offset;
  Samples out;
  for (const NaiveRow& row : rows_) {
    if (row.timestamp <= last - range.range || row.timestamp > last || !selects(range.selector, row.stream)) continue;
    std::vector<LabelView> metadata;
    for (const Label& label : row.metadata) metadata.push_back({label.name, label.value});
    runner.bind(row.stream);
    if (!runner.process(row.timestamp, row.line, metadata)) continue;
    if (!runner.error().empty()) return query_fails(runner);
    Labels labels = runner.final_labels();
    const bool keeps_unwrapped = aggregation.grouping && !aggregation.grouping->without;
    if (unwrap != nullptr && !keeps_unwrapped) labels.erase(unwrap->label);
    if (aggregation.grouping) labels = group_of(labels, aggregation.grouping);
    const double value = unwrap != nullptr ? runner.value() : counts_bytes ? static_cast<double>(runner.line().size()) : 1;
    out[labels].push_back({row.timestamp, row.sequence, value});
  }
  return out;
}

Result<NaiveVector> NaiveEvaluator::range(const RangeAggregation& aggregation, TimestampNs at) const {
  KVASIR_TRY(const Samples all, samples(aggregation, at));
  const double seconds = std::chrono::duration<double>(aggregation.range.range).count();
  NaiveVector out;
  for (const auto& [labels, series] : all) {
    std::vector<double> v;
    for (const Sample& sample : series) v.push_back(sample.value);
    double sum = 0;
    for (const double x : v) sum += x;
    const double span = static_cast<double>(series.back().timestamp.value - series.front().timestamp.value) / 1e9;
    switch (aggregation.op) {
      case RangeOp::kCountOverTime: out[labels] = static_cast<double>(v.size()); break;
      case RangeOp::kRate:
      case RangeOp::kBytesRate: out[labels] = sum / seconds; break;
      case RangeOp::kBytesOverTime:
      case RangeOp::kSumOverTime: out[labels] = sum; break;
      case RangeOp::kAvgOverTime: out[labels] = mean(v); break;
      case RangeOp::kMinOverTime: out[labels] = *std::min_element(v.begin(), v.end()); break;
      case RangeOp::kMaxOverTime: out[labels] = *std::max_element(v.begin(), v.end()); break;
      case RangeOp::kStdvarOverTime: out[labels] = variance(v); break;
      case RangeOp::kStddevOverTime: out[labels] = std::sqrt(variance(v)); break;
      case RangeOp::kQuantileOverTime: out[labels] = quantile(v, *aggregation.parameter); break;
      case RangeOp::kFirstOverTime: out[labels] = v.front(); break;
      case RangeOp::kLastOverTime: out[labels] = v.back(); break;
      case RangeOp::kRateCounter: out[labels] = rate_counter(v, span, seconds); break;
      case RangeOp::kAbsentOverTime: break;
    }
  }
  if (aggregation.op == RangeOp::kAbsentOverTime && all.empty()) {
    Labels labels;
    for (const LabelMatcher& matcher : aggregation.range.selector.matchers) {
      if (matcher.op() == MatchOp::kEqual) labels.set(matcher.name(), matcher.value());
    }
    out[labels] = 1;
  }
  return out;
}

Result<NaiveVector> NaiveEvaluator::vector(const VectorAggregation& aggregation, TimestampNs at) const {
  KVASIR_TRY(const NaiveVector input, evaluate(*aggregation.operand, at));
  std::map<Labels, std::vector<std::pair<double, Labels>>> groups;
  for (const auto& [labels, value] : input) groups[group_of(labels, aggregation.grouping)].emplace_back(value, labels);
  NaiveVector out;
  for (auto& [labels, members] : groups) {
    std::vector<double> v;
    for (const auto& member : members) v.push_back(member.first);
    double sum = 0;
    for (const double x : v) sum += x;
    switch (aggregation.op) {
      case VectorOp::kSum: out[labels] = sum; break;
      case VectorOp::kAvg: out[labels] = mean(v); break;
      case VectorOp::kCount: out[labels] = static_cast<double>(v.size()); break;
      case VectorOp::kMax: out[labels] = *std::max_element(v.begin(), v.end()); break;
      case VectorOp::kMin: out[labels] = *std::min_element(v.begin(), v.end()); break;
      case VectorOp::kStdvar: out[labels] = variance(v); break;
      case VectorOp::kStddev: out[labels] = std::sqrt(variance(v)); break;
      default: return fail(ErrorCode::kUnsupported, "the naive evaluator does not know this aggregation");
    }
  }
  return out;
}

Result<NaiveVector> NaiveEvaluator::binary(const BinaryOperation& operation, TimestampNs at) const {
  const auto* left_number = std::get_if<Literal>(&operation.left->node);
  const auto* right_number = std::get_if<Literal>(&operation.right->node);
  NaiveVector out;
  if (left_number != nullptr || right_number != nullptr) {
    KVASIR_TRY(const NaiveVector side, evaluate(left_number != nullptr ? *operation.right : *operation.left, at));
    for (const auto& [labels, value] : side) {
      const double a = left_number != nullptr ? left_number->value : value;
      const double b = right_number != nullptr ? right_number->value : value;
      if (const auto result = combine(operation, a, b, value)) out[labels] = *result;
    }
    return out;
  }
  KVASIR_TRY(const NaiveVector left, evaluate(*operation.left, at));
  KVASIR_TRY(const NaiveVector right, evaluate(*operation.right, at));
  const auto key = [&](const Labels& labels) {
    if (!operation.matching) return labels;
    return operation.matching->on ? only(labels, operation.matching->labels) : without(labels, operation.matching->labels);
  };
  std::map<Labels, double> partners;
  for (const auto& [labels, value] : right) partners[key(labels)] = value;
  std::set<Labels> left_keys;
  for (const auto& [labels, value] : left) {
    left_keys.insert(key(labels));
    const auto partner = partners.find(key(labels));
    const bool matched = partner != partners.end();
    switch (operation.op) {
      case BinaryOp::kAnd: if (matched) out[labels] = value; continue;
      case BinaryOp::kUnless: if (!matched) out[labels] = value; continue;
      case BinaryOp::kOr: out[labels] = value; continue;
      default: break;
    }
    if (!matched) continue;
    if (const auto result = combine(operation, value, partner->second, value)) out[key(labels)] = *result;
  }
  if (operation.op == BinaryOp::kOr) {
    for (const auto& [labels, value] : right) {
      if (left_keys.count(key(labels)) == 0) out[labels] = value;
    }
  }
  return out;
}

Result<NaiveVector> NaiveEvaluator::evaluate(const Expr& expr, TimestampNs at) const {
  if (const auto* aggregation = std::get_if<RangeAggregation>(&expr.node)) return range(*aggregation, at);
  if (const auto* aggregation = std::get_if<VectorAggregation>(&expr.node)) return vector(*aggregation, at);
  if (const auto* operation = std::get_if<BinaryOperation>(&expr.node)) return binary(*operation, at);
  return fail(ErrorCode::kUnsupported, "the naive evaluator does not know this expression");
}

}  // namespace kvasir::logql
