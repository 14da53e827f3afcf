// partial_lines.h -- joins lines that a container runtime wrote in parts, by label set.
//
// Shape:    parts are held until the last one comes; the joined entry has timestamp, labels and extracted values of the
//           last part and the source ranges of all of them.
// Limits:   as many label sets with parts as max_sets says: one more, and all parts go on as they are. kPartialBytesMax
//           for one line: then what is there goes on. Nothing is lost.
// Time:     parts without a continuation go on after the timeout.
// Stop:     parts are forgotten unsettled: they are read again.
// Threads:  one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "promtail-agent/stages/stage.h"

namespace kvasir::agent {

inline constexpr std::size_t kPartialBytesMax = 1 << 20;

struct PartialOptions {
  std::size_t max_sets = 100;
  std::size_t truncate_bytes = 0;
  bool truncate = false;
  Duration timeout = std::chrono::seconds(60);
};

class PartialLines {
 public:
  PartialLines(PartialOptions options, const Clock& clock) : options_(options), clock_(clock) {}

  /// kHeld for a part; for anything else the entry becomes the whole line and goes on.
  Verdict process(Entry& entry, bool partial, EntrySink& next);
  void tick(EntrySink& next);
  Duration deadline() const { return earliest_; }

 private:
  struct Parts {
    LabelSetPtr labels;
    Entry last;
    std::string text;
    std::vector<SourceRange> sources;
    Duration deadline{0};
  };

  void hold(Entry& entry, EntrySink& next);
  void cut(std::string& text) const;
  void flush_all(EntrySink& next);
  void flush(Parts& parts, EntrySink& next);

  PartialOptions options_;
  const Clock& clock_;
  LabelSetMap<Parts> held_;
  Duration earliest_ = Duration::max();  // not after the first deadline
};

}  // namespace kvasir::agent
