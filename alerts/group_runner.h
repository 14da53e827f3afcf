// group_runner.h -- evaluates the rules of one group, in order, at one slot of time.
//
// Shape:    evaluate(slot) runs each rule's expression at the slot's own timestamp; alerts move, recorded samples are
//           collected.
// Errors:   a rule that fails keeps its alerts as they were, says why in its status, and stops no other.
// Threads:  evaluate() and the readers lock the group, so a group never runs concurrently with itself.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "alerts/alerting_rule.h"
#include "alerts/remote_write.h"
#include "alerts/rule.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "logql/query_result.h"

namespace kvasir::alerts {

/// An instant LogQL query for a tenant at a time.
using QueryFunction =
    std::function<Result<logql::QueryResult>(const std::string& tenant, const std::string& query, TimestampNs at)>;

struct GroupIdentity {
  std::string tenant;
  std::string name_space;
  std::string group;
  friend auto operator<=>(const GroupIdentity&, const GroupIdentity&) = default;
};

/// The newest lines of a log query of a tenant, at most `limit`.
using TenantLineQuery = std::function<Result<std::vector<std::string>>(const std::string& tenant,
                                                                       const EvidenceQuery& query, std::size_t limit)>;

struct RuleStatus {
  Rule rule;
  AlertState state = AlertState::kInactive;
  std::vector<Alert> alerts;             // pending and firing
  std::string last_error;                // "" = healthy
  bool evaluated = false;
  TimestampNs last_evaluation;
  Duration evaluation_time{0};
};

struct GroupStatus {
  GroupIdentity identity;
  Duration interval{0};
  std::uint64_t limit = 0;
  std::vector<RuleStatus> rules;
  TimestampNs last_evaluation;           // 0 = never
  Duration evaluation_time{0};
};

struct GroupEnvironment {
  const Clock& clock;
  QueryFunction query;
  Labels external_labels;
  std::string external_url;
  TenantLineQuery lines = nullptr;  // null: annotations cannot show lines
};

/// What one run of a group gave.
struct Evaluation {
  std::vector<RecordedSample> samples;  // recorded series, ALERTS, ALERTS_FOR_STATE; a marker for each that ended
  std::size_t rules = 0;                // that ran
  std::size_t failures = 0;             // of them
  Duration rules_time{0};
  Duration time{0};
};

/// The series ALERTS and ALERTS_FOR_STATE of pending and firing alerts.
std::map<Labels, double> alert_samples(const std::map<Labels, Alert>& alerts);

class GroupRunner {
 public:
  GroupRunner(GroupIdentity identity, RuleGroup group, Duration interval, const GroupEnvironment& environment);

  Evaluation evaluate(TimestampNs slot);

  /// Goes on where the group that this one replaces stopped: rules of the same kind, name and labels keep their alerts
  /// and series. Gives the series of the others, which end.
  std::vector<Labels> take_over(const GroupRunner& old);
  /// Every series that the last evaluations wrote.
  std::vector<Labels> series() const;

  /// Alerts to notify: firing ones not sent for `resend_delay`, and resolved ones. Marks them as sent.
  std::vector<Alert> take_notifications(TimestampNs now, Duration resend_delay);
  GroupStatus status() const;
  /// The newest slot that was evaluated (0 = none) and how long that took.
  std::pair<TimestampNs, Duration> last_run() const;
  /// The newest value of each recorded series, for /metrics.
  std::vector<RecordedSample> recorded() const;

  const GroupIdentity& identity() const { return identity_; }
  const RuleGroup& group() const { return group_; }
  Duration interval() const { return interval_; }

  /// State over a restart: see docs/formats/alert-state-v1.md.
  std::string save_state(TimestampNs now) const;
  void restore_state(std::string_view saved, TimestampNs now, Duration outage_tolerance, Duration grace_period);

 private:
  struct RunningRule {
    explicit RunningRule(Rule rule) : alerting(std::move(rule)) {}
    AlertingRule alerting;  // for a recording rule: only its rule()
    std::string last_error;
    bool evaluated = false;
    TimestampNs last_evaluation;
    Duration evaluation_time{0};
    std::map<Labels, double> series;  // written last, ALERTS among them
  };
  using Samples = std::map<Labels, double>;

  Result<Samples> evaluate_rule(RunningRule& rule, TimestampNs slot) KVASIR_REQUIRES(mutex_);
  Result<Samples> recorded_samples(const Rule& rule, const logql::Vector& vector) const;
  Result<logql::Vector> query(const std::string& expr, TimestampNs at) const;
  std::vector<RunningRule> copy_of_rules() const;

  const GroupIdentity identity_;
  const RuleGroup group_;
  const Duration interval_;
  const GroupEnvironment& environment_;
  mutable Mutex mutex_;
  std::vector<RunningRule> rules_ KVASIR_GUARDED_BY(mutex_);
  TimestampNs last_evaluation_ KVASIR_GUARDED_BY(mutex_);
  Duration evaluation_time_ KVASIR_GUARDED_BY(mutex_){0};
};

}  // namespace kvasir::alerts
