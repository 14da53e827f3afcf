// check_http.h -- HTTP options that contradict each other.
#pragma once

#include <string>
#include <vector>

#include "promtail-agent/config/config.h"

namespace kvasir::agent {

/// Exclusive options given together, required ones missing; in the words users of Prometheus' configuration search for.
std::vector<std::string> find_http_problems(const HttpConfig& config);

}  // namespace kvasir::agent
