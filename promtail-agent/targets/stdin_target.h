// stdin_target.h -- lines from standard input.
//
// Shape:    CR and LF at the end are removed, empty lines skipped, a last line without newline is taken.
// Threads:  one own thread.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "promtail-agent/services.h"
#include "promtail-agent/targets/target.h"

namespace kvasir::agent {

class StdinTarget final : public Target {
 public:
  /// `at_end` is called once, from the target's thread, when the input has ended.
  StdinTarget(JobParts parts, Labels labels, std::function<void()> at_end);
  ~StdinTarget() override;

  Result<void> start() override;
  void request_stop() override { stopping_ = true; }
  void stop() override;
  bool ready() const override { return !ended_; }
  std::vector<TargetStatus> status() const override;

 private:
  void run();
  void feed_lines(std::string& held, bool at_end);

  JobParts parts_;
  const LabelSetPtr labels_;
  std::function<void()> at_end_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace kvasir::agent
