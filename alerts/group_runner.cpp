#include "alerts/group_runner.h"

#include <algorithm>

#include <fmt/format.h>

#include "common/log.h"

namespace kvasir::alerts {
namespace {

std::int64_t to_ms(TimestampNs t) { return t.value / 1'000'000; }

Labels recorded_labels(const logql::Series& series, const Rule& rule) {
  Labels labels = series.labels;
  for (const auto& [name, value] : rule.labels) labels.set(name, value);
  labels.set("__name__", rule.name);
  return labels;
}

// The samples of this slot, and the end of each series that is not among them any more.
void append_samples(const std::map<Labels, double>& before, const std::map<Labels, double>& now, TimestampNs slot,
                    std::vector<RecordedSample>& out) {
  for (const auto& [labels, value] : now) out.push_back({labels, value, to_ms(slot)});
  for (const auto& [labels, value] : before) {
    if (!now.contains(labels)) out.push_back({labels, stale_marker(), to_ms(slot)});
  }
}

// Of two rules that write one series the first counts, and no end beside a sample: a receiver refuses the whole request
// for a series that has two values at one time.
std::vector<RecordedSample> each_series_once(std::vector<RecordedSample> samples) {
  std::map<Labels, std::size_t> places;
  std::vector<RecordedSample> once;
  for (auto& sample : samples) {
    const auto [place, is_new] = places.try_emplace(sample.labels, once.size());
    if (is_new) {
      once.push_back(std::move(sample));
    } else if (is_stale_marker(once[place->second].value)) {
      once[place->second].value = sample.value;
    }
  }
  return once;
}

bool is_same_rule(const Rule& a, const Rule& b) { return a.kind == b.kind && a.name == b.name && a.labels == b.labels; }

}  // namespace

std::map<Labels, double> alert_samples(const std::map<Labels, Alert>& alerts) {
  std::map<Labels, double> samples;
  for (const auto& [labels, alert] : alerts) {
    if (alert.state == AlertState::kInactive) continue;
    Labels named = labels;
    named.set("__name__", "ALERTS_FOR_STATE");
    samples[named] = static_cast<double>(alert.active_at.value / 1'000'000'000);
    named.set("__name__", "ALERTS");
    named.set("alertstate", alert_state_name(alert.state));
    samples[std::move(named)] = 1;
  }
  return samples;
}

GroupRunner::GroupRunner(GroupIdentity identity, RuleGroup group, Duration interval,
                         const GroupEnvironment& environment)
    : identity_(std::move(identity)), group_(std::move(group)), interval_(interval), environment_(environment) {
  for (const auto& rule : group_.rules) {
    rules_.emplace_back(rule);
    rules_.back().last_error = rule.error;
  }
}

Result<logql::Vector> GroupRunner::query(const std::string& expr, TimestampNs at) const {
  KVASIR_TRY(auto result, environment_.query(identity_.tenant, expr, at));
  if (auto* vector = std::get_if<logql::Vector>(&result)) return std::move(*vector);
  if (const auto* scalar = std::get_if<logql::Scalar>(&result)) return logql::Vector{{{Labels(), {scalar->point}}}};
  return fail(ErrorCode::kInvalidArgument, "rule result is not a vector or scalar");
}

Evaluation GroupRunner::evaluate(TimestampNs slot) {
  MutexLock lock(mutex_);
  Evaluation done;
  const Duration begin = environment_.clock.steady();
  for (auto& rule : rules_) {
    if (!rule.alerting.rule().error.empty()) continue;
    const Duration rule_begin = environment_.clock.steady();
    auto samples = evaluate_rule(rule, slot);
    rule.evaluated = true;
    rule.last_evaluation = environment_.clock.now();
    rule.evaluation_time = environment_.clock.steady() - rule_begin;
    rule.last_error = samples ? "" : samples.error().message();
    ++done.rules;
    done.rules_time += rule.evaluation_time;
    if (samples) {
      append_samples(rule.series, *samples, slot, done.samples);
      rule.series = std::move(*samples);
      continue;
    }
    ++done.failures;
    log::warn("alerts", "a rule could not be evaluated",
              {{"tenant", identity_.tenant}, {"namespace", identity_.name_space}, {"group", identity_.group},
               {"rule", rule.alerting.rule().name}, {"line", std::to_string(rule.alerting.rule().line)},
               {"reason", rule.last_error}});
  }
  done.samples = each_series_once(std::move(done.samples));
  last_evaluation_ = slot;
  evaluation_time_ = done.time = environment_.clock.steady() - begin;
  return done;
}

Result<GroupRunner::Samples> GroupRunner::evaluate_rule(RunningRule& rule, TimestampNs slot) {
  KVASIR_TRY(const auto vector, query(rule.alerting.rule().expr, slot));
  if (rule.alerting.rule().kind == Rule::Kind::kRecord) return recorded_samples(rule.alerting.rule(), vector);
  const TemplateQuery template_query = [&](std::string_view expr) { return query(std::string(expr), slot); };
  const LineQuery lines = [&](const EvidenceQuery& evidence, std::size_t limit) {
    return environment_.lines(identity_.tenant, evidence, limit);
  };
  const EvaluationInputs inputs{slot,           group_.limit, environment_.external_labels, environment_.external_url,
                                template_query, environment_.lines ? &lines : nullptr};
  KVASIR_CHECK_OK(rule.alerting.evaluate(vector, inputs));
  return alert_samples(rule.alerting.alerts());
}

Result<GroupRunner::Samples> GroupRunner::recorded_samples(const Rule& rule, const logql::Vector& vector) const {
  if (group_.limit != 0 && vector.series.size() > group_.limit) {
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("exceeded limit of {} with {} series", group_.limit, vector.series.size()));
  }
  Samples samples;
  for (const auto& series : vector.series) {
    const double value = series.points.empty() ? 0 : series.points.front().value;
    if (!samples.emplace(recorded_labels(series, rule), value).second) {
      return fail(ErrorCode::kInvalidArgument,
                  "vector contains metrics with the same labelset after applying rule labels");
    }
  }
  return samples;
}

std::vector<GroupRunner::RunningRule> GroupRunner::copy_of_rules() const {
  MutexLock lock(mutex_);
  return rules_;
}

std::vector<Labels> GroupRunner::take_over(const GroupRunner& old) {
  auto before = old.copy_of_rules();
  MutexLock lock(mutex_);
  for (auto& rule : rules_) {
    const auto same = std::find_if(before.begin(), before.end(), [&rule](const RunningRule& candidate) {
      return is_same_rule(candidate.alerting.rule(), rule.alerting.rule());
    });
    if (same == before.end() || !rule.alerting.rule().error.empty()) continue;
    rule.alerting.alerts() = std::move(same->alerting.alerts());
    rule.series = std::move(same->series);
    before.erase(same);
  }
  std::vector<Labels> ended;
  for (const auto& rule : before) {
    for (const auto& [labels, value] : rule.series) ended.push_back(labels);
  }
  return ended;
}

std::vector<Labels> GroupRunner::series() const {
  MutexLock lock(mutex_);
  std::vector<Labels> all;
  for (const auto& rule : rules_) {
    for (const auto& [labels, value] : rule.series) all.push_back(labels);
  }
  return all;
}

std::vector<Alert> GroupRunner::take_notifications(TimestampNs now, Duration resend_delay) {
  MutexLock lock(mutex_);
  std::vector<Alert> due;
  for (auto& rule : rules_) {
    for (auto& [labels, alert] : rule.alerting.alerts()) {
      if (alert.state == AlertState::kPending) continue;
      // A resolution that was not told yet goes out at once; everything else after the delay.
      const bool news = alert.state == AlertState::kInactive && alert.resolved_at > alert.last_sent_at;
      if (!news && alert.last_sent_at.value != 0 && now - alert.last_sent_at < resend_delay) continue;
      alert.last_sent_at = now;
      due.push_back(alert);
    }
  }
  return due;
}

GroupStatus GroupRunner::status() const {
  MutexLock lock(mutex_);
  GroupStatus status{identity_, interval_, group_.limit, {}, last_evaluation_, evaluation_time_};
  for (const auto& rule : rules_) {
    RuleStatus one{rule.alerting.rule(), rule.alerting.state(),   {},
                   rule.last_error,      rule.evaluated,          rule.last_evaluation,
                   rule.evaluation_time};
    for (const auto& [labels, alert] : rule.alerting.alerts()) {
      if (alert.state != AlertState::kInactive) one.alerts.push_back(alert);
    }
    status.rules.push_back(std::move(one));
  }
  return status;
}

std::pair<TimestampNs, Duration> GroupRunner::last_run() const {
  MutexLock lock(mutex_);
  return {last_evaluation_, evaluation_time_};
}

std::vector<RecordedSample> GroupRunner::recorded() const {
  MutexLock lock(mutex_);
  std::vector<RecordedSample> all;
  for (const auto& rule : rules_) {
    if (rule.alerting.rule().kind != Rule::Kind::kRecord) continue;
    for (const auto& [labels, value] : rule.series) all.push_back({labels, value, to_ms(last_evaluation_)});
  }
  return all;
}

}  // namespace kvasir::alerts
