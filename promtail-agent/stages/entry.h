// entry.h -- one log entry on its way through a pipeline, and where it came from.
//
// Shape:    labels (shared set), timestamp, line (bytes), structured metadata in order, extracted values, source
//           ranges.
// Lifetime: an Entry is made once and begun anew for each line: its buffers are kept, so that steady work allocates
//           nothing. The line given to begin() must stay in place until process() returns; a stage that holds an entry
//           back copies it.
// Sources:  each entry carries the ranges of the source it was made of. Whoever feeds a pipeline gets every range back
//           exactly once: in accept() of an entry (the ranges of merged parts come together) or in dropped(). Ranges of
//           entries that a stage holds back are still open; a position must not pass them.
// Threads:  one.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/labels.h"
#include "common/time.h"
#include "promtail-agent/stages/arena.h"
#include "promtail-agent/stages/extracted.h"
#include "promtail-agent/stages/label_set.h"

namespace kvasir::agent {

/// A piece of an input, in whatever counts there (bytes of a file, numbers of journal entries). Opaque to stages.
struct SourceRange {
  std::uint64_t source = 0;  // which input; given by the feeder
  std::uint64_t begin = 0;
  std::uint64_t end = 0;     // exclusive
  friend bool operator==(const SourceRange&, const SourceRange&) = default;
};

/// Appends, or makes the last range longer if this one follows it directly.
void add_range(std::vector<SourceRange>& ranges, const SourceRange& range);

class Entry {
 public:
  Entry() = default;
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  Entry(Entry&&) = default;
  Entry& operator=(Entry&&) = default;

  /// A new line; everything of the one before is forgotten.
  void begin(LabelSetPtr labels, TimestampNs timestamp, std::string_view line, SourceRange source);
  /// As begin(), for a source that gives structured metadata too (appended by add_metadata) or many ranges.
  void begin(LabelSetPtr labels, TimestampNs timestamp, std::string_view line);
  /// A deep copy that outlives the line and the arena of `other`.
  void copy_from(const Entry& other);

  const LabelSetPtr& labels() const { return labels_; }
  void set_labels(LabelSetPtr labels) { labels_ = std::move(labels); }

  TimestampNs timestamp() const { return timestamp_; }
  void set_timestamp(TimestampNs timestamp) { timestamp_ = timestamp; }
  /// East of UTC: how the timestamp was written, for printing it; 0 for the time of reading.
  std::int32_t zone_offset_seconds() const { return zone_offset_seconds_; }
  void set_zone_offset(std::int32_t seconds) { zone_offset_seconds_ = seconds; }

  std::string_view line() const { return line_; }
  /// The text must live as long as this pass: a view of the old line, of the arena or of an extracted value.
  void set_line(std::string_view line) { line_ = line; }
  /// Copies the text first.
  void set_line_copy(std::string_view line) { line_ = arena_.copy(line); }

  std::span<const LabelView> metadata() const { return metadata_; }
  /// Replaces the value if the name is there, appends otherwise. Copies both texts.
  void set_metadata(std::string_view name, std::string_view value);
  void erase_metadata(std::string_view name);
  /// The value, or an empty view with a null data pointer.
  std::string_view metadata_value(std::string_view name) const;

  Extracted& extracted() { return extracted_; }
  const Extracted& extracted() const { return extracted_; }

  /// Name of the stage that dropped it.
  std::string_view dropped_by() const { return dropped_by_; }
  void set_dropped_by(std::string_view stage) { dropped_by_ = stage; }

  std::span<const SourceRange> sources() const { return sources_; }
  void add_source(const SourceRange& range) { add_range(sources_, range); }
  void set_sources(const std::vector<SourceRange>& ranges) { sources_ = ranges; }

  /// Storage for texts that live as long as this entry's pass.
  Arena& arena() { return arena_; }

 private:
  LabelSetPtr labels_;
  TimestampNs timestamp_;
  std::int32_t zone_offset_seconds_ = 0;
  std::string_view line_;
  std::vector<LabelView> metadata_;
  Extracted extracted_;
  std::vector<SourceRange> sources_;
  std::string_view dropped_by_;
  Arena arena_;
};

}  // namespace kvasir::agent
