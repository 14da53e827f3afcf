#include "ingest/push_verdicts.h"

#include "common/assert.h"

namespace kvasir::ingest {

void PushVerdicts::refuse(Place place, const Rejection& rejection) {
  ++refused_count_;
  if (listed_.size() >= kListedMax) return;
  listed_.push_back({place, rejection.reason, rejection.status, rejection.message.substr(0, kMessageBytesMax)});
}

void PushVerdicts::refuse_accepted(std::span<const EntryView> entries, const Rejection& rejection) {
  for (const auto& entry : entries) {
    Accepted& accepted = accepted_[number_of(entry)];
    if (accepted.repeated) --repeated_count_;
    accepted.repeated = false;
    accepted.taken_back = true;
    ++taken_back_;
    refuse(accepted.place, rejection);
  }
}

std::uint32_t PushVerdicts::number_of(const EntryView& accepted) const {
  const auto number = static_cast<std::size_t>(&accepted - first_);
  KVASIR_ASSERT(number < accepted_.size(), "an entry that was not accepted");
  return static_cast<std::uint32_t>(number);
}

void PushVerdicts::repeat(std::uint32_t number) {
  Accepted& accepted = accepted_[number];
  if (accepted.repeated || accepted.taken_back) return;
  accepted.repeated = true;
  ++repeated_count_;
}

void PushVerdicts::repeat_all() {
  for (std::uint32_t number = 0; number < accepted_.size(); ++number) repeat(number);
}

std::vector<PushVerdicts::Place> PushVerdicts::repeated() const {
  std::vector<Place> places;
  for (const auto& accepted : accepted_) {
    if (places.size() == kListedMax) break;
    if (accepted.repeated) places.push_back(accepted.place);
  }
  return places;
}

}  // namespace kvasir::ingest
