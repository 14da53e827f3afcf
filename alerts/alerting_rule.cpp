#include "alerts/alerting_rule.h"

#include <fmt/format.h>

namespace kvasir::alerts {

std::string_view alert_state_name(AlertState state) {
  switch (state) {
    case AlertState::kInactive: return "inactive";
    case AlertState::kPending: return "pending";
    case AlertState::kFiring: return "firing";
  }
  return "inactive";
}

Alert AlertingRule::make_alert(const logql::Series& series, const EvaluationInputs& inputs) const {
  Alert alert;
  alert.value = series.points.empty() ? 0 : series.points.front().value;
  const TemplateData data{series.labels, alert.value,  inputs.external_labels, inputs.external_url,
                          inputs.slot,   inputs.query, rule_.expr,             inputs.lines};
  alert.labels = series.labels;
  alert.labels.erase("__name__");
  for (const auto& [name, text] : rule_.labels) {
    const std::string value = expand_alert_template(rule_.name, text, data);
    if (value.empty()) {
      alert.labels.erase(name);
    } else {
      alert.labels.set(name, value);
    }
  }
  alert.labels.set("alertname", rule_.name);
  for (const auto& [name, text] : rule_.annotations) {
    alert.annotations[name] = expand_alert_template(rule_.name, text, data);
  }
  return alert;
}

// A new alert, one that comes back after it was resolved, or one more slot of a living one.
void AlertingRule::appear(Alert&& seen, TimestampNs slot) {
  auto [it, is_new] = alerts_.try_emplace(seen.labels);
  Alert& alert = it->second;
  if (is_new || alert.state == AlertState::kInactive) {
    alert = std::move(seen);
    alert.active_at = slot;
  } else {
    alert.value = seen.value;
    alert.annotations = std::move(seen.annotations);
  }
  alert.last_seen_at = slot;
  if (alert.state == AlertState::kPending && slot - alert.active_at >= rule_.hold) {
    alert.state = AlertState::kFiring;
    alert.fired_at = slot;
  }
}

// Alerts that this slot's result did not hold.
void AlertingRule::vanish(TimestampNs slot) {
  for (auto it = alerts_.begin(); it != alerts_.end();) {
    Alert& alert = it->second;
    const bool seen = alert.last_seen_at == slot && alert.state != AlertState::kInactive;
    const bool kept = alert.state == AlertState::kFiring && slot - alert.last_seen_at < rule_.keep_firing_for;
    const bool forgotten = alert.state == AlertState::kPending ||
                           (alert.state == AlertState::kInactive && slot - alert.resolved_at > kResolvedRetention);
    if (seen || kept) {
      ++it;
    } else if (forgotten) {
      it = alerts_.erase(it);
    } else {
      if (alert.state == AlertState::kFiring) alert.resolved_at = slot;
      alert.state = AlertState::kInactive;
      ++it;
    }
  }
}

Result<void> AlertingRule::evaluate(const logql::Vector& vector, const EvaluationInputs& inputs) {
  if (inputs.limit != 0 && vector.series.size() > inputs.limit) {
    alerts_.clear();
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("exceeded limit of {} with {} alerts", inputs.limit, vector.series.size()));
  }
  std::map<Labels, Alert> seen;
  for (const auto& series : vector.series) {
    Alert alert = make_alert(series, inputs);
    Labels key = alert.labels;
    if (!seen.try_emplace(std::move(key), std::move(alert)).second) {
      return fail(ErrorCode::kInvalidArgument,
                  "vector contains metrics with the same labelset after applying alert labels");
    }
  }
  for (auto& [labels, alert] : seen) appear(std::move(alert), inputs.slot);
  vanish(inputs.slot);
  return {};
}

void AlertingRule::restore(Alert alert) {
  Labels labels = alert.labels;
  alerts_.insert_or_assign(std::move(labels), std::move(alert));
}

AlertState AlertingRule::state() const {
  auto strongest = AlertState::kInactive;
  for (const auto& [labels, alert] : alerts_) strongest = std::max(strongest, alert.state);
  return strongest;
}

}  // namespace kvasir::alerts
