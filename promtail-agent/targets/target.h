// target.h -- an input that runs: what the agent's pages and its shutdown need to know of it.
//
// Order:    start() once; request_stop(), then stop(), which ends every thread and has given the last entries to the
//           pipeline.
// Threads:  ready() and status() from any thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/labels.h"
#include "common/result.h"

namespace kvasir::agent {

struct TargetStatus {
  std::string type;         // File, Journal, Syslog ...
  bool ready = false;
  Labels discovered;        // before relabelling
  Labels labels;            // what entries get; empty if dropped
  std::string dropped;      // why this target is not read; "" if it is
  std::vector<std::pair<std::string, std::string>> details;  // path and position, address ...
};

class Target {
 public:
  virtual ~Target() = default;
  virtual Result<void> start() = 0;
  virtual void request_stop() = 0;
  virtual void stop() = 0;
  virtual bool ready() const = 0;
  virtual std::vector<TargetStatus> status() const = 0;
};

}  // namespace kvasir::agent
