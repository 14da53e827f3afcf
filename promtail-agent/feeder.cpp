#include "promtail-agent/feeder.h"

namespace kvasir::agent {

bool Feeder::feed(SourceProgress& source, const LabelSetPtr& labels, TimestampNs timestamp, std::string_view line,
                  std::uint64_t begin, std::uint64_t end) {
  current_ = &source;
  current_begin_ = begin;
  current_returned_ = false;
  entry_.begin(labels, timestamp, line, SourceRange{source.id(), begin, end});
  pipeline_->process(entry_, *this);
  if (!current_returned_) source.hold(begin);
  current_ = nullptr;
  source.set_read(end);
  return !refused_;
}

bool Feeder::feed(const LabelSetPtr& labels, TimestampNs timestamp, std::string_view line,
                  std::span<const LabelView> metadata) {
  entry_.begin(labels, timestamp, line);
  for (const LabelView& pair : metadata) entry_.set_metadata(pair.name, pair.value);
  pipeline_->process(entry_, *this);
  return !refused_;
}

void Feeder::tick() {
  if (pipeline_->deadline() <= clock_.steady()) pipeline_->tick(*this);
}

void Feeder::close() { pipeline_->close(*this); }

void Feeder::accept(Entry& entry) {
  const bool taken = output_.push(entry);
  refused_ = refused_ || !taken;
  give_back(entry, taken);
}

void Feeder::dropped(Entry& entry) {
  output_.left_out(entry.sources(), "stage:" + std::string(entry.dropped_by()));
  give_back(entry, true);
}

void Feeder::skip(SourceProgress& source, std::uint64_t begin, std::uint64_t end, std::string_view reason) {
  const SourceRange range{source.id(), begin, end};
  output_.left_out({&range, 1}, reason);
}

/// Ranges that are not settled stay held for ever: nothing moves past them, and they are read again after a restart.
void Feeder::give_back(const Entry& entry, bool settled) {
  for (const SourceRange& range : entry.sources()) {
    if (range.source == 0) continue;
    const bool has_current = current_ != nullptr && range.source == current_->id() && range.begin <= current_begin_ &&
                             current_begin_ < range.end;
    if (has_current) current_returned_ = settled;
    if (!settled || (has_current && range.begin == current_begin_)) continue;  // a line that was never held
    if (has_current) {
      current_->release(range.begin, range.end);
    } else if (const ProgressPtr source = progress_.find(range.source)) {
      source->release(range.begin, range.end);
    }
  }
}

}  // namespace kvasir::agent
