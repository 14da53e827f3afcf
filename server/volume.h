// volume.h -- groups the bytes of streams into the series of the volume answers.
//
// Rules:    by series: the target labels, or without them the names in the matchers, or the whole set for `{}`; streams
//           that lack a target label do not count. By labels: one series per label name with an empty value.
// Order:    bytes descending, then labels; at most `limit`.
// Threads:  free functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/matcher.h"
#include "common/result.h"
#include "server/store_source.h"

namespace kvasir::server {

struct VolumeGrouping {
  std::vector<std::string> target_labels;
  bool by_labels = false;
  std::vector<std::string> matcher_names;
  std::uint64_t limit = 100;
  std::uint64_t series_max = 1000;
};

struct VolumeSeries {
  Labels labels;
  std::vector<std::uint64_t> bytes;  // per bucket
  std::uint64_t total = 0;
};

/// Errors: limit_exceeded when there are more than series_max.
Result<std::vector<VolumeSeries>> group_volumes(const std::vector<StreamVolume>& volumes,
                                                const VolumeGrouping& grouping);

}  // namespace kvasir::server
