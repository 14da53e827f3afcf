// timestamp_fudge.h -- the default of the timestamp stage for stamps it cannot read: one nanosecond after the last good
// one of the same label set.
//
// Limits:   kFudgeSetsMax label sets; the longer half unused goes when it is full.
// Threads:  one.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "promtail-agent/stages/entry.h"
#include "promtail-agent/stages/timestamp_format.h"

namespace kvasir::agent {

inline constexpr std::size_t kFudgeSetsMax = 10'000;

class TimestampFudge {
 public:
  /// Sets the entry's timestamp to `time`, or to what follows the last one.
  void apply(Entry& entry, const std::optional<ReadTime>& time) {
    State* state = states_.find(*entry.labels());
    if (!time && state == nullptr) return;
    if (state == nullptr) {
      make_room();
      state = &states_.insert(entry.labels());
    }
    state->used = ++uses_;
    state->last = time ? *time : ReadTime{{state->last.timestamp.value + 1}, state->last.offset_seconds};
    entry.set_timestamp(state->last.timestamp);
    entry.set_zone_offset(state->last.offset_seconds);
  }
  std::size_t size() const { return states_.size(); }

 private:
  struct State {
    LabelSetPtr labels;
    ReadTime last;
    std::uint64_t used = 0;
  };

  void make_room() {
    if (states_.size() < kFudgeSetsMax) return;
    std::vector<std::uint64_t> uses;
    for (auto& [hash, state] : states_) uses.push_back(state.used);
    const auto middle = uses.begin() + static_cast<std::ptrdiff_t>(uses.size() / 2);
    std::nth_element(uses.begin(), middle, uses.end());
    states_.erase_if([limit = *middle](const State& state) { return state.used < limit; });
  }

  LabelSetMap<State> states_;
  std::uint64_t uses_ = 0;
};

}  // namespace kvasir::agent
