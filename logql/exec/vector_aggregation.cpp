#include <algorithm>
#include <cmath>
#include <map>

#include "logql/exec/aggregate_state.h"
#include "logql/exec/vector_operations.h"

namespace kvasir::logql {
namespace {

/// Series by group, in the order of the groups' labels.
std::map<Labels, std::vector<std::size_t>> group_series(const StepVector& operand,
                                                        const std::optional<Grouping>& grouping) {
  std::map<Labels, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < operand.size(); ++i) groups[group_labels(operand[i].labels, grouping)].push_back(i);
  return groups;
}

template <class State, class Finish>
StepVector aggregate_groups(const VectorAggregation& node, const StepVector& operand, std::size_t steps,
                            Finish finish) {
  StepVector out;
  for (const auto& [labels, members] : group_series(operand, node.grouping)) {
    std::vector<State> states(steps);
    for (const std::size_t member : members) {
      for (const auto& point : operand[member].points) states[point.step].add(Sample{.value = point.value});
    }
    StepSeries series{labels, {}};
    for (std::size_t i = 0; i < steps; ++i) {
      if (!states[i].empty()) series.points.push_back({static_cast<std::uint32_t>(i), finish(states[i])});
    }
    out.push_back(std::move(series));
  }
  return out;
}

/// NaN comes last in both directions.
bool ranks_before(double a, double b, bool descending) {
  if (std::isnan(a) || std::isnan(b)) return !std::isnan(a) && std::isnan(b);
  return descending ? a > b : a < b;
}

struct Ranked {
  double value;
  std::uint32_t series;
};

StepVector take_k(const VectorAggregation& node, const StepVector& operand, std::size_t steps) {
  const bool descending = node.op != VectorOp::kBottomk;
  const auto k = static_cast<std::size_t>(node.parameter);
  StepVector kept(operand.size());
  for (const auto& [labels, members] : group_series(operand, node.grouping)) {
    std::vector<std::vector<Ranked>> by_step(steps);
    for (const std::size_t member : members) {
      for (const auto& point : operand[member].points) {
        by_step[point.step].push_back({point.value, static_cast<std::uint32_t>(member)});
      }
    }
    for (std::size_t step = 0; step < steps; ++step) {
      auto& ranked = by_step[step];
      const auto last = ranked.begin() + static_cast<std::ptrdiff_t>(std::min(k, ranked.size()));
      std::partial_sort(ranked.begin(), last, ranked.end(), [&](const Ranked& a, const Ranked& b) {
        const bool before = ranks_before(a.value, b.value, descending);
        if (before || ranks_before(b.value, a.value, descending)) return before;
        return operand[a.series].labels < operand[b.series].labels;
      });
      for (auto it = ranked.begin(); it != last; ++it) {
        kept[it->series].points.push_back({static_cast<std::uint32_t>(step), it->value});
      }
    }
  }
  StepVector out;
  for (std::size_t i = 0; i < operand.size(); ++i) {
    if (kept[i].points.empty()) continue;
    kept[i].labels = operand[i].labels;
    out.push_back(std::move(kept[i]));
  }
  return out;
}

/// Only an instant has an order to change.
StepVector sort_by_value(StepVector operand, std::size_t steps, bool descending) {
  if (steps != 1) return operand;
  std::sort(operand.begin(), operand.end(), [](const auto& a, const auto& b) { return a.labels < b.labels; });
  std::stable_sort(operand.begin(), operand.end(), [&](const StepSeries& a, const StepSeries& b) {
    return ranks_before(a.points.front().value, b.points.front().value, descending);
  });
  return operand;
}

}  // namespace

Labels group_labels(const Labels& labels, const std::optional<Grouping>& grouping) {
  if (!grouping) return {};
  const auto named = [&](const std::string& name) {
    return std::find(grouping->labels.begin(), grouping->labels.end(), name) != grouping->labels.end();
  };
  std::vector<Label> pairs;
  for (const auto& label : labels) {
    const bool kept = grouping->without ? !named(label.name) && label.name != "__name__" : named(label.name);
    if (kept) pairs.push_back(label);
  }
  return Labels::from_sorted(std::move(pairs));
}

StepVector aggregate_vector(const VectorAggregation& node, StepVector operand, std::size_t steps) {
  switch (node.op) {
    case VectorOp::kSum: return aggregate_groups<SumState>(node, operand, steps, [](const auto& s) { return s.sum; });
    case VectorOp::kAvg:
      return aggregate_groups<SumState>(node, operand, steps,
                                        [](const auto& s) { return s.sum / static_cast<double>(s.count); });
    case VectorOp::kCount:
      return aggregate_groups<CountState>(node, operand, steps,
                                          [](const auto& s) { return static_cast<double>(s.count); });
    case VectorOp::kMax:
      return aggregate_groups<ExtremeState<true>>(node, operand, steps, [](const auto& s) { return s.value; });
    case VectorOp::kMin:
      return aggregate_groups<ExtremeState<false>>(node, operand, steps, [](const auto& s) { return s.value; });
    case VectorOp::kStdvar:
      return aggregate_groups<MomentState>(node, operand, steps,
                                           [](const auto& s) { return s.squares / static_cast<double>(s.count); });
    case VectorOp::kStddev:
      return aggregate_groups<MomentState>(
          node, operand, steps, [](const auto& s) { return std::sqrt(s.squares / static_cast<double>(s.count)); });
    case VectorOp::kTopk:
    case VectorOp::kApproxTopk:
    case VectorOp::kBottomk: return take_k(node, operand, steps);
    case VectorOp::kSort: return sort_by_value(std::move(operand), steps, false);
    case VectorOp::kSortDesc: return sort_by_value(std::move(operand), steps, true);
  }
  return {};
}

}  // namespace kvasir::logql
