#include "promtail-agent/stages/stage.h"

#include <algorithm>

namespace kvasir::agent {
namespace {

// What a stage at `position` sees as the rest of the pipeline.
class Rest final : public EntrySink {
 public:
  Rest(StageChain& chain, std::size_t position, EntrySink& end) : chain_(chain), position_(position), end_(end) {}
  void accept(Entry& entry) override { chain_.run(position_, entry, end_); }
  void dropped(Entry& entry) override { end_.dropped(entry); }

 private:
  StageChain& chain_;
  std::size_t position_;
  EntrySink& end_;
};

}  // namespace

Verdict StageChain::advance(std::size_t first, Entry& entry, EntrySink& end) {
  for (std::size_t i = first; i < stages_.size(); ++i) {
    Stage& stage = *stages_[i];
    Rest rest(*this, i + 1, end);
    if (observer_ != nullptr) observer_->before(stage.name(), entry);
    const Verdict verdict = stage.process(entry, rest);
    if (observer_ != nullptr) observer_->after(stage.name(), entry, verdict);
    if (verdict == Verdict::kDropped) entry.set_dropped_by(stage.name());
    if (verdict != Verdict::kPass) return verdict;
  }
  return Verdict::kPass;
}

void StageChain::run(std::size_t first, Entry& entry, EntrySink& end) {
  const Verdict verdict = advance(first, entry, end);
  if (verdict == Verdict::kPass) end.accept(entry);
  if (verdict == Verdict::kDropped) end.dropped(entry);
}

void StageChain::tick(EntrySink& end) {
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    Rest rest(*this, i + 1, end);
    stages_[i]->tick(rest);
  }
}

Duration StageChain::deadline() const {
  Duration earliest = Duration::max();
  for (const auto& stage : stages_) earliest = std::min(earliest, stage->deadline());
  return earliest;
}

void StageChain::close(EntrySink& end) {
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    Rest rest(*this, i + 1, end);
    stages_[i]->close(rest);
  }
}

}  // namespace kvasir::agent
