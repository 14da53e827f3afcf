#include "server/volume.h"

#include <algorithm>
#include <map>
#include <optional>

namespace kvasir::server {
namespace {

Labels only(const Labels& labels, const std::vector<std::string>& names) {
  Labels out;
  for (const auto& name : names) {
    if (const auto value = labels.get(name)) out.set(name, *value);
  }
  return out;
}

/// The series that a stream's bytes count for.
std::vector<Labels> groups_of(const Labels& stream, const VolumeGrouping& grouping) {
  for (const auto& name : grouping.target_labels) {
    if (!stream.has(name)) return {};
  }
  if (!grouping.by_labels) {
    const auto& names = grouping.target_labels.empty() ? grouping.matcher_names : grouping.target_labels;
    return {names.empty() ? stream : only(stream, names)};
  }
  std::vector<Labels> out;
  for (const auto& label : stream) {
    const bool wanted = grouping.target_labels.empty() ||
                        std::find(grouping.target_labels.begin(), grouping.target_labels.end(), label.name) !=
                            grouping.target_labels.end();
    if (wanted) out.push_back(Labels{{label.name, ""}});
  }
  return out;
}

}  // namespace

Result<std::vector<VolumeSeries>> group_volumes(const std::vector<StreamVolume>& volumes,
                                                const VolumeGrouping& grouping) {
  std::map<Labels, VolumeSeries> series;
  for (const auto& volume : volumes) {
    for (auto& labels : groups_of(volume.stream->labels, grouping)) {
      auto& one = series[labels];
      one.bytes.resize(std::max(one.bytes.size(), volume.bytes.size()));
      for (std::size_t i = 0; i < volume.bytes.size(); ++i) {
        one.bytes[i] += volume.bytes[i];
        one.total += volume.bytes[i];
      }
      one.labels = std::move(labels);
    }
  }
  if (grouping.series_max != 0 && series.size() > grouping.series_max) {
    return fail(ErrorCode::kLimitExceeded, "the query hit the max number of series limit (limit: " +
                                               std::to_string(grouping.series_max) + " series)");
  }
  std::vector<VolumeSeries> out;
  for (auto& [labels, one] : series) out.push_back(std::move(one));
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.total > b.total; });
  if (out.size() > grouping.limit) out.resize(grouping.limit);
  return out;
}

}  // namespace kvasir::server
