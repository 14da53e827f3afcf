// metric_registry.h -- every series that the agent shows on /metrics: its own and those that metrics stages derive from
// lines.
//
// Shape:    one family per full name. Built-in families are registered by the agent; custom ones are claimed by metrics
//           stages. Custom metrics of the same name and type share one family, whose equal label sets share one series.
// Expiry:   a custom series that was not updated for its idle time is shown once more and then removed.
// Reload:   begin_generation() before pipelines of a new configuration are built: claims of an older configuration do
//           not conflict with new ones. A family lives as long as a pipeline holds a claim on it.
// Errors:   claim(): invalid_argument for a type or buckets that contradict another claim or a built-in family.
// Threads:  any. Updates of a Series are atomic; look a series up once and keep it.
// Limits:   kSeriesMax custom series in all; beyond it updates are counted in
//           promtail_metric_errors_total{reason="series_limit"}.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/labels.h"
#include "common/mutex.h"
#include "common/result.h"

namespace kvasir::agent {

inline constexpr std::size_t kSeriesMax = 200'000;

enum class MetricType { kCounter, kGauge, kHistogram };
std::string_view metric_type_name(MetricType type);

/// Upper bounds without +Inf, ascending.
using Buckets = std::vector<double>;
Buckets default_buckets();

/// The trace that an observation belongs to, shown in OpenMetrics.
struct Exemplar {
  std::string trace_id;
  double value = 0;
  TimestampNs timestamp;
};

/// One series of any type.
class Series {
 public:
  Series(MetricType type, Labels labels, const Buckets* buckets);

  void add(double amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }
  /// Histograms only.
  void observe(double value);
  /// Remembers the newest trace for the value's bucket (histograms) or the series (counters).
  void set_exemplar(std::string_view trace_id, double value, TimestampNs timestamp);
  /// Marks the series as used at this time (clock.steady()).
  void touch(Duration now) { touched_.store(now.count(), std::memory_order_relaxed); }
  /// True once the registry has removed it: look it up anew.
  bool retired() const { return retired_.load(std::memory_order_acquire); }
  const Labels& labels() const { return labels_; }
  const Buckets& buckets() const { return buckets_; }
  /// Of one bucket alone; the last one is +Inf.
  std::uint64_t bucket_count(std::size_t i) const { return bucket_counts_[i].load(std::memory_order_relaxed); }
  std::optional<Exemplar> exemplar(std::size_t slot) const;

 private:
  friend class MetricRegistry;
  std::size_t bucket_of(double value) const;

  const Labels labels_;
  const MetricType type_;
  const Buckets buckets_;
  std::atomic<double> value_{0};                                // the sum of a histogram
  std::unique_ptr<std::atomic<std::uint64_t>[]> bucket_counts_; // one more than buckets_: +Inf
  std::atomic<std::int64_t> touched_{0};
  std::atomic<std::int64_t> idle_limit_{0};                     // 0: never expires
  std::atomic<bool> retired_{false};
  mutable Mutex mutex_;
  std::map<std::size_t, Exemplar> exemplars_ KVASIR_GUARDED_BY(mutex_);
};

using SeriesPtr = std::shared_ptr<Series>;

struct CustomMetric {
  std::string name;  // full, prefix included
  std::string help;
  MetricType type = MetricType::kCounter;
  Buckets buckets;
  Duration idle_limit{0};
};

class MetricRegistry;
struct MetricFamily;

/// A metrics stage's hold on a family; letting go of the last one removes the family's series.
class MetricClaim {
 public:
  MetricClaim(MetricRegistry& registry, std::shared_ptr<MetricFamily> family, CustomMetric metric);
  ~MetricClaim();
  MetricClaim(const MetricClaim&) = delete;
  MetricClaim& operator=(const MetricClaim&) = delete;
  /// The series of these labels, made if it is not there; nullptr if the limit is reached or a built-in series has
  /// them.
  SeriesPtr series(const Labels& labels);

 private:
  MetricRegistry& registry_;
  std::shared_ptr<MetricFamily> family_;
  CustomMetric metric_;
};

enum class MetricsFormat { kPrometheus, kOpenMetrics };

class MetricRegistry {
 public:
  explicit MetricRegistry(const Clock& clock);
  ~MetricRegistry();

  // Built-in metrics: made once, kept by the caller, never expire. Where a custom metric of another type has the name,
  // the series is not shown.
  /// So that no custom metric takes the name for another type; help may follow with the first series.
  void register_builtin(std::string_view name, MetricType type, std::string_view help);
  SeriesPtr counter(std::string_view name, std::string_view help, Labels labels = {});
  SeriesPtr gauge(std::string_view name, std::string_view help, Labels labels = {});
  SeriesPtr histogram(std::string_view name, std::string_view help, Labels labels = {},
                      Buckets buckets = default_buckets());
  /// A series of something that is gone (a file no longer read).
  void remove(std::string_view name, const Labels& labels);

  void begin_generation();
  /// Warnings (help texts that differ, a name shared with a built-in family) are appended.
  Result<std::unique_ptr<MetricClaim>> claim(CustomMetric metric, std::vector<std::string>& warnings);

  /// The text that /metrics answers; removes series that have been idle for too long.
  std::string render(MetricsFormat format);

 private:
  friend class MetricClaim;
  using FamilyPtr = std::shared_ptr<MetricFamily>;
  SeriesPtr builtin(std::string_view name, std::string_view help, MetricType type, Labels labels,
                    const Buckets& buckets);
  SeriesPtr custom_series(MetricFamily& family, const CustomMetric& metric, const Labels& labels);
  void release(const FamilyPtr& family);

  const Clock& clock_;
  SeriesPtr collisions_;
  SeriesPtr over_limit_;
  Mutex mutex_;
  std::map<std::string, FamilyPtr, std::less<>> families_ KVASIR_GUARDED_BY(mutex_);
  std::uint64_t generation_ KVASIR_GUARDED_BY(mutex_) = 0;
  std::size_t custom_series_ KVASIR_GUARDED_BY(mutex_) = 0;
};

}  // namespace kvasir::agent
