// target_list.h -- from discovered groups to the file patterns that are to be read, with their labels.
//
// Order:    group labels, the target's own over them, relabelling, then the checks: dropped, other host, no path, known
//           already.
// Counting: promtail_targets_failed_total by reason; a duplicate once per change.
// Threads:  one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "promtail-agent/config/config.h"
#include "promtail-agent/discovery/glob.h"
#include "common/relabel.h"
#include "promtail-agent/stages/label_set.h"
#include "promtail-agent/stages/metric_registry.h"
#include "promtail-agent/targets/target.h"

namespace kvasir::agent {

struct FileTarget {
  std::string key;      // path, labels and exclusion: equal keys are one target
  Labels labels;        // without internal ones
  Glob path{""};
  std::optional<Glob> exclude;
};

class TargetCounters {
 public:
  explicit TargetCounters(MetricRegistry& metrics);
  /// A reason appears on /metrics when it first occurs.
  void failed(const char* reason);
  SeriesPtr active;

 private:
  MetricRegistry& metrics_;
};

/// $HOSTNAME if it is set, else the system's name.
std::string own_hostname();

/// `report` gets one line for each discovered target, also for those that are not read.
std::vector<FileTarget> make_file_targets(const std::vector<TargetGroup>& groups, const Relabeler& relabeler,
                                          const std::string& hostname, TargetCounters& counters,
                                          std::vector<TargetStatus>& report);
/// Of the lines of a file.
LabelSetPtr labels_of(const FileTarget& target, const std::string& path);
/// The labels without those that start with `__`.
Labels without_internal(const Labels& labels);

}  // namespace kvasir::agent
