// alerting_rule.h -- the life of one rule's alerts: pending, firing, resolved.
//
// Shape:    evaluate(vector at a slot) moves every alert by what the vector holds; active() lists them.
// Order:    calls come with ascending slots. A failed evaluation changes nothing but the health the caller keeps.
// Errors:   invalid_argument (two samples give one label set), limit_exceeded (more alerts than the group allows: all
//           are dropped).
// Threads:  one at a time; the ruler holds the group's lock.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "alerts/alert_template.h"
#include "alerts/rule.h"
#include "common/labels.h"

namespace kvasir::alerts {

inline constexpr Duration kResolvedRetention = std::chrono::minutes(15);  // how long a resolved alert is still sent

enum class AlertState { kInactive, kPending, kFiring };
std::string_view alert_state_name(AlertState state);

struct Alert {
  Labels labels;              // of the sample, the rule, and alertname
  TextMap annotations;        // expanded
  AlertState state = AlertState::kPending;
  double value = 0;
  TimestampNs active_at;      // first slot of this activity
  TimestampNs fired_at;
  TimestampNs resolved_at;    // meaningful when state is kInactive
  TimestampNs last_seen_at;   // newest slot whose result held it
  TimestampNs last_sent_at;   // owned by the notifier's side
};

struct EvaluationInputs {
  TimestampNs slot;
  std::uint64_t limit = 0;
  const Labels& external_labels;
  std::string_view external_url;
  const TemplateQuery& query;
  const LineQuery* lines = nullptr;
};

class AlertingRule {
 public:
  explicit AlertingRule(Rule rule) : rule_(std::move(rule)) {}

  Result<void> evaluate(const logql::Vector& vector, const EvaluationInputs& inputs);
  /// After a restart: an alert that was pending or firing.
  void restore(Alert alert);

  const Rule& rule() const { return rule_; }
  AlertState state() const;  // the strongest
  const std::map<Labels, Alert>& alerts() const { return alerts_; }
  std::map<Labels, Alert>& alerts() { return alerts_; }

 private:
  Alert make_alert(const logql::Series& series, const EvaluationInputs& inputs) const;
  void appear(Alert&& seen, TimestampNs slot);
  void vanish(TimestampNs slot);

  Rule rule_;
  std::map<Labels, Alert> alerts_;
};

}  // namespace kvasir::alerts
