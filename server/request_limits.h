// request_limits.h -- the limits that a client sets for one query: X-Loki-Query-Limits.
//
// Shape:    {"maxQueryLength":"1h","maxQueryInterval":"10m","maxQueryLookback":"1d","maxQueryTime":"10s","maxEntriesLimitPerQuery":100,
//           "minimumLabelsNumber":1,"requiredLabels":["app"],"maxQueryBytesRead":"1GB"}; other keys are ignored.
// Rules:    a limit may only become tighter.
// Errors:   invalid_argument: not JSON, or a value of the wrong kind.
// Threads:  free functions.
#pragma once

#include <string_view>

#include "common/result.h"
#include "server/tenant_settings.h"

namespace kvasir::server {

Result<void> tighten(QuerySettings& settings, std::string_view json);

}  // namespace kvasir::server
