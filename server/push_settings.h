// push_settings.h -- the rows of limits_config that rule what may be pushed.
#pragma once

#include <vector>

#include "ingest/limits.h"
#include "server/config/settings_table.h"

namespace kvasir::server {

/// Appends rows without a prefix; they point into `limits`.
void add_push_settings(ingest::TenantLimits& limits, std::vector<Setting>& table);

}  // namespace kvasir::server
