#include "server/rule_metrics.h"

#include <prometheus/metric_family.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace kvasir::server {
namespace {

prometheus::MetricFamily counter(const char* name, const char* help, double value) {
  prometheus::MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = prometheus::MetricType::Counter;
  family.metric.emplace_back();
  family.metric.back().counter.value = value;
  return family;
}

/// `a:b` is a name in Prometheus' text form; whatever else a rule may be called is not.
bool is_metric_name(std::string_view name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0) return false;
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == ':'; });
}

bool is_ours(std::string_view name) {
  return name.starts_with("loki_") || name.starts_with("kvasir_") || name.starts_with("process_");
}

}  // namespace

std::vector<prometheus::MetricFamily> RuleMetrics::Collect() const {
  const auto& counters = ruler_.counters();
  std::vector<prometheus::MetricFamily> out = {
      counter("loki_prometheus_rule_evaluations_total", "Evaluations of rules",
              static_cast<double>(counters.evaluations)),
      counter("loki_prometheus_rule_evaluation_failures_total", "Evaluations that failed",
              static_cast<double>(counters.evaluation_failures)),
      counter("loki_prometheus_rule_group_iterations_total", "Evaluations of groups",
              static_cast<double>(counters.iterations)),
      counter("loki_prometheus_rule_group_iterations_missed_total", "Slots of groups that were skipped",
              static_cast<double>(counters.iterations_missed))};
  std::map<std::string, prometheus::MetricFamily> recorded;
  for (const auto& sample : ruler_.recorded()) {
    const std::string name(sample.labels.value_or_empty("__name__"));
    if (!is_metric_name(name) || is_ours(name) || std::isnan(sample.value)) continue;
    auto& family = recorded[name];
    family.name = name;
    family.help = "Recorded by a rule";
    family.type = prometheus::MetricType::Gauge;
    prometheus::ClientMetric metric;
    for (const auto& label : sample.labels) {
      if (label.name != "__name__") metric.label.push_back({label.name, label.value});
    }
    metric.gauge.value = sample.value;
    family.metric.push_back(std::move(metric));
  }
  for (auto& [name, family] : recorded) out.push_back(std::move(family));
  return out;
}

}  // namespace kvasir::server
