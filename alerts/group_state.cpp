// group_state.cpp -- the alerts of a group over a restart (docs/formats/alert-state-v1.md).
#include <simdjson.h>

#include "alerts/group_runner.h"
#include "common/json_writer.h"
#include "common/log.h"

namespace kvasir::alerts {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::int64_t kStateVersion = 1;

void write_alert(JsonWriter& json, const Alert& alert) {
  json.begin_object().key("labels").begin_object();
  for (const auto& label : alert.labels) json.key(label.name).string(label.value);
  json.end_object();
  json.key("active_at")
      .integer(alert.active_at.value)
      .key("last_seen_at")
      .integer(alert.last_seen_at.value)
      .key("fired_at")
      .integer(alert.fired_at.value)
      .key("firing")
      .boolean(alert.state == AlertState::kFiring)
      .end_object();
}

std::optional<Alert> read_alert(element item, TimestampNs saved_at) {
  object labels;
  Alert alert;
  bool firing = false;
  const bool shaped = item["labels"].get(labels) == simdjson::SUCCESS &&
                      item["active_at"].get(alert.active_at.value) == simdjson::SUCCESS &&
                      item["firing"].get(firing) == simdjson::SUCCESS;
  if (!shaped) return std::nullopt;
  alert.state = firing ? AlertState::kFiring : AlertState::kPending;
  if (firing && item["fired_at"].get(alert.fired_at.value) != simdjson::SUCCESS) alert.fired_at = alert.active_at;
  if (item["last_seen_at"].get(alert.last_seen_at.value) != simdjson::SUCCESS) alert.last_seen_at = saved_at;
  for (const auto field : labels) {
    std::string_view value;
    if (field.value.get(value) != simdjson::SUCCESS) return std::nullopt;
    alert.labels.set(field.key, value);
  }
  return alert;
}

// When a pending alert goes on after an outage: time during which nobody looked does not count, and what little was
// missing is stretched to the grace period so that a flood of alerts does not fire in the first seconds.
TimestampNs restored_active_at(const Alert& saved, TimestampNs saved_at, TimestampNs now, Duration hold,
                               Duration grace) {
  const Duration left = hold - (saved_at - saved.active_at);
  if (saved.state == AlertState::kFiring || left <= Duration(0)) return saved.active_at;
  if (left < grace && hold >= grace) return now + grace - hold;
  return saved.active_at + (now - saved_at);
}

}  // namespace

std::string GroupRunner::save_state(TimestampNs now) const {
  MutexLock lock(mutex_);
  std::string text;
  JsonWriter json(text);
  json.begin_object()
      .key("version")
      .integer(kStateVersion)
      .key("saved_at")
      .integer(now.value)
      .key("rules")
      .begin_array();
  for (const auto& rule : rules_) {
    json.begin_object()
        .key("expr")
        .string(rule.alerting.rule().canonical)
        .key("name")
        .string(rule.alerting.rule().name);
    json.key("alerts").begin_array();
    for (const auto& [labels, alert] : rule.alerting.alerts()) {
      if (alert.state != AlertState::kInactive) write_alert(json, alert);
    }
    json.end_array().end_object();
  }
  json.end_array().end_object();
  return text;
}

void GroupRunner::restore_state(std::string_view saved, TimestampNs now, Duration outage_tolerance,
                                Duration grace_period) {
  simdjson::dom::parser parser;
  element root;
  std::int64_t version = 0;
  TimestampNs saved_at;
  array rules;
  const bool shaped = parser.parse(simdjson::padded_string(saved)).get(root) == simdjson::SUCCESS &&
                      root["version"].get(version) == simdjson::SUCCESS && version == kStateVersion &&
                      root["saved_at"].get(saved_at.value) == simdjson::SUCCESS &&
                      root["rules"].get(rules) == simdjson::SUCCESS;
  if (!shaped) {
    log::warn("alerts", "saved alert state cannot be read, alerts start anew", {{"group", identity_.group}});
    return;
  }
  if (now - saved_at > outage_tolerance) return;
  MutexLock lock(mutex_);
  for (const element item : rules) {
    std::string_view name, expr;
    array alerts;
    if (item["name"].get(name) != simdjson::SUCCESS || item["expr"].get(expr) != simdjson::SUCCESS ||
        item["alerts"].get(alerts) != simdjson::SUCCESS) {
      continue;
    }
    for (auto& rule : rules_) {
      const Rule& written = rule.alerting.rule();
      if (written.name != name || written.canonical != expr) continue;
      for (const element one : alerts) {
        if (auto alert = read_alert(one, saved_at)) {
          alert->active_at = restored_active_at(*alert, saved_at, now, written.hold, grace_period);
          rule.alerting.restore(std::move(*alert));
        }
      }
      rule.series = alert_samples(rule.alerting.alerts());
    }
  }
}

}  // namespace kvasir::alerts
