// metric_text.h -- series as Prometheus' text format or as OpenMetrics.
//
// Order:    families as given; a family without series is left out. OpenMetrics: counters lose `_total` in their
//           family's name, exemplars are shown, `# EOF` ends the text.
// Names:    characters that a name may not have become `_`; labels whose names become equal so get more of them.
#pragma once

#include <string>
#include <string_view>

#include "promtail-agent/stages/metric_registry.h"

namespace kvasir::agent {

/// The name with every character that a metric's name may not have as `_`.
std::string valid_metric_name(std::string_view name);

class MetricText {
 public:
  explicit MetricText(MetricsFormat format) : format_(format) {}
  void family(std::string_view name, MetricType type, std::string_view help);
  void series(const Series& series);
  std::string finish();

 private:
  void sample(std::string_view suffix, const Labels& labels, std::string_view bound, double value);
  void exemplar(const Series& series, std::size_t slot);
  void histogram(const Series& series);
  void header();

  MetricsFormat format_;
  std::string out_;
  std::string name_;
  std::string help_;
  MetricType type_ = MetricType::kCounter;
  bool header_written_ = false;
};

}  // namespace kvasir::agent
