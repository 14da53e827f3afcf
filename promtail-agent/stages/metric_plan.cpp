#include "promtail-agent/stages/metric_plan.h"

#include <algorithm>

#include "common/number.h"
#include "promtail-agent/stages/metric_text.h"
#include "promtail-agent/stages/stage_options.h"

namespace kvasir::agent {
namespace {

constexpr std::string_view kPrefixDefault = "promtail_custom_";
constexpr Duration kIdleDefault = std::chrono::minutes(5);

std::string lowered(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

Result<MetricType> read_type(const std::string& text) {
  const std::string word = lowered(text);
  if (word == "counter") return MetricType::kCounter;
  if (word == "gauge") return MetricType::kGauge;
  if (word == "histogram") return MetricType::kHistogram;
  return invalid("invalid metric type '" + text + "', metric type must be one of 'counter', 'gauge', or 'histogram'");
}

Result<Duration> read_idle_limit(const std::optional<std::string>& text) {
  if (!text || text->empty()) return kIdleDefault;
  const auto limit = parse_go_duration(*text);
  if (!limit)
    return invalid("max_idle_duration could not be parsed as a time.Duration: 'time: invalid duration \"" + *text +
                   "\"'");
  if (*limit < std::chrono::seconds(1)) return invalid("max_idle_duration less than 1s not allowed");
  return *limit;
}

void plan_counter(StageOptions& options, MetricPlan& plan) {
  const bool match_all = options.flag("match_all");
  const bool count_bytes = options.flag("count_entry_bytes");
  plan.equals = options.text("value");
  const auto action = lowered(options.text("action", ""));
  if (action.empty()) options.fault("action", "counter action must be defined as either `inc` or `add`");
  else if (action != "inc" && action != "add")
    options.fault("action", "action " + action + " is not valid, action must be either `inc` or `add`");
  if (match_all && plan.equals)
    options.fault("match_all",
                  "`match_all: true` cannot be combined with `value`, please remove `match_all` or `value`");
  if (count_bytes && !match_all)
    options.fault("count_entry_bytes", "`count_entry_bytes: true` can only be set with `match_all: true`");
  if (count_bytes && action != "add")
    options.fault("count_entry_bytes", "`count_entry_bytes: true` can only be used with `action: add`");
  plan.action = action == "inc" ? MetricAction::kInc : MetricAction::kAdd;
  plan.every_entry = match_all;
  plan.line_bytes = count_bytes;
}

void plan_gauge(StageOptions& options, MetricPlan& plan) {
  plan.equals = options.text("value");
  const auto action = lowered(options.text("action", ""));
  static constexpr std::pair<std::string_view, MetricAction> kActions[] = {
      {"set", MetricAction::kSet}, {"inc", MetricAction::kInc}, {"dec", MetricAction::kDec},
      {"add", MetricAction::kAdd}, {"sub", MetricAction::kSub},
  };
  for (const auto& [word, value] : kActions) {
    if (word != action) continue;
    plan.action = value;
    return;
  }
  options.fault("action", action.empty() ? "gauge action must be defined as `set`, `inc`, `dec`, `add`, or `sub`"
                                         : "action " + action +
                                               " is not valid, action must be `set`, `inc`, `dec`, `add`, or `sub`");
}

void plan_histogram(StageOptions& options, MetricPlan& plan) {
  plan.action = MetricAction::kObserve;
  plan.equals = options.text("value");
  auto buckets = read_buckets(options.find("buckets"));
  if (buckets) plan.metric.buckets = std::move(*buckets);
  else options.fault("buckets", buckets.error().message());
}

}  // namespace

Result<Buckets> read_buckets(const YamlNode* node) {
  if (node == nullptr) return default_buckets();
  KVASIR_TRY(const auto texts, read_texts(*node));
  Buckets buckets;
  for (const std::string& text : texts) {
    const auto bound = parse_go_float(text);
    if (!bound) return invalid("'buckets' expected type 'float64', got value: '" + text + "'");
    if (*bound == std::numeric_limits<double>::infinity()) continue;  // always there
    if (!buckets.empty() && !(*bound > buckets.back())) return invalid("histogram buckets must be in increasing order");
    buckets.push_back(*bound);
  }
  return buckets.empty() ? default_buckets() : buckets;
}

SharedMetricOptions read_shared_options(const std::string& name, StageOptions& options) {
  SharedMetricOptions out;
  const auto type = options.text("type", "");
  out.metric.help = options.text("description", "");
  const auto prefix = options.text("prefix", "");
  out.source = options.text("source");
  const auto known_type = read_type(type);
  out.type_known = known_type.has_value();
  if (known_type) out.metric.type = *known_type;
  else options.fault("type", known_type.error().message());
  const auto idle = read_idle_limit(options.text("max_idle_duration"));
  if (idle) out.metric.idle_limit = *idle;
  else options.fault("max_idle_duration", idle.error().message());
  out.metric.name = valid_metric_name((prefix.empty() ? std::string(kPrefixDefault) : prefix) + name);
  return out;
}

Result<MetricPlan> read_metric_plan(const std::string& name, const YamlNode& node, BuildContext& context) {
  using Schema = StageContext::MetricsSchema;
  const Schema schema = context.stage.metrics_schema;
  if (schema == Schema::kSimplified || (schema == Schema::kAuto && is_simplified_metric(node)))
    return read_simplified_plan(name, node, context);
  StageOptions options(node, context.place.inside(name), context.diagnostics);
  SharedMetricOptions shared = read_shared_options(name, options);
  static const YamlNode kEmpty;
  const YamlNode* config = options.find("config");
  const auto direct = options.finish();
  if (!shared.type_known) return fail(direct.error());
  MetricPlan plan;
  plan.metric = std::move(shared.metric);
  plan.source = shared.source && !shared.source->empty() ? *shared.source : name;
  StageOptions inner(config != nullptr ? *config : kEmpty, context.place.inside(name), context.diagnostics);
  switch (plan.metric.type) {
    case MetricType::kCounter: plan_counter(inner, plan); break;
    case MetricType::kGauge: plan_gauge(inner, plan); break;
    case MetricType::kHistogram: plan_histogram(inner, plan); break;
  }
  KVASIR_CHECK_OK(inner.finish());
  KVASIR_CHECK_OK(direct);
  return plan;
}

}  // namespace kvasir::agent
