// discovery.h -- something that knows targets and tells when they change.
//
// Contract: the callback gets the whole list each time; after a failure nothing is told and the last list stays in
//           force.
// Threads:  the callback runs on the discovery's thread. stop() ends it; none is running afterwards.
#pragma once

#include <functional>
#include <vector>

#include "promtail-agent/config/config.h"

namespace kvasir::agent {

class Discovery {
 public:
  using Callback = std::function<void(std::vector<TargetGroup>)>;
  virtual ~Discovery() = default;
  virtual void start(Callback callback) = 0;
  virtual void stop() = 0;
};

}  // namespace kvasir::agent
