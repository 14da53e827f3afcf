// start_ruler.h -- makes the ruler and what it speaks to from the configuration.
//
// Lifetime: RulerParts owns everything; destroy it before the store and the query function's targets.
// Errors:   invalid_argument naming the key of the `ruler` section.
#pragma once

#include <memory>

#include "alerts/ruler.h"
#include "server/config/server_config.h"
#include "server/rule_queries.h"

namespace kvasir::server {

struct RulerParts {
  std::unique_ptr<alerts::Notifier> notifier;          // null without Alertmanagers
  std::unique_ptr<alerts::RemoteWriter> remote_write;  // null unless enabled
  std::unique_ptr<alerts::Ruler> ruler;
};

struct RulerFolders {
  Path rules;
  Path state;  // of alerts, and the queue of recorded samples
};

Result<RulerParts> start_ruler(const RulerConfig& config, const RulerFolders& folders, const Clock& clock,
                               Filesystem& filesystem, RuleQueries queries);

}  // namespace kvasir::server
