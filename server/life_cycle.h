// life_cycle.h -- what admin routes may ask of the process: stop, reload; and what they show of its state.
//
// Threads:  any.
#pragma once

#include <atomic>
#include <functional>

#include "common/result.h"

namespace kvasir::server {

struct LifeCycle {
  std::atomic<unsigned> replayed_percent{0};  // of the log, at the start
  std::atomic<bool> ready{false};
  std::atomic<bool> stopping{false};
  std::atomic<bool> ingester_stopped{false};
  std::atomic<bool> prepared_to_shut_down{false};
  std::function<void()> request_stop;        // returns at once
  std::function<Result<void>()> reload;      // configuration and runtime overrides
};

}  // namespace kvasir::server
