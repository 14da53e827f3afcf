// journal_target.h -- reads the systemd journal.
//
// Position: cursor-<job name> holds the cursor of the last entry whose line was acknowledged; reading goes on behind
//           it.
// Labels:   __journal_<field>, the configured ones over them, then relabelling per entry.
// Errors:   the journal is opened again after a pause when it cannot be read.
// Threads:  one own thread; libsystemd's handle belongs to it.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <thread>

#include "promtail-agent/services.h"
#include "promtail-agent/targets/journal_fields.h"
#include "promtail-agent/targets/target.h"

struct sd_journal;

namespace kvasir::agent {

class JournalTarget final : public Target {
 public:
  static Result<std::unique_ptr<JournalTarget>> create(JobParts parts);
  /// What create() would refuse. Errors: invalid_argument.
  static std::vector<std::string> find_problems(const JournalConfig& config);
  ~JournalTarget() override;

  Result<void> start() override;
  void request_stop() override { stopping_ = true; }
  void stop() override;
  bool ready() const override { return true; }
  std::vector<TargetStatus> status() const override;

 private:
  explicit JournalTarget(JobParts parts) : parts_(std::move(parts)), config_(parts_.config.journal) {}
  void run();
  Result<void> open();
  Result<void> seek();
  Result<bool> read_some();
  void handle();
  void pause(Duration time);
  void count_error(const char* reason);
  void collect(Positions& positions);
  std::string key() const { return "cursor-" + parts_.config.job_name; }

  JobParts parts_;
  const JournalConfig config_;
  Duration max_age_{0};
  std::vector<std::string> matches_;
  SeriesPtr lines_;
  ProgressPtr progress_;
  sd_journal* journal_ = nullptr;
  std::string last_cursor_;          // of the entry read last
  std::uint64_t next_number_ = 0;
  LabelSetTable label_sets_;
  int collector_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
  Mutex mutex_;
  std::deque<std::pair<std::uint64_t, std::string>> cursors_ KVASIR_GUARDED_BY(mutex_);  // of entries not known settled
};

}  // namespace kvasir::agent
