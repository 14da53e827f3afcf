// Each level of a block stands for its rows: one row with that level and an empty line goes through the pipeline. That
// is sound where no stage reads the line and the metadata is known to hold nothing else that the query asks for.
#include "logql/exec/block_statistics.h"

#include <algorithm>

namespace kvasir::logql {
namespace {

constexpr std::string_view kLevelName = "detected_level";

bool reads_labels_only(const Stage& stage) {
  return std::holds_alternative<LabelFilter>(stage) || std::holds_alternative<Drop>(stage) ||
         std::holds_alternative<Keep>(stage);
}

}  // namespace

bool drops_only_errors(const Stage& stage) {
  const auto* drop = std::get_if<Drop>(&stage);
  return drop != nullptr && std::all_of(drop->items.begin(), drop->items.end(), [](const NameOrMatcher& item) {
           return item.matcher == nullptr && (item.name == "__error__" || item.name == "__error_details__");
         });
}

BlockStatistics::BlockStatistics(const ScanPlan& plan) : plan_(plan), runner_(plan.pipeline(false)) {
  const auto stages = plan.stages(false);
  usable_ = plan.pushdowns().block_statistics && plan.unwrap() == nullptr && !plan.has_field_selectors() &&
            std::all_of(stages.begin(), stages.end(), reads_labels_only);
  only_groups_ = std::all_of(stages.begin(), stages.end(), drops_only_errors) &&
                 plan.options().grouping.kind == ResultGrouping::Kind::kBy;
}

/// True if the stream's labels, and perhaps the level, decide the group of a row, whatever else its metadata holds.
bool BlockStatistics::groups_by_stream(const Labels& stream, bool& by_level) const {
  if (!only_groups_) return false;
  for (const auto& name : plan_.options().grouping.labels) {
    const auto value = stream.get(name);
    if (value && !value->empty()) continue;
    if (value || name != kLevelName) return false;
    by_level = true;
  }
  return true;
}

bool BlockStatistics::add_share(const LevelStatistics::Rows& rows, std::uint64_t line_bytes) {
  const LabelView level{kLevelName, rows.level};
  const auto metadata = rows.level.empty() ? std::span<const LabelView>() : std::span(&level, 1);
  if (!runner_.process({}, {}, metadata)) return true;
  if (runner_.fails_query()) return false;
  shares_.push_back({runner_.result_labels(), rows.rows, line_bytes});
  return true;
}

std::optional<Labels> BlockStatistics::group_of_stream(const BlockHandle& handle) {
  bool by_level = false;
  if (!usable_ || !handle.exact() || !groups_by_stream(handle.stream()->labels, by_level) || by_level)
    return std::nullopt;
  runner_.bind(handle.stream()->labels);
  if (!runner_.process({}, {}, {})) return std::nullopt;
  return runner_.result_labels();
}

bool BlockStatistics::make_group_key(const Labels& stream, std::string& key) const {
  key.clear();
  bool by_level = false;
  if (!usable_ || !groups_by_stream(stream, by_level) || by_level) return false;
  for (const auto& name : plan_.options().grouping.labels) {
    const std::string_view value = stream.value_or_empty(name);
    key.append(std::to_string(value.size())).append(1, ':').append(value);
  }
  return true;
}

std::optional<std::span<const BlockStatistics::Share>> BlockStatistics::shares(const BlockHandle& handle,
                                                                               bool needs_bytes) {
  if (!usable_ || !handle.exact()) return std::nullopt;
  const Labels& stream = handle.stream()->labels;
  shares_.clear();
  runner_.bind(stream);
  bool by_level = false;
  const bool decided = groups_by_stream(stream, by_level);
  if (decided && !by_level) {
    if (!add_share({{}, handle.rows()}, handle.line_bytes())) return std::nullopt;
    return shares_;
  }
  const auto levels = handle.levels();
  if (!levels || (!decided && !levels->nothing_else)) return std::nullopt;
  // How the bytes are spread over levels is not known.
  if (needs_bytes && levels->rows.size() > 1) return std::nullopt;
  for (const auto& rows : levels->rows) {
    if (!add_share(rows, handle.line_bytes())) return std::nullopt;
  }
  return shares_;
}

}  // namespace kvasir::logql
