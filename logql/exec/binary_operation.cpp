#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "logql/exec/vector_operations.h"
#include "logql/syntax/arithmetic.h"

namespace kvasir::logql {
namespace {

struct Present {
  std::uint32_t series;
  double value;
};

/// Which series have a point at each step.
std::vector<std::vector<Present>> by_step(const StepVector& vector, std::size_t steps) {
  std::vector<std::vector<Present>> out(steps);
  for (std::uint32_t i = 0; i < vector.size(); ++i) {
    for (const auto& point : vector[i].points) out[point.step].push_back({i, point.value});
  }
  return out;
}

/// The labels by which samples of both sides find each other.
Labels matching_key(const Labels& labels, const std::optional<VectorMatching>& matching) {
  if (!matching) return labels;
  return group_labels(labels, Grouping{!matching->on, matching->labels});
}

/// Numbers for matching keys, shared by both sides.
class Keys {
 public:
  std::vector<std::uint32_t> assign(const StepVector& vector, const std::optional<VectorMatching>& matching) {
    std::vector<std::uint32_t> out;
    for (const auto& series : vector) {
      out.push_back(ids_.try_emplace(matching_key(series.labels, matching), static_cast<std::uint32_t>(ids_.size()))
                        .first->second);
    }
    return out;
  }

 private:
  std::map<Labels, std::uint32_t> ids_;
};

// ---- and, or, unless

StepVector combine_sets(const BinaryOperation& node, const StepVector& left, const StepVector& right,
                        std::size_t steps) {
  Keys keys;
  const auto left_keys = keys.assign(left, node.matching);
  const auto right_keys = keys.assign(right, node.matching);
  // at[step * keys + key]: the other side has the key there.
  const bool filter_right = node.op == BinaryOp::kOr;
  const StepVector& filtered = filter_right ? right : left;
  const StepVector& other = filter_right ? left : right;
  const auto& filtered_keys = filter_right ? right_keys : left_keys;
  const auto& other_keys = filter_right ? left_keys : right_keys;
  std::vector<std::unordered_set<std::uint32_t>> at(steps);
  for (std::size_t i = 0; i < other.size(); ++i) {
    for (const auto& point : other[i].points) at[point.step].insert(other_keys[i]);
  }
  const bool wants_partner = node.op == BinaryOp::kAnd;
  StepVector out = filter_right ? left : StepVector();
  for (std::size_t i = 0; i < filtered.size(); ++i) {
    StepSeries series{filtered[i].labels, {}};
    for (const auto& point : filtered[i].points) {
      if (at[point.step].contains(filtered_keys[i]) == wants_partner) series.points.push_back(point);
    }
    if (!series.points.empty()) out.push_back(std::move(series));
  }
  return out;
}

// ---- arithmetic and comparison

Error matching_error(std::string text) { return Error(ErrorCode::kInternal, std::move(text)); }

class Matcher {
 public:
  Matcher(const BinaryOperation& node, const StepVector& left, const StepVector& right)
      : node_(node), left_(left), right_(right), group_(node.matching ? node.matching->group : GroupSide::kNone) {
    left_keys_ = keys_.assign(left, node.matching);
    right_keys_ = keys_.assign(right, node.matching);
  }

  Result<StepVector> run(std::size_t steps) {
    const auto left = by_step(left_, steps);
    const auto right = by_step(right_, steps);
    for (std::size_t step = 0; step < steps; ++step) {
      KVASIR_CHECK_OK(run_step(static_cast<std::uint32_t>(step), left[step], right[step]));
    }
    std::erase_if(out_, [](const StepSeries& series) { return series.points.empty(); });
    return std::move(out_);
  }

 private:
  bool one_is_left() const { return group_ == GroupSide::kRight; }

  Result<void> run_step(std::uint32_t step, const std::vector<Present>& left, const std::vector<Present>& right) {
    const auto& one = one_is_left() ? left : right;
    const auto& many = one_is_left() ? right : left;
    const auto& one_keys = one_is_left() ? left_keys_ : right_keys_;
    const auto& many_keys = one_is_left() ? right_keys_ : left_keys_;
    std::unordered_map<std::uint32_t, Present> partners;
    for (const Present& sample : one) {
      if (partners.emplace(one_keys[sample.series], sample).second) continue;
      return fail(
          matching_error(std::string("found duplicate series on the ") + (one_is_left() ? "left" : "right") +
                         " hand-side;many-to-many matching not allowed: matching labels must be unique on one side"));
    }
    std::unordered_set<std::uint32_t> used;  // keys, or result series with a group side
    for (const Present& sample : many) {
      const auto partner = partners.find(many_keys[sample.series]);
      if (partner == partners.end()) continue;
      KVASIR_CHECK_OK(add(step, sample, partner->second, many_keys[sample.series], used));
    }
    return {};
  }

  Result<void> add(std::uint32_t step, const Present& many, const Present& one, std::uint32_t key,
                   std::unordered_set<std::uint32_t>& used) {
    const Present& left = one_is_left() ? one : many;
    const Present& right = one_is_left() ? many : one;
    double value = apply(node_.op, left.value, right.value);
    if (is_comparison(node_.op) && !node_.return_bool) {
      if (value == 0) return {};
      value = left.value;
    }
    const std::uint32_t series = result_series(many.series, one.series);
    const bool fresh = used.insert(group_ == GroupSide::kNone ? key : series).second;
    if (!fresh) {
      return fail(matching_error(group_ == GroupSide::kNone
                                     ? "multiple matches for labels: many-to-one matching must be explicit "
                                       "(group_left/group_right)"
                                     : "multiple matches for labels: grouping labels must ensure unique matches"));
    }
    out_[series].points.push_back({step, value});
    return {};
  }

  /// The result's labels depend on the pair only; they are worked out once.
  std::uint32_t result_series(std::uint32_t many, std::uint32_t one) {
    const auto pair = static_cast<std::uint64_t>(many) << 32 | one;
    const auto [it, added] = pairs_.try_emplace(pair, 0);
    if (added) {
      const auto [known, is_new] =
          series_.try_emplace(result_labels(many, one), static_cast<std::uint32_t>(out_.size()));
      if (is_new) out_.push_back({known->first, {}});
      it->second = known->second;
    }
    return it->second;
  }

  Labels result_labels(std::uint32_t many, std::uint32_t one) const {
    const Labels& base = (one_is_left() ? right_ : left_)[many].labels;
    if (!node_.matching) return base;
    if (group_ == GroupSide::kNone) return matching_key(base, node_.matching);
    Labels labels = base;
    const Labels& source = (one_is_left() ? left_ : right_)[one].labels;
    for (const auto& name : node_.matching->include) {
      const auto value = source.value_or_empty(name);
      value.empty() ? labels.erase(name) : labels.set(name, value);
    }
    return labels;
  }

  const BinaryOperation& node_;
  const StepVector& left_;
  const StepVector& right_;
  GroupSide group_;
  Keys keys_;
  std::vector<std::uint32_t> left_keys_;
  std::vector<std::uint32_t> right_keys_;
  StepVector out_;
  std::unordered_map<std::uint64_t, std::uint32_t> pairs_;  // (many, one) -> series of the result
  std::map<Labels, std::uint32_t> series_;
};

}  // namespace

Result<StepVector> combine_vectors(const BinaryOperation& node, const StepVector& left, const StepVector& right,
                                   std::size_t steps) {
  if (is_set_operator(node.op)) return combine_sets(node, left, right, steps);
  return Matcher(node, left, right).run(steps);
}

StepVector combine_with_number(const BinaryOperation& node, StepVector vector, double number, bool number_is_left) {
  const bool filters = is_comparison(node.op) && !node.return_bool;
  for (auto& series : vector) {
    std::vector<StepPoint> points;
    for (const auto& point : series.points) {
      const double value = number_is_left ? apply(node.op, number, point.value) : apply(node.op, point.value, number);
      if (!filters) {
        points.push_back({point.step, value});
      } else if (value != 0) {
        points.push_back(point);
      }
    }
    series.points = std::move(points);
  }
  std::erase_if(vector, [](const StepSeries& series) { return series.points.empty(); });
  return vector;
}

}  // namespace kvasir::logql
