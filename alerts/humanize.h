// humanize.h -- numbers as people read them, in the forms that Prometheus' templates give.
#pragma once

#include <string>

namespace kvasir::alerts {

std::string humanize(double value);             // 1.234k, 12.3m
std::string humanize1024(double value);         // 1.5ki
std::string humanize_duration(double seconds);  // 1d 2h 3m 4s, 250ms
std::string humanize_percentage(double ratio);  // 12.34%

}  // namespace kvasir::alerts
