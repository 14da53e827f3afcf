// stage.h -- one step of a pipeline: changes an entry, drops it, or holds it back and passes it on later.
//
// Order:    entries of one pipeline go through it one after the other, in the order they were given. Nothing is
//           reordered except by a stage that holds entries back (multiline, cri, docker with merge_partial) and only
//           against other label sets.
// Time:     stages read the clock they were given; those with timers say when they want to be called again
//           (deadline()).
// Threads:  a pipeline is used by one thread at a time; its user holds a lock or pins it to a worker.
// Limits:   a stage that holds entries back bounds what it holds (kHeldBytesMax, kHeldSetsMax).
// Errors:   process() has none: a line that a stage cannot read goes on unchanged, and is counted where the stage says
//           so.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "promtail-agent/stages/entry.h"

namespace kvasir::agent {

inline constexpr std::size_t kHeldBytesMax = 64 << 20;   // of one stage, over all label sets
inline constexpr std::size_t kHeldSetsMax = 10'000;      // label sets with state in one stage

class MetricRegistry;

/// Where entries leave a pipeline.
class EntrySink {
 public:
  virtual ~EntrySink() = default;
  /// The entry is valid during the call; what is kept must be copied or moved out.
  virtual void accept(Entry& entry) = 0;
  /// A stage decided against the entry: its ranges are settled. Already counted.
  virtual void dropped(Entry& entry) = 0;
};

enum class Verdict {
  kPass,     // go on with the next stage
  kDropped,  // settled; the pipeline tells the sink
  kHeld,     // the stage copied it, sources included
};

class Stage {
 public:
  virtual ~Stage() = default;
  /// `next` is the rest of the pipeline: only for entries other than `entry`, which goes there by itself on kPass.
  virtual Verdict process(Entry& entry, EntrySink& next) = 0;
  /// Timers: called when deadline() has passed, and at any other time.
  virtual void tick(EntrySink& next) { (void)next; }
  /// On clock.steady(); Duration::max() if nothing is waiting.
  virtual Duration deadline() const { return Duration::max(); }
  /// The end of the pipeline: what can be completed goes to `next`. What cannot (half a container line) is forgotten
  /// without being settled, to be read again after a restart.
  virtual void close(EntrySink& next) { (void)next; }
  /// The name in the configuration.
  virtual std::string_view name() const = 0;
};

/// Watches stages work (-inspect).
class StageObserver {
 public:
  virtual ~StageObserver() = default;
  virtual void before(std::string_view stage, const Entry& entry) = 0;
  virtual void after(std::string_view stage, const Entry& entry, Verdict verdict) = 0;
};

/// What stages need from outside. All pointees outlive the pipeline.
struct StageContext {
  const Clock* clock = nullptr;
  MetricRegistry* metrics = nullptr;
  LabelSetTable* label_sets = nullptr;          // of the pipeline; filled in by the builder
  /// Blocks for that long or until the agent stops; the limit stage without `drop` calls it.
  std::function<void(Duration)> wait;
  std::uint64_t seed = 0;                       // of sampling
  std::string job;                              // name of the scrape config, for counters
  StageObserver* observer = nullptr;
  /// `metrics_schema`: whether a metrics stage may be written in the simplified form.
  enum class MetricsSchema { kAuto, kStrict, kSimplified } metrics_schema = MetricsSchema::kAuto;
};

/// Stages in a row; a match stage has one inside.
class StageChain {
 public:
  StageChain() = default;
  StageChain(std::vector<std::unique_ptr<Stage>> stages, StageObserver* observer)
      : stages_(std::move(stages)), observer_(observer) {}
  /// Through the stages from `first` on. An entry that passes all of them is given to `end`, also one released from a
  /// held state.
  void run(std::size_t first, Entry& entry, EntrySink& end);
  /// From the start, for a stage with a chain inside: what becomes of `entry` is the caller's business, `end` gets only
  /// entries that were held back before.
  Verdict pass(Entry& entry, EntrySink& end) { return advance(0, entry, end); }
  void tick(EntrySink& end);
  Duration deadline() const;
  void close(EntrySink& end);
  bool empty() const { return stages_.empty(); }
  std::size_t size() const { return stages_.size(); }

 private:
  Verdict advance(std::size_t first, Entry& entry, EntrySink& end);

  std::vector<std::unique_ptr<Stage>> stages_;
  StageObserver* observer_ = nullptr;
};

/// The pipeline of one scrape config.
class Pipeline {
 public:
  Pipeline(std::unique_ptr<LabelSetTable> label_sets, StageChain chain)
      : label_sets_(std::move(label_sets)), chain_(std::move(chain)) {}
  void process(Entry& entry, EntrySink& sink) { chain_.run(0, entry, sink); }
  /// Runs timers that are due; call it when deadline() (on clock.steady()) has passed.
  void tick(EntrySink& sink) { chain_.tick(sink); }
  Duration deadline() const { return chain_.deadline(); }
  /// After the last entry, before destruction.
  void close(EntrySink& sink) { chain_.close(sink); }
  bool empty() const { return chain_.empty(); }

 private:
  std::unique_ptr<LabelSetTable> label_sets_;
  StageChain chain_;
};

}  // namespace kvasir::agent
