// feeder.h -- takes the lines of a job through its pipeline and keeps the books on their ranges.
//
// Order:    entries leave in the order in which they came, except where a stage holds some back.
// Threads:  one at a time; the job's thread, or under the job's lock.
// Limits:   none of its own; push() of the output blocks when clients cannot follow.
#pragma once

#include <memory>

#include "promtail-agent/output.h"
#include "promtail-agent/progress.h"
#include "promtail-agent/stages/stage.h"

namespace kvasir::agent {

class Feeder final : public EntrySink {
 public:
  Feeder(std::unique_ptr<Pipeline> pipeline, EntryOutput& output, const ProgressTable& progress, const Clock& clock)
      : pipeline_(std::move(pipeline)), output_(output), progress_(progress), clock_(clock) {}

  /// One line of a source with a position. False: the output is stopping.
  bool feed(SourceProgress& source, const LabelSetPtr& labels, TimestampNs timestamp, std::string_view line,
            std::uint64_t begin, std::uint64_t end);
  /// Bytes of the source that make no line.
  void skip(SourceProgress& source, std::uint64_t begin, std::uint64_t end, std::string_view reason);
  /// One entry without a position; `metadata` may be empty.
  bool feed(const LabelSetPtr& labels, TimestampNs timestamp, std::string_view line,
            std::span<const LabelView> metadata = {});
  void count_too_long(const EntryOutput::TooLong& lines) { output_.count_too_long(lines); }
  /// As EntryOutput::wait_for_room().
  bool wait_for_room(const std::string& tenant, std::uint64_t bytes, Duration limit) {
    return output_.wait_for_room(tenant, bytes, limit);
  }
  /// Runs the pipeline's timers that are due.
  void tick();
  /// On clock.steady().
  Duration deadline() const { return pipeline_->deadline(); }
  /// Pushes out what stages hold, where that is complete.
  void close();

  void accept(Entry& entry) override;
  void dropped(Entry& entry) override;

 private:
  void give_back(const Entry& entry, bool settled);

  std::unique_ptr<Pipeline> pipeline_;
  EntryOutput& output_;
  const ProgressTable& progress_;
  const Clock& clock_;
  Entry entry_;
  SourceProgress* current_ = nullptr;  // the source of the line that is being fed
  std::uint64_t current_begin_ = 0;
  bool current_returned_ = false;
  bool refused_ = false;
};

}  // namespace kvasir::agent
