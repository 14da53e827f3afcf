// ruler_report.h -- what the ruler has done since it runs, for /metrics.
//
// Lifetime: values.
#pragma once

#include <string>
#include <vector>

#include "alerts/group_runner.h"

namespace kvasir::alerts {

struct GroupTotals {  // they go on when the group is changed
  std::uint64_t evaluations = 0;  // of rules
  std::uint64_t failures = 0;     // of them
  std::uint64_t iterations = 0;   // of the group
  std::uint64_t missed = 0;       // slots
  std::size_t last_samples = 0;   // that the newest evaluation wrote
};

struct GroupReport {
  GroupIdentity identity;
  std::size_t rules = 0;
  Duration interval{0};
  TimestampNs last_evaluation;    // 0 = never
  Duration last_duration{0};
  GroupTotals totals;
};

struct TenantReport {  // of groups that are gone too
  std::uint64_t evaluations = 0;  // of rules
  Duration evaluations_time{0};
  std::uint64_t iterations = 0;   // of groups
  Duration iterations_time{0};
  bool rules_are_whole = true;    // false: a file, a group or a rule of it is broken
};

struct RulerReport {
  std::vector<GroupReport> groups;
  std::map<std::string, TenantReport> tenants;
};

}  // namespace kvasir::alerts
