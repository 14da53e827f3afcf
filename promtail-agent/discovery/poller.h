// poller.h -- a discovery that asks again and again.
//
// Order:    the first question at once, then every interval; a change of the answer is told.
// Errors:   an answer that fails is logged and keeps the last list.
// Threads:  one own thread.
#pragma once

#include <atomic>
#include <optional>
#include <stop_token>
#include <thread>

#include "common/mutex.h"
#include "common/result.h"
#include "promtail-agent/discovery/discovery.h"

namespace kvasir::agent {

class Poller : public Discovery {
 public:
  Poller(std::string what, Duration interval) : what_(std::move(what)), interval_(interval) {}
  ~Poller() override;

  void start(Callback callback) override;
  /// REQUIRES: called by the destructor of the derived class too, before its members go.
  void stop() override;

 protected:
  virtual Result<std::vector<TargetGroup>> ask() = 0;
  bool stopping() const { return stopping_; }
  /// Ends what ask() waits for.
  std::stop_token stop_token() const { return stop_.get_token(); }

 private:
  void run();

  const std::string what_;
  const Duration interval_;
  Callback callback_;
  std::atomic<bool> stopping_{false};
  std::stop_source stop_;
  Mutex mutex_;
  Condition wake_;
  std::thread thread_;
};

}  // namespace kvasir::agent
