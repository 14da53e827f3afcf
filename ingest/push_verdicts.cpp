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
    const auto index = static_cast<std::size_t>(&entry - first_);
    KVASIR_ASSERT(index < accepted_.size(), "an entry that was not accepted");
    refuse(accepted_[index], rejection);
    ++taken_back_;
  }
}

}  // namespace kvasir::ingest
