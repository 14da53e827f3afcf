#include "promtail-agent/stages/entry.h"

namespace kvasir::agent {

void add_range(std::vector<SourceRange>& ranges, const SourceRange& range) {
  // Lines that follow each other in a file make one range.
  if (!ranges.empty() && ranges.back().source == range.source && ranges.back().end == range.begin) {
    ranges.back().end = range.end;
    return;
  }
  ranges.push_back(range);
}

void Entry::begin(LabelSetPtr labels, TimestampNs timestamp, std::string_view line, SourceRange source) {
  begin(std::move(labels), timestamp, line);
  sources_.push_back(source);
}

void Entry::begin(LabelSetPtr labels, TimestampNs timestamp, std::string_view line) {
  arena_.clear();
  metadata_.clear();
  sources_.clear();
  labels_ = std::move(labels);
  extracted_.begin(labels_);
  timestamp_ = timestamp;
  zone_offset_seconds_ = 0;
  line_ = line;
}

void Entry::copy_from(const Entry& other) {
  begin(other.labels_, other.timestamp_, {});
  zone_offset_seconds_ = other.zone_offset_seconds_;
  line_ = arena_.copy(other.line_);
  extracted_ = other.extracted_;
  extracted_.own(arena_);
  for (const LabelView& pair : other.metadata_) metadata_.push_back({arena_.copy(pair.name), arena_.copy(pair.value)});
  sources_ = other.sources_;
}

void Entry::set_metadata(std::string_view name, std::string_view value) {
  const std::string_view kept = arena_.copy(value);
  for (LabelView& pair : metadata_) {
    if (pair.name != name) continue;
    pair.value = kept;
    return;
  }
  metadata_.push_back({arena_.copy(name), kept});
}

void Entry::erase_metadata(std::string_view name) {
  std::erase_if(metadata_, [&](const LabelView& pair) { return pair.name == name; });
}

std::string_view Entry::metadata_value(std::string_view name) const {
  for (const LabelView& pair : metadata_)
    if (pair.name == name) return pair.value.data() == nullptr ? std::string_view("") : pair.value;
  return {};
}

}  // namespace kvasir::agent
