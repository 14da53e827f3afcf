// The simplified schema of the metrics stage: which metrics are written in it, and what their keys mean.
#include <algorithm>
#include <array>

#include "common/number.h"
#include "promtail-agent/stages/metric_plan.h"
#include "promtail-agent/stages/stage_options.h"

namespace kvasir::agent {
namespace {

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

bool is_one_of(const std::string& word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

const YamlNode* config_of(const YamlNode& node) {
  for (const auto& entry : node.entries)
    if (lowered(entry.key) == "config") return &entry.value;
  return nullptr;
}

bool same_yaml(const YamlNode& a, const YamlNode& b) {
  return a.kind == b.kind && a.text == b.text &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), same_yaml);
}

// The keys of both levels as one map.
Result<YamlNode> merged(const std::string& name, const YamlNode& node) {
  YamlNode out = node;
  std::erase_if(out.entries, [](const auto& entry) { return lowered(entry.key) == "config"; });
  const YamlNode* config = config_of(node);
  if (config == nullptr) return out;
  const std::size_t direct = out.entries.size();
  for (const auto& entry : config->entries) {
    const auto twin = std::find_if(out.entries.begin(), out.entries.begin() + static_cast<std::ptrdiff_t>(direct),
                                   [&](const auto& other) { return lowered(other.key) == lowered(entry.key); });
    if (twin == out.entries.begin() + static_cast<std::ptrdiff_t>(direct)) {
      out.entries.push_back(entry);
    } else if (!same_yaml(twin->value, entry.value)) {
      return invalid("metric " + name + ": \"" + entry.key + "\" given both directly and under config");
    }
  }
  return out;
}

struct Unit {
  std::array<std::string_view, 4> words;  // lower case; the first one is shown
  double scale;
  std::array<std::string_view, 2> suffixes;  // of metric names that keep the unit
};

constexpr std::array<Unit, 17> kUnits{{
    {{"number", "float", "int", "integer"}, 1, {}},
    {{"count", "ratio", "", ""}, 1, {}},
    {{"seconds", "second", "s", "sec"}, 1, {}},
    {{"milliseconds", "millisecond", "ms", "msec"}, 1e-3, {"_ms", "_milliseconds"}},
    {{"microseconds", "microsecond", "us", "usec"}, 1e-6, {"_us", "_microseconds"}},
    {{"nanoseconds", "nanosecond", "ns", "nsec"}, 1e-9, {"_ns", "_nanoseconds"}},
    {{"minutes", "minute", "min", "m"}, 60, {}},
    {{"hours", "hour", "h", ""}, 3600, {}},
    {{"bytes", "byte", "b", ""}, 1, {}},
    {{"kilobytes", "kilobyte", "kb", ""}, 1e3, {}},
    {{"megabytes", "megabyte", "mb", ""}, 1e6, {}},
    {{"gigabytes", "gigabyte", "gb", ""}, 1e9, {}},
    {{"kibibytes", "kibibyte", "kib", ""}, 1024, {}},
    {{"mebibytes", "mebibyte", "mib", ""}, 1048576, {}},
    {{"gibibytes", "gibibyte", "gib", ""}, 1073741824, {}},
    {{"percent", "percents", "%", ""}, 0.01, {}},
    {{"floats", "ints", "integers", "numbers"}, 1, {}},
}};

const Unit* find_unit(const std::string& word) {
  if (word.empty()) return &kUnits[0];
  for (const Unit& unit : kUnits)
    if (std::find(unit.words.begin(), unit.words.end(), word) != unit.words.end()) return &unit;
  return nullptr;
}

std::string allowed_units() {
  std::string out;
  for (const Unit& unit : kUnits) {
    if (unit.words[0] == "floats") continue;
    if (!out.empty()) out += ", ";
    out += unit.words[0];
  }
  return out;
}

bool keeps_unit(std::string_view name, const Unit& unit) {
  if (name.ends_with("_total")) name.remove_suffix(6);
  return std::any_of(unit.suffixes.begin(), unit.suffixes.end(),
                     [&](std::string_view suffix) { return !suffix.empty() && name.ends_with(suffix); });
}

struct SimpleOptions {
  std::string name;
  SharedMetricOptions shared;
  std::optional<std::string> source;  // value_name or source
  std::optional<std::string> value;
  std::string action;
  bool match_all = false;
  bool count_bytes = false;
  const YamlNode* buckets = nullptr;
};

std::string metric_text(const SimpleOptions& options, const std::string& reason) {
  return "metric " + options.name + ": " + reason;
}

Unexpected metric_error(const SimpleOptions& options, const std::string& reason) {
  return invalid(metric_text(options, reason));
}

Result<double> number_option(const SimpleOptions& options) {
  const auto number = parse_go_float(*options.value);
  if (!number) return metric_error(options, "value \"" + *options.value + "\" is not a number");
  return *number;
}

Result<void> plan_counter(const SimpleOptions& options, MetricPlan& plan) {
  if (!is_one_of(options.action, {"", "inc", "add"}))
    return metric_error(options, "action " + options.action + " is not valid, action must be either `inc` or `add`");
  if (options.count_bytes) {
    if (!options.match_all)
      return metric_error(options, "`count_entry_bytes: true` can only be set with `match_all: true`");
    plan.action = MetricAction::kAdd;
    plan.every_entry = plan.line_bytes = true;
    return {};
  }
  plan.action = MetricAction::kAdd;
  plan.every_entry = !options.source || options.match_all;
  const bool adds_source = options.source && !options.match_all && options.action != "inc" && !options.value;
  if (adds_source || (options.action == "add" && options.source && !options.match_all)) return {};
  plan.constant = 1;
  if (!options.value) return {};
  KVASIR_TRY(plan.constant, number_option(options));
  if (*plan.constant < 0) return metric_error(options, "value of a counter must not be negative");
  return {};
}

Result<void> plan_gauge(const SimpleOptions& options, MetricPlan& plan) {
  static constexpr std::pair<std::string_view, MetricAction> kActions[] = {
      {"", MetricAction::kSet},    {"set", MetricAction::kSet}, {"inc", MetricAction::kInc},
      {"dec", MetricAction::kDec}, {"add", MetricAction::kAdd}, {"sub", MetricAction::kSub},
  };
  const auto* action =
      std::find_if(std::begin(kActions), std::end(kActions), [&](const auto& a) { return a.first == options.action; });
  if (action == std::end(kActions))
    return metric_error(
        options, "action " + options.action + " is not valid, action must be `set`, `inc`, `dec`, `add`, or `sub`");
  plan.action = action->second;
  const bool steps = plan.action == MetricAction::kInc || plan.action == MetricAction::kDec;
  if (options.source) {
    plan.equals = options.value;
  } else if (options.value && !steps) {
    plan.every_entry = true;
    KVASIR_TRY(plan.constant, number_option(options));
  } else {
    plan.every_entry = steps;
  }
  return {};
}

Result<void> plan_histogram(const SimpleOptions& options, MetricPlan& plan) {
  plan.action = MetricAction::kObserve;
  plan.equals = options.value;
  auto buckets = read_buckets(options.buckets);
  if (!buckets) return metric_error(options, buckets.error().message());
  plan.metric.buckets = std::move(*buckets);
  return {};
}

Result<void> plan_type(const SimpleOptions& options, MetricPlan& plan) {
  switch (plan.metric.type) {
    case MetricType::kCounter: return plan_counter(options, plan);
    case MetricType::kGauge: return plan_gauge(options, plan);
    case MetricType::kHistogram: return plan_histogram(options, plan);
  }
  return {};
}

// How numbers are brought to the base unit, and why.
Result<std::string> plan_scale(const std::string& name, const std::string& value_type, const std::string& unit_option,
                               MetricPlan& plan) {
  const Unit* unit = find_unit(lowered(value_type));
  if (unit == nullptr)
    return invalid("metric " + name + ": value_type \"" + value_type + "\" is not one of " + allowed_units());
  if (!is_one_of(unit_option, {"", "base", "as_is"}))
    return invalid("metric " + name + ": unit \"" + unit_option + "\" is neither base nor as_is");
  if (unit->scale == 1) return std::string("values are taken as they are");
  if (unit_option == "as_is") return "unit is as_is, so " + std::string(unit->words[0]) + " stay";
  if (unit_option.empty() && keeps_unit(name, *unit))
    return "the name says " + std::string(unit->words[0]) + ", so they stay";
  plan.scale = unit->scale;
  return std::string(unit->words[0]) + " are multiplied by " + format_go_float(unit->scale);
}

}  // namespace

bool is_simplified_metric(const YamlNode& node) {
  for (const auto& entry : node.entries)
    if (is_one_of(lowered(entry.key), {"match", "value_name", "value_type", "value", "buckets", "action", "match_all",
                                       "count_entry_bytes"}))
      return true;
  const YamlNode* config = config_of(node);
  return config != nullptr && std::any_of(config->entries.begin(), config->entries.end(), [](const auto& entry) {
           return is_one_of(lowered(entry.key), {"match", "value_name", "value_type"});
         });
}

Result<MetricPlan> read_simplified_plan(const std::string& name, const YamlNode& node, BuildContext& context) {
  KVASIR_TRY(const YamlNode all, merged(name, node));
  StageOptions options(all, context.place.inside(name), context.diagnostics);
  SimpleOptions simple;
  simple.name = name;
  simple.shared = read_shared_options(name, options);
  const auto value_name = options.text("value_name");
  const auto value_type = options.text("value_type", "");
  const auto unit = options.text("unit", "");
  const auto match = options.text("match");
  simple.value = options.text("value");
  simple.action = lowered(options.text("action", ""));
  simple.match_all = options.flag("match_all");
  simple.count_bytes = options.flag("count_entry_bytes");
  simple.buckets = options.find("buckets");
  if (value_name && simple.shared.source && *value_name != *simple.shared.source)
    options.fault("value_name", metric_text(simple, "value_name and source differ"));
  simple.source = value_name ? value_name : simple.shared.source;

  MetricPlan plan;
  plan.metric = simple.shared.metric;
  plan.source = simple.source.value_or(name);
  plan.source_may_be_label = true;
  plan.null_counts = false;
  const auto planned = plan_type(simple, plan);
  if (simple.shared.type_known && !planned) options.fault("type", planned.error().message());
  if (match) {
    auto condition = MetricCondition::parse(*match);
    if (condition) plan.condition = std::move(*condition);
    else options.fault("match", metric_text(simple, "invalid match: " + condition.error().message()));
  }
  const auto rule = plan_scale(name, value_type, lowered(unit), plan);
  if (!rule) options.fault("value_type", rule.error().message());
  KVASIR_CHECK_OK(options.finish());
  context.diagnostics.notes.push_back(context.place.text() + ": metric " + plan.metric.name +
                                      ": simplified metrics schema detected; " + *rule);
  return plan;
}

}  // namespace kvasir::agent
