#include "logql/exec/stats_groups.h"

#include <algorithm>
#include <cmath>

#include "logql/exec/aggregate_state.h"
#include "logql/pipeline/value_text.h"

namespace kvasir::logql {

namespace {
constexpr std::uint64_t kTextBytes = sizeof(std::string) + 16;  // of a text in a set, beside its characters
}

std::optional<double> stats_number(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::string ignored;
  if (const auto number = parse_number_text(text, ignored)) return std::isnan(*number) ? std::nullopt : number;
  if (const auto duration = parse_duration_text(text, ignored)) return std::chrono::duration<double>(*duration).count();
  const auto bytes = parse_bytes_text(text, ignored);
  return bytes ? std::optional(static_cast<double>(*bytes)) : std::nullopt;
}

bool stats_reads_numbers(StatsFunction function) {
  return function != StatsFunction::kCount && function != StatsFunction::kCountDistinct;
}

void StatsGroups::State::take(double number, bool keep) {
  min = count == 0 ? number : std::min(min, number);
  max = count == 0 ? number : std::max(max, number);
  sum += number;
  ++count;
  if (keep) values.push_back(number);
}

void StatsGroups::State::merge(State& other) {
  if (other.count > 0) {
    min = count == 0 ? other.min : std::min(min, other.min);
    max = count == 0 ? other.max : std::max(max, other.max);
  }
  count += other.count;
  sum += other.sum;
  values.insert(values.end(), other.values.begin(), other.values.end());
  distinct.merge(other.distinct);
}

StatsCell StatsGroups::State::finish(const StatsColumn& column) {
  if (stats_reads_numbers(column.function) && count == 0) return {std::string()};
  switch (column.function) {
    case StatsFunction::kCount: return {static_cast<double>(count)};
    case StatsFunction::kCountDistinct: return {static_cast<double>(distinct.size())};
    case StatsFunction::kSum: return {sum};
    case StatsFunction::kAvg: return {sum / static_cast<double>(count)};
    case StatsFunction::kMin: return {min};
    case StatsFunction::kMax: return {max};
    case StatsFunction::kQuantile: return {quantile_of(values, column.quantile)};
  }
  return {};
}

/// Keys differ if and only if their joined texts do: each part is preceded by its length.
std::string StatsGroups::joined(std::span<const std::string_view> key) {
  std::string out;
  for (const auto part : key) {
    const std::uint64_t size = part.size();
    out.append(reinterpret_cast<const char*>(&size), sizeof size);
    out += part;
  }
  return out;
}

std::uint32_t StatsGroups::find(std::span<const std::string_view> key) {
  std::string text = joined(key);
  const auto it = index_.find(text);
  if (it != index_.end()) return it->second;
  const auto group = static_cast<std::uint32_t>(groups_.size());
  bytes_ += sizeof(Group) + 2 * text.size() + kTextBytes + key.size() * sizeof(std::string) +
            stats_->columns.size() * sizeof(State);
  groups_.push_back({std::vector<std::string>(key.begin(), key.end()), std::vector<State>(stats_->columns.size())});
  index_.emplace(std::move(text), group);
  return group;
}

void StatsGroups::add(std::uint32_t group, std::size_t column, const StatsField& field) {
  const StatsColumn& what = stats_->columns[column];
  State& state = groups_[group].states[column];
  if (what.function == StatsFunction::kCount) {
    if (what.field.empty() || !field.text.empty()) ++state.count;
  } else if (what.function == StatsFunction::kCountDistinct) {
    if (field.text.empty() || state.distinct.contains(field.text)) return;
    state.distinct.emplace(field.text);
    bytes_ += field.text.size() + kTextBytes;
  } else if (field.number) {
    const std::uint64_t before = state.heap_bytes();
    state.take(*field.number, what.function == StatsFunction::kQuantile);
    bytes_ += state.heap_bytes() - before;
  }
}

void StatsGroups::merge_from(StatsGroups& other) {
  bytes_ += other.bytes_;  // a little too much where groups meet
  for (auto& group : other.groups_) {
    const std::vector<std::string_view> key(group.key.begin(), group.key.end());
    auto& target = groups_[find(key)];
    for (std::size_t c = 0; c < group.states.size(); ++c) target.states[c].merge(group.states[c]);
  }
  other.groups_ = {};
  other.index_ = {};
  other.bytes_ = 0;
}

StatsTable StatsGroups::finish() {
  if (stats_->by.empty() && groups_.empty()) find({});
  std::sort(groups_.begin(), groups_.end(), [](const Group& a, const Group& b) { return a.key < b.key; });
  StatsTable table;
  table.columns = stats_->by;
  table.by_count = stats_->by.size();
  for (const auto& column : stats_->columns) table.columns.push_back(column.name);
  for (auto& group : groups_) {
    auto& row = table.rows.emplace_back();
    for (auto& text : group.key) row.push_back({std::move(text)});
    for (std::size_t i = 0; i < group.states.size(); ++i) row.push_back(group.states[i].finish(stats_->columns[i]));
  }
  groups_ = {};
  index_ = {};
  return table;
}

}  // namespace kvasir::logql
