// open_metrics.h -- Prometheus' text format in the form of OpenMetrics.
//
// Rules:    a counter's family goes without `_total`; one whose samples do not end so is of unknown type, for
//           OpenMetrics has no other counters. The text ends in `# EOF`.
// Threads:  free functions.
#pragma once

#include <string>
#include <string_view>

namespace kvasir::server {

inline constexpr const char* kOpenMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Accept names OpenMetrics.
bool wants_open_metrics(std::string_view accept);
/// `text` as prometheus-cpp writes it: HELP, TYPE, then the samples of each family.
std::string to_open_metrics(std::string_view text);

}  // namespace kvasir::server
