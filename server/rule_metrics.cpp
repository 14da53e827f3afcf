#include "server/rule_metrics.h"

#include <prometheus/metric_family.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace kvasir::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using LabelList = std::vector<ClientMetric::Label>;
using Families = std::vector<MetricFamily>;

double seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e9; }
double number(std::uint64_t count) { return static_cast<double>(count); }

class Family {
 public:
  Family(MetricType type, std::string name, std::string help) {
    family_.type = type;
    family_.name = std::move(name);
    family_.help = std::move(help);
  }

  void add(LabelList labels, double value) {
    ClientMetric& metric = family_.metric.emplace_back();
    metric.label = std::move(labels);
    if (family_.type == MetricType::Counter) metric.counter.value = value;
    if (family_.type == MetricType::Gauge) metric.gauge.value = value;
    if (family_.type == MetricType::Untyped) metric.untyped.value = value;
  }
  void add_summary(LabelList labels, std::uint64_t count, Duration sum) {
    ClientMetric& metric = family_.metric.emplace_back();
    metric.label = std::move(labels);
    metric.summary.sample_count = count;
    metric.summary.sample_sum = seconds(sum);
  }
  /// Moved out when there is something to show.
  void into(Families& out) {
    if (!family_.metric.empty()) out.push_back(std::move(family_));
  }

 private:
  MetricFamily family_;
};

/// `a:b` is a name in Prometheus' text form; whatever else a rule may be called is not.
bool is_metric_name(std::string_view name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0) return false;
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == ':'; });
}

bool is_ours(std::string_view name) {
  return name.starts_with("loki_") || name.starts_with("kvasir_") || name.starts_with("process_");
}

void collect_groups(const alerts::RulerReport& report, const Path& rules, Families& out) {
  const std::string prefix = "loki_prometheus_rule_";
  Family evaluations(MetricType::Counter, prefix + "evaluations_total", "Evaluations of rules");
  Family failures(MetricType::Counter, prefix + "evaluation_failures_total", "Evaluations that failed");
  Family iterations(MetricType::Counter, prefix + "group_iterations_total", "Evaluations of groups");
  Family missed(MetricType::Counter, prefix + "group_iterations_missed_total", "Slots of groups that were skipped");
  Family count(MetricType::Gauge, prefix + "group_rules", "Rules of a group");
  Family interval(MetricType::Gauge, prefix + "group_interval_seconds", "Interval of a group");
  Family last(MetricType::Gauge, prefix + "group_last_evaluation_timestamp_seconds", "Newest slot that was evaluated");
  Family lasted(MetricType::Gauge, prefix + "group_last_duration_seconds", "Time that the newest evaluation took");
  Family samples(MetricType::Gauge, prefix + "group_last_evaluation_samples", "Samples that the newest one wrote");
  for (const auto& group : report.groups) {
    const auto& id = group.identity;
    const LabelList labels = {{"rule_group", join_path(join_path(rules, id.tenant), id.name_space) + ";" + id.group},
                              {"user", id.tenant}};
    evaluations.add(labels, number(group.totals.evaluations));
    failures.add(labels, number(group.totals.failures));
    iterations.add(labels, number(group.totals.iterations));
    missed.add(labels, number(group.totals.missed));
    count.add(labels, number(group.rules));
    interval.add(labels, seconds(group.interval));
    last.add(labels, static_cast<double>(group.last_evaluation.value) / 1e9);
    lasted.add(labels, seconds(group.last_duration));
    samples.add(labels, number(group.totals.last_samples));
  }
  for (auto* family : {&evaluations, &failures, &iterations, &missed, &count, &interval, &last, &lasted, &samples}) {
    family->into(out);
  }
}

void collect_tenants(const alerts::RulerReport& report, Families& out) {
  Family rules(MetricType::Summary, "loki_prometheus_rule_evaluation_duration_seconds", "Evaluations of rules");
  Family groups(MetricType::Summary, "loki_prometheus_rule_group_duration_seconds", "Evaluations of groups");
  Family whole(MetricType::Gauge, "loki_ruler_config_last_reload_successful",
               "0 while a file, a group or a rule of the tenant is broken");
  // A gauge with a counter's name.
  Family managers(MetricType::Untyped, "loki_ruler_managers_total", "Tenants with rules");
  for (const auto& [name, tenant] : report.tenants) {
    rules.add_summary({{"user", name}}, tenant.evaluations, tenant.evaluations_time);
    groups.add_summary({{"user", name}}, tenant.iterations, tenant.iterations_time);
    whole.add({{"user", name}}, tenant.rules_are_whole ? 1 : 0);
  }
  managers.add({}, number(report.tenants.size()));
  for (auto* family : {&rules, &groups, &whole, &managers}) family->into(out);
}

void collect_notifier(const alerts::Notifier& notifier, Families& out) {
  const std::string prefix = "loki_prometheus_notifications_";
  Family sent(MetricType::Counter, prefix + "sent_total", "Alerts sent, those of failed calls among them");
  Family errors(MetricType::Counter, prefix + "errors_total", "Alerts in calls that failed");
  Family dropped(MetricType::Counter, prefix + "dropped_total", "Alerts given up or pushed out of a full queue");
  Family latency(MetricType::Summary, prefix + "latency_seconds", "Time of calls");
  Family queued(MetricType::Gauge, prefix + "queue_length", "Alerts that wait");
  Family capacity(MetricType::Gauge, prefix + "queue_capacity", "Alerts that may wait");
  for (const auto& receiver : notifier.report()) {
    queued.add({{"alertmanager", receiver.url}}, number(receiver.queued));
    capacity.add({{"alertmanager", receiver.url}}, number(notifier.queue_capacity()));
    for (const auto& [tenant, totals] : receiver.tenants) {
      const LabelList labels = {{"alertmanager", receiver.url}, {"user", tenant}};
      sent.add(labels, number(totals.sent));
      errors.add(labels, number(totals.errors));
      dropped.add(labels, number(totals.dropped));
      latency.add_summary(labels, totals.calls, totals.time);
    }
  }
  for (auto* family : {&sent, &errors, &dropped, &latency, &queued, &capacity}) family->into(out);
}

void collect_remote_write(const alerts::RemoteWriter& writer, Families& out) {
  const std::string wal = "loki_ruler_wal_", remote = wal + "prometheus_remote_storage_";
  Family appended(MetricType::Counter, wal + "samples_appended_total", "Samples put into the queue on disk");
  Family disk(MetricType::Gauge, wal + "disk_size", "Bytes of the queue on disk");
  Family highest(MetricType::Gauge, remote + "highest_timestamp_in_seconds", "Newest sample of the queue");
  Family sent(MetricType::Counter, remote + "samples_total", "Samples that the receiver took or refused");
  Family failed(MetricType::Counter, remote + "samples_failed_total", "Samples that the receiver refused");
  Family retried(MetricType::Counter, remote + "samples_retried_total", "Samples in calls that are made again");
  Family dropped(MetricType::Counter, remote + "samples_dropped_total", "Samples lost to a full queue or disk");
  Family pending(MetricType::Gauge, remote + "samples_pending", "Samples that wait");
  Family highest_sent(MetricType::Gauge, remote + "queue_highest_sent_timestamp_seconds", "Newest sample that was sent");
  const auto report = writer.report();
  for (const auto& [tenant, totals] : report.tenants) {
    const LabelList of_tenant = {{"tenant", tenant}};
    const LabelList of_client = {{"remote_name", report.name}, {"tenant", tenant}, {"url", report.url}};
    appended.add(of_tenant, number(totals.appended));
    disk.add(of_tenant, number(totals.pending_bytes));
    highest.add(of_tenant, static_cast<double>(totals.newest_ms) / 1e3);
    sent.add(of_client, number(totals.sent));
    failed.add(of_client, number(totals.failed));
    retried.add(of_client, number(totals.retried));
    dropped.add(of_client, number(totals.dropped));
    pending.add(of_client, number(totals.pending));
    highest_sent.add(of_client, static_cast<double>(totals.newest_sent_ms) / 1e3);
  }
  for (auto* family : {&appended, &disk, &highest, &sent, &failed, &retried, &dropped, &pending, &highest_sent}) {
    family->into(out);
  }
}

void collect_recorded(const alerts::Ruler& ruler, Families& out) {
  std::map<std::string, Family> recorded;
  for (const auto& sample : ruler.recorded()) {
    const std::string name(sample.labels.value_or_empty("__name__"));
    if (!is_metric_name(name) || is_ours(name) || std::isnan(sample.value)) continue;
    LabelList labels;
    for (const auto& label : sample.labels) {
      if (label.name != "__name__") labels.push_back({label.name, label.value});
    }
    auto& family = recorded.try_emplace(name, MetricType::Gauge, name, "Recorded by a rule").first->second;
    family.add(std::move(labels), sample.value);
  }
  for (auto& [name, family] : recorded) family.into(out);
}

}  // namespace

std::vector<prometheus::MetricFamily> RuleMetrics::Collect() const {
  Families out;
  const auto report = parts_.ruler->report();
  collect_groups(report, rules_, out);
  collect_tenants(report, out);
  if (parts_.notifier != nullptr) collect_notifier(*parts_.notifier, out);
  if (parts_.remote_write != nullptr) collect_remote_write(*parts_.remote_write, out);
  if (gate_.open_to_all()) collect_recorded(*parts_.ruler, out);
  return out;
}

}  // namespace kvasir::server
