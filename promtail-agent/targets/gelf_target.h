// gelf_target.h -- listens for GELF over UDP.
//
// Labels:   __gelf_message_{level,host,version,facility}, the configured ones over them, then relabelling per message.
// Counting: promtail_gelf_target_entries_total, promtail_gelf_target_parsing_errors_total.
// Threads:  one own thread.
#pragma once

#include <atomic>
#include <thread>

#include "promtail-agent/services.h"
#include "promtail-agent/targets/gelf_message.h"
#include "promtail-agent/targets/socket.h"
#include "promtail-agent/targets/target.h"

namespace kvasir::agent {

class GelfTarget final : public Target {
 public:
  explicit GelfTarget(JobParts parts);
  ~GelfTarget() override;

  Result<void> start() override;
  void request_stop() override { stopping_ = true; }
  void stop() override;
  bool ready() const override { return true; }
  std::vector<TargetStatus> status() const override;

 private:
  void run();
  void handle(std::string_view datagram);

  JobParts parts_;
  const GelfConfig config_;
  SeriesPtr entries_, parsing_errors_;
  Fd listener_;
  GelfAssembler assembler_;
  LabelSetTable label_sets_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace kvasir::agent
