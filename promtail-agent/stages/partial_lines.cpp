#include "promtail-agent/stages/partial_lines.h"

#include <algorithm>

#include "common/log.h"

namespace kvasir::agent {

Verdict PartialLines::process(Entry& entry, bool partial, EntrySink& next) {
  if (partial) {
    hold(entry, next);
    return Verdict::kHeld;
  }
  if (held_.size() == 0) return Verdict::kPass;
  Parts* parts = held_.find(*entry.labels());
  if (parts == nullptr) return Verdict::kPass;
  parts->text += entry.line();
  cut(parts->text);
  entry.set_line_copy(parts->text);
  for (const SourceRange& range : entry.sources()) add_range(parts->sources, range);
  entry.set_sources(parts->sources);
  held_.erase(*entry.labels());
  return Verdict::kPass;
}

void PartialLines::hold(Entry& entry, EntrySink& next) {
  if (held_.size() >= options_.max_sets) {
    log::warn("agent", "cri stage: partial lines upperbound exceeded. merging it to single line",
              {{"threshold", std::to_string(options_.max_sets)}});
    flush_all(next);
  }
  Parts* parts = held_.find(*entry.labels());
  if (parts == nullptr) parts = &held_.insert(entry.labels());
  parts->text += entry.line();
  cut(parts->text);
  entry.set_line({});
  parts->last.copy_from(entry);
  for (const SourceRange& range : entry.sources()) add_range(parts->sources, range);
  parts->deadline = clock_.steady() + options_.timeout;
  earliest_ = std::min(earliest_, parts->deadline);
  if (parts->text.size() < kPartialBytesMax) return;
  flush(*parts, next);
  held_.erase(*entry.labels());
}

void PartialLines::cut(std::string& text) const {
  if (options_.truncate && text.size() > options_.truncate_bytes) text.resize(options_.truncate_bytes);
}

void PartialLines::flush(Parts& parts, EntrySink& next) {
  parts.last.set_line(parts.text);
  parts.last.set_sources(parts.sources);
  next.accept(parts.last);
}

void PartialLines::flush_all(EntrySink& next) {
  for (auto& [hash, parts] : held_) flush(parts, next);
  held_.clear();
  earliest_ = Duration::max();
}

void PartialLines::tick(EntrySink& next) {
  const Duration now = clock_.steady();
  earliest_ = Duration::max();
  for (auto& [hash, parts] : held_) {
    if (parts.deadline <= now) flush(parts, next);
    else earliest_ = std::min(earliest_, parts.deadline);
  }
  held_.erase_if([now](const Parts& parts) { return parts.deadline <= now; });
}

}  // namespace kvasir::agent
