#include "promtail-agent/stages/metric_registry.h"

#include <algorithm>
#include <cmath>

#include "common/number.h"
#include "promtail-agent/stages/metric_text.h"

namespace kvasir::agent {

struct MetricFamily {
  std::string name;
  MetricType type = MetricType::kCounter;
  std::string help;
  bool builtin = false;
  Buckets buckets;                 // of custom histograms
  std::uint64_t generation = 0;    // of the newest claim
  std::size_t claims = 0;
  bool detached = false;           // replaced by a family of a newer configuration: no longer shown
  std::map<Labels, SeriesPtr> builtin_series;
  std::map<Labels, SeriesPtr> custom_series;
};

std::string_view metric_type_name(MetricType type) {
  switch (type) {
    case MetricType::kCounter: return "counter";
    case MetricType::kGauge: return "gauge";
    case MetricType::kHistogram: return "histogram";
  }
  return "untyped";
}

Buckets default_buckets() { return {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}; }

Series::Series(MetricType type, Labels labels, const Buckets* buckets)
    : labels_(std::move(labels)), type_(type), buckets_(buckets != nullptr ? *buckets : Buckets()) {
  if (type_ != MetricType::kHistogram) return;
  bucket_counts_ = std::make_unique<std::atomic<std::uint64_t>[]>(buckets_.size() + 1);
}

std::size_t Series::bucket_of(double value) const {
  return static_cast<std::size_t>(std::lower_bound(buckets_.begin(), buckets_.end(), value) - buckets_.begin());
}

void Series::observe(double value) {
  // NaN is above every bound.
  const std::size_t bucket = std::isnan(value) ? buckets_.size() : bucket_of(value);
  bucket_counts_[bucket].fetch_add(1, std::memory_order_relaxed);
  add(value);
}

void Series::set_exemplar(std::string_view trace_id, double value, TimestampNs timestamp) {
  const std::size_t slot = type_ == MetricType::kHistogram ? bucket_of(value) : 0;
  MutexLock lock(mutex_);
  Exemplar& exemplar = exemplars_[slot];
  exemplar.trace_id.assign(trace_id);
  exemplar.value = value;
  exemplar.timestamp = timestamp;
}

std::optional<Exemplar> Series::exemplar(std::size_t slot) const {
  MutexLock lock(mutex_);
  const auto found = exemplars_.find(slot);
  return found == exemplars_.end() ? std::nullopt : std::optional(found->second);
}

MetricClaim::MetricClaim(MetricRegistry& registry, std::shared_ptr<MetricFamily> family, CustomMetric metric)
    : registry_(registry), family_(std::move(family)), metric_(std::move(metric)) {}

MetricClaim::~MetricClaim() { registry_.release(family_); }

SeriesPtr MetricClaim::series(const Labels& labels) { return registry_.custom_series(*family_, metric_, labels); }

MetricRegistry::MetricRegistry(const Clock& clock) : clock_(clock) {
  const std::string name = "promtail_metric_errors_total";
  const std::string help = "Updates of custom metrics that could not be made";
  collisions_ = std::make_shared<Series>(MetricType::kCounter, Labels{{"reason", "collision"}}, nullptr);
  over_limit_ = std::make_shared<Series>(MetricType::kCounter, Labels{{"reason", "series_limit"}}, nullptr);
  register_builtin(name, MetricType::kCounter, help);
}

MetricRegistry::~MetricRegistry() = default;

void MetricRegistry::register_builtin(std::string_view name, MetricType type, std::string_view help) {
  MutexLock lock(mutex_);
  FamilyPtr& family = families_[std::string(name)];
  if (family && family->type != type && (family->builtin || family->claims > 0)) return;
  if (!family) family = std::make_shared<MetricFamily>();
  if (family->builtin && !family->help.empty()) return;
  family->name = name;
  family->type = type;
  family->help = help;
  family->builtin = true;
}

SeriesPtr MetricRegistry::builtin(std::string_view name, std::string_view help, MetricType type, Labels labels,
                                  const Buckets& buckets) {
  register_builtin(name, type, help);
  MutexLock lock(mutex_);
  const FamilyPtr& family = families_.find(name)->second;
  if (family->type != type) return std::make_shared<Series>(type, std::move(labels), &buckets);  // a custom one has it
  SeriesPtr& series = family->builtin_series[labels];
  if (!series) series = std::make_shared<Series>(type, std::move(labels), &buckets);
  return series;
}

SeriesPtr MetricRegistry::counter(std::string_view name, std::string_view help, Labels labels) {
  return builtin(name, help, MetricType::kCounter, std::move(labels), {});
}

SeriesPtr MetricRegistry::gauge(std::string_view name, std::string_view help, Labels labels) {
  return builtin(name, help, MetricType::kGauge, std::move(labels), {});
}

SeriesPtr MetricRegistry::histogram(std::string_view name, std::string_view help, Labels labels, Buckets buckets) {
  return builtin(name, help, MetricType::kHistogram, std::move(labels), buckets);
}

void MetricRegistry::remove(std::string_view name, const Labels& labels) {
  MutexLock lock(mutex_);
  const auto found = families_.find(name);
  if (found != families_.end()) found->second->builtin_series.erase(labels);
}

void MetricRegistry::begin_generation() {
  MutexLock lock(mutex_);
  ++generation_;
}

Result<std::unique_ptr<MetricClaim>> MetricRegistry::claim(CustomMetric metric, std::vector<std::string>& warnings) {
  MutexLock lock(mutex_);
  FamilyPtr& family = families_[metric.name];
  const std::string quoted = "metric " + metric.name;
  if (family && family->builtin && family->type != metric.type)
    return fail(ErrorCode::kInvalidArgument, quoted + " is a " + std::string(metric_type_name(family->type)) +
                                                 " of the agent itself: choose another prefix or name");
  const bool current = family && family->claims > 0 && family->generation == generation_;
  const bool same = family && family->type == metric.type && (family->claims == 0 || family->buckets == metric.buckets);
  if (current && !same)
    return fail(ErrorCode::kInvalidArgument, quoted + " is defined twice with different types or buckets");
  if (current && family->help != metric.help && !family->builtin)
    warnings.push_back(quoted + " is defined twice with different descriptions; the first one counts");
  if (family && family->builtin)
    warnings.push_back(quoted + " has the name of a metric of the agent itself; both are shown under it");
  if (family && !family->builtin && !same) {
    // A newer configuration means something else by the name.
    family->detached = true;
    custom_series_ -= family->custom_series.size();
    family = nullptr;
  }
  if (!family) {
    family = std::make_shared<MetricFamily>();
    family->name = metric.name;
    family->type = metric.type;
  }
  if (!family->builtin && family->generation != generation_) family->help = metric.help;
  if (!family->builtin && family->claims == 0) family->help = metric.help;
  if (family->claims == 0) family->buckets = metric.buckets;
  family->generation = generation_;
  ++family->claims;
  return std::make_unique<MetricClaim>(*this, family, std::move(metric));
}

void MetricRegistry::release(const FamilyPtr& family) {
  MutexLock lock(mutex_);
  if (--family->claims > 0 || family->detached) return;
  for (auto& [labels, series] : family->custom_series) series->retired_.store(true, std::memory_order_release);
  custom_series_ -= family->custom_series.size();
  family->custom_series.clear();
  if (!family->builtin) families_.erase(family->name);
}

SeriesPtr MetricRegistry::custom_series(MetricFamily& family, const CustomMetric& metric, const Labels& labels) {
  MutexLock lock(mutex_);
  if (family.builtin_series.contains(labels)) return collisions_->add(1), nullptr;
  const auto found = family.custom_series.find(labels);
  if (found != family.custom_series.end()) return found->second;
  if (custom_series_ >= kSeriesMax) return over_limit_->add(1), nullptr;
  auto series = std::make_shared<Series>(family.type, labels, &metric.buckets);
  series->idle_limit_ = metric.idle_limit.count();
  series->touch(clock_.steady());
  if (!family.detached) ++custom_series_;
  family.custom_series.emplace(labels, series);
  return series;
}

std::string MetricRegistry::render(MetricsFormat format) {
  MetricText text(format);
  const Duration now = clock_.steady();
  MutexLock lock(mutex_);
  for (const SeriesPtr& error : {collisions_, over_limit_})
    if (error->value() > 0)
      families_.find("promtail_metric_errors_total")->second->builtin_series[error->labels()] = error;
  for (const auto& [name, family] : families_) {
    text.family(name, family->type, family->help);
    for (const auto& [labels, series] : family->builtin_series) text.series(*series);
    for (const auto& [labels, series] : family->custom_series) text.series(*series);
    custom_series_ -= std::erase_if(family->custom_series, [now](const auto& item) {
      Series& series = *item.second;
      if (now.count() - series.touched_ <= series.idle_limit_) return false;
      series.retired_.store(true, std::memory_order_release);
      return true;
    });
  }
  return text.finish();
}

}  // namespace kvasir::agent
