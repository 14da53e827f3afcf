// check_http.h -- HTTP options that contradict each other.
//
// Errors:   invalid_argument, with the words users of Prometheus' configuration search for.
#pragma once

#include "common/result.h"
#include "promtail-agent/config/config.h"

namespace kvasir::agent {

/// Exclusive options given together, required ones missing.
Result<void> check_http_config(const HttpConfig& config);

}  // namespace kvasir::agent
