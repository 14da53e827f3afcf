// metric_plan.h -- one metric of a metrics stage as configured: what to look at, when, and what to do with the number.
//
// Schemas:  Promtail's (everything under `config`), and the simplified one that users' documents carry (`match`,
//           `value_name`, `value_type`, keys beside `type`). Which it is is decided per metric; see
//           docs/agent/stages.md.
// Errors:   invalid_argument, in Promtail's words for its schema; `metric <name>: ...` for the simplified one.
#pragma once

#include <optional>
#include <string>

#include "common/result.h"
#include "common/yaml.h"
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/metric_condition.h"
#include "promtail-agent/stages/metric_registry.h"

namespace kvasir::agent {

enum class MetricAction { kInc, kDec, kAdd, kSub, kSet, kObserve };

struct MetricPlan {
  CustomMetric metric;
  MetricAction action = MetricAction::kInc;
  bool every_entry = false;                 // no source is looked at
  bool line_bytes = false;                  // the amount is the line's length
  std::string source;
  bool source_may_be_label = false;         // of that name, if nothing is extracted
  bool null_counts = true;                  // kInc, kDec: a null source is there
  std::optional<std::string> equals;        // the source's text must be this
  std::optional<double> constant;           // the amount, instead of the source's number
  std::optional<MetricCondition> condition;
  double scale = 1;                         // of plain numbers
};

/// Nothing to record (`action: add` with match_all alone) gives a plan all the same.
Result<MetricPlan> read_metric_plan(const std::string& name, const YamlNode& node, BuildContext& context);

/// For metric_plan_simple.cpp: the options that both schemas share. What is wrong becomes a fault of the options.
struct SharedMetricOptions {
  bool type_known = false;
  CustomMetric metric;
  std::optional<std::string> source;
};
SharedMetricOptions read_shared_options(const std::string& name, class StageOptions& options);
Result<Buckets> read_buckets(const YamlNode* node);

/// True if the keys show that the simplified schema is meant.
bool is_simplified_metric(const YamlNode& node);
Result<MetricPlan> read_simplified_plan(const std::string& name, const YamlNode& node, BuildContext& context);

}  // namespace kvasir::agent
