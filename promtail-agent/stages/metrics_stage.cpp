// The metrics stage: counters, gauges and histograms from entries.
#include <cmath>

#include <boost/unordered/unordered_flat_map.hpp>

#include "common/number.h"
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/line_regex.h"
#include "promtail-agent/stages/metric_plan.h"
#include "promtail-agent/stages/metric_registry.h"

namespace kvasir::agent {
namespace {

constexpr std::size_t kCachedSetsMax = 50'000;
constexpr std::size_t kTraceBytesMax = 64;  // readers of OpenMetrics refuse long exemplars
constexpr std::string_view kTraceKeys[] = {"trace_id", "traceId", "traceID"};

Labels visible_labels(const Labels& labels) {
  std::vector<Label> out;
  for (const Label& label : labels)
    if (!label.name.starts_with("__")) out.push_back(label);
  return Labels::from_sorted(std::move(out));
}

/// One metric and the series it has touched, by label set.
class MetricUpdater {
 public:
  MetricUpdater(MetricPlan plan, std::unique_ptr<MetricClaim> claim, const StageContext& context)
      : plan_(std::move(plan)), claim_(std::move(claim)), context_(context) {}

  void update(const Entry& entry) {
    if (plan_.condition && !plan_.condition->holds(entry)) return;
    double amount = 1;
    if (!plan_.every_entry) {
      const Value value = source_value(entry);
      if (value.missing() || !equals(value) || !amount_of(value, amount)) return;
    } else if (plan_.line_bytes) {
      amount = static_cast<double>(entry.line().size());
    } else if (plan_.constant) {
      amount = *plan_.constant;
    } else if (plan_.action == MetricAction::kAdd) {
      return;  // match_all with add, and nothing said to add
    }
    if (plan_.metric.type == MetricType::kCounter && !(amount >= 0)) {
      if (amount < 0) count_error("negative");
      return;
    }
    Series* series = series_of(*entry.labels());
    if (series != nullptr) apply(*series, amount, entry);
  }

 private:
  Value source_value(const Entry& entry) const {
    const Value value = entry.extracted().get(plan_.source);
    if (!value.missing() || !plan_.source_may_be_label) return value;
    const auto label = entry.labels()->labels.get(plan_.source);
    return label ? Value::of(*label) : value;
  }

  bool equals(const Value& value) const {
    if (!plan_.equals) return true;
    NumberText scratch;
    return value.has_text() && value_text(value, scratch) == *plan_.equals;
  }

  bool amount_of(const Value& value, double& amount) {
    const bool steps = plan_.action == MetricAction::kInc || plan_.action == MetricAction::kDec;
    if (steps || plan_.constant) {
      amount = plan_.constant.value_or(1);
      return value.has_text() || plan_.null_counts;
    }
    switch (value.kind) {
      case ValueKind::kNumber: amount = value.number * plan_.scale; return true;
      case ValueKind::kBool: amount = (value.boolean ? 1 : 0) * plan_.scale; return true;
      case ValueKind::kString: return number_in(value.text, amount);
      default: return false;
    }
  }

  bool number_in(std::string_view text, double& amount) {
    if (const auto number = parse_go_float(text)) {
      amount = *number * plan_.scale;
      return true;
    }
    if (const auto duration = parse_go_duration(text)) {
      amount = std::chrono::duration<double>(*duration).count();
      return true;
    }
    count_error("not_numeric");
    return false;
  }

  Series* series_of(const LabelSet& labels) {
    const auto found = cache_.find(labels.id);
    if (found != cache_.end() && !found->second->retired()) return found->second.get();
    SeriesPtr series = claim_->series(visible_labels(labels.labels));
    if (!series) return nullptr;
    if (cache_.size() >= kCachedSetsMax) cache_.clear();
    return (cache_[labels.id] = std::move(series)).get();
  }

  void apply(Series& series, double amount, const Entry& entry) {
    switch (plan_.action) {
      case MetricAction::kInc:
      case MetricAction::kAdd: series.add(amount); break;
      case MetricAction::kDec:
      case MetricAction::kSub: series.add(-amount); break;
      case MetricAction::kSet: series.set(amount); break;
      case MetricAction::kObserve: series.observe(amount); break;
    }
    series.touch(context_.clock->steady());
    if (plan_.metric.type == MetricType::kGauge) return;
    NumberText scratch;
    const std::string_view trace = trace_of(entry, scratch);
    // Zeros are what tracers write outside of a span.
    const bool known = trace.find_first_not_of('0') != std::string_view::npos;
    if (known && trace.size() <= kTraceBytesMax && is_utf8_line(trace))
      series.set_exemplar(trace, amount, entry.timestamp());
  }

  static std::string_view trace_of(const Entry& entry, NumberText& scratch) {
    const std::string_view known = entry.metadata_value("trace_id");
    if (!known.empty()) return known;
    for (const std::string_view key : kTraceKeys) {
      const Value value = entry.extracted().get(key);
      if (value.has_text()) return value_text(value, scratch);
    }
    return {};
  }

  void count_error(const char* reason) {
    context_.metrics->counter("promtail_metric_errors_total", "", Labels{{"reason", reason}})->add(1);
  }

  MetricPlan plan_;
  std::unique_ptr<MetricClaim> claim_;
  StageContext context_;
  boost::unordered_flat_map<std::uint64_t, SeriesPtr> cache_;
};

class MetricsStage final : public Stage {
 public:
  explicit MetricsStage(std::vector<MetricUpdater> metrics) : metrics_(std::move(metrics)) {}
  std::string_view name() const override { return "metrics"; }

  Verdict process(Entry& entry, EntrySink&) override {
    for (MetricUpdater& metric : metrics_) metric.update(entry);
    return Verdict::kPass;
  }

 private:
  std::vector<MetricUpdater> metrics_;
};

Result<MetricUpdater> make_metric(const std::string& name, const YamlNode& node, BuildContext& context) {
  KVASIR_TRY(MetricPlan plan, read_metric_plan(name, node, context));
  if (!plan.every_entry && !context.produces_any && !context.produced.contains(plan.source))
    context.diagnostics.warnings.push_back(context.place.text() + ": metric " + name + ": source \"" + plan.source +
                                           "\" is not produced by any earlier stage");
  KVASIR_TRY(auto claim, context.stage.metrics->claim(plan.metric, context.diagnostics.warnings));
  return MetricUpdater(std::move(plan), std::move(claim), context.stage);
}

}  // namespace

StageResult make_metrics_stage(const YamlNode& node, BuildContext& context) {
  if (!node.is_map() || node.entries.empty()) return invalid("empty metric stage configuration");
  std::vector<MetricUpdater> metrics;
  std::optional<Error> first;
  for (const auto& entry : node.entries) {
    const std::size_t noted = context.diagnostics.errors.size();
    BuildContext inside = context;
    inside.place.line = entry.line;
    auto metric = make_metric(entry.key, entry.value, inside);
    if (metric) {
      metrics.push_back(std::move(*metric));
      continue;
    }
    if (context.diagnostics.errors.size() == noted)
      add_fault(inside.place, 0, metric.error().message(), context.diagnostics);
    if (!first) first = metric.error();
  }
  if (first) return fail(*first);
  return std::make_unique<MetricsStage>(std::move(metrics));
}

}  // namespace kvasir::agent
