// The stages that thin out a stream: limit (token buckets) and sampling.
#include <cmath>
#include <unordered_map>

#include <fmt/format.h>

#include "promtail-agent/stages/drop_counter.h"
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/stage_options.h"
#include "promtail-agent/stages/token_bucket.h"

namespace kvasir::agent {
namespace {

constexpr std::int64_t kDistinctLabelsMin = 10'000;
constexpr std::string_view kByLabelName = "logentry_dropped_lines_by_label_total";

struct LimitOptions {
  double rate = 0;
  double burst = 0;
  bool drop = false;
  std::string by_label;
  std::size_t max_labels = kDistinctLabelsMin;
};

class LimitStage final : public Stage {
 public:
  LimitStage(LimitOptions options, const StageContext& context)
      : options_(std::move(options)),
        context_(context),
        bucket_(options_.rate, options_.burst, context.clock->steady()),
        dropped_(context.metrics, "ratelimit_drop_stage") {}
  std::string_view name() const override { return "limit"; }

  Verdict process(Entry& entry, EntrySink&) override {
    if (!options_.by_label.empty()) return by_label(entry);
    const Duration now = context_.clock->steady();
    if (!options_.drop) {
      const Duration wait = bucket_.reserve(now);
      if (wait > Duration::zero() && context_.wait) context_.wait(wait);
      return Verdict::kPass;
    }
    return bucket_.take(now) ? Verdict::kPass : drop();
  }

 private:
  struct PerLabel {
    TokenBucket bucket;
    SeriesPtr dropped;
  };

  Verdict drop() {
    dropped_.add();
    return Verdict::kDropped;
  }

  Verdict by_label(const Entry& entry) {
    const auto value = entry.labels()->labels.get(options_.by_label);
    if (!value) return Verdict::kPass;
    const Duration now = context_.clock->steady();
    auto found = per_label_.find(std::string(*value));
    if (found == per_label_.end()) {
      if (per_label_.size() >= options_.max_labels) forget_labels();
      found = per_label_.emplace(*value, PerLabel{TokenBucket(options_.rate, options_.burst, now), nullptr}).first;
    }
    PerLabel& label = found->second;
    if (label.bucket.take(now)) return Verdict::kPass;
    if (!label.dropped && context_.metrics != nullptr)
      label.dropped = context_.metrics->counter(
          kByLabelName, "A count of all log lines dropped by the limit stage for each label", counter_labels(*value));
    if (label.dropped) label.dropped->add(1);
    return drop();
  }

  Labels counter_labels(std::string_view value) const {
    return Labels{{"label_name", options_.by_label}, {"label_value", std::string(value)}};
  }

  void forget_labels() {
    for (const auto& [value, label] : per_label_)
      if (label.dropped) context_.metrics->remove(kByLabelName, counter_labels(value));
    per_label_.clear();
  }

  LimitOptions options_;
  StageContext context_;
  TokenBucket bucket_;
  DropCounter dropped_;
  std::unordered_map<std::string, PerLabel> per_label_;
};

class SamplingStage final : public Stage {
 public:
  SamplingStage(double rate, std::string reason, const StageContext& context)
      : threshold_(std::ldexp(rate, 53)), state_(context.seed), dropped_(context.metrics, std::move(reason)) {}
  std::string_view name() const override { return "sampling"; }

  Verdict process(Entry&, EntrySink&) override {
    if (static_cast<double>(draw() >> 11) < threshold_) return Verdict::kPass;
    dropped_.add();
    return Verdict::kDropped;
  }

 private:
  // splitmix64
  std::uint64_t draw() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  double threshold_;  // draws of 53 bits below it pass
  std::uint64_t state_;
  DropCounter dropped_;
};

}  // namespace

StageResult make_limit_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  LimitOptions limit;
  limit.rate = options.number("rate").value_or(0);
  limit.burst = static_cast<double>(options.integer("burst", 0));
  limit.drop = options.flag("drop");
  limit.by_label = options.text("by_label_name", "");
  const auto max_labels = options.integer("max_distinct_labels", 0);
  if (!options.faulty() && (!(limit.rate > 0) || limit.burst <= 0))
    options.fault(limit.rate > 0 ? "burst" : "rate", "limit stage failed to parse rate or burst");
  if (!limit.by_label.empty() && !limit.drop)
    options.fault("by_label_name", "When ratelimiting by label, drop must be true");
  KVASIR_CHECK_OK(options.finish());
  if (max_labels > kDistinctLabelsMin) limit.max_labels = static_cast<std::size_t>(max_labels);
  if (!limit.by_label.empty() && max_labels != 0 && max_labels < kDistinctLabelsMin)
    options.warn("max_distinct_labels is raised to " + std::to_string(kDistinctLabelsMin));
  return std::make_unique<LimitStage>(std::move(limit), context.stage);
}

StageResult make_sampling_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  const auto rate = options.number("rate");
  auto reason = options.text("drop_counter_reason", "sampling_stage");
  KVASIR_CHECK_OK(options.finish());
  if (!rate) return invalid("sampling stage failed to parse rate,rate is required");
  if (!(*rate >= 0 && *rate <= 1))
    return invalid(fmt::format(
        "sampling stage failed to parse rate,Sampling Rate must be between 0.0 and 1.0, received {:f}", *rate));
  if (reason.empty()) reason = "sampling_stage";
  return std::make_unique<SamplingStage>(*rate, std::move(reason), context.stage);
}

}  // namespace kvasir::agent
