#include "ingest/push_batch.h"

#include <functional>

#include "common/assert.h"

namespace kvasir::ingest {

std::string_view discard_reason_name(DiscardReason reason) {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(DiscardReason::kCount)> kNames = {
      "invalid_labels",
      "missing_labels",
      "rate_limited",
      "line_too_long",
      "stream_limit",
      "per_stream_rate_limit",
      "out_of_order",
      "too_far_behind",
      "greater_than_max_sample_age",
      "too_far_in_future",
      "max_label_names_per_series",
      "label_name_too_long",
      "label_value_too_long",
      "duplicate_label_names",
      "disallowed_structured_metadata",
      "structured_metadata_too_large",
      "structured_metadata_too_many",
      "blocked_ingestion",
      "blocked_ingestion_policy",
      "missing_enforced_labels",
      "request_body_too_large",
  };
  static_assert(!kNames.back().empty());
  return kNames[static_cast<std::size_t>(reason)];
}

void Rejections::count(DiscardReason reason, std::uint64_t entries, std::uint64_t bytes) {
  auto& counts = by_reason_[static_cast<std::size_t>(reason)];
  counts.entries += entries;
  counts.bytes += bytes;
}

void Rejections::add(Rejection rejection) {
  count(rejection.reason, rejection.entries, rejection.bytes);
  refused_entries_ += rejection.entries;
  const std::size_t hash = std::hash<std::string_view>()(rejection.message);
  const auto same = by_text_.find(hash);
  if (same != by_text_.end() && groups_[same->second].message == rejection.message) {
    ++groups_[same->second].count;
  } else if (groups_.size() < kGroupsMax) {
    by_text_.emplace(hash, groups_.size());
    groups_.push_back({std::move(rejection.message), rejection.status, 1});
  } else {
    ++unlisted_;
  }
}

int Rejections::status() const {
  KVASIR_ASSERT(!empty(), "there is no status without a rejection");
  // Validation errors win over the answer of a block, whose status may be a success.
  for (const auto& group : groups_) {
    if (group.status >= 400) return group.status;
  }
  return groups_.front().status;
}

std::string Rejections::text() const {
  KVASIR_ASSERT(!empty(), "there is no text without a rejection");
  if (groups_.size() == 1 && groups_.front().count == 1) return groups_.front().message;
  std::string out;
  for (const auto& group : groups_) {
    if (!out.empty()) out += "; ";
    out += std::to_string(group.count) + " errors like: " + group.message;
  }
  if (unlisted_ > 0) out += "; and " + std::to_string(unlisted_) + " more errors";
  return out;
}

}  // namespace kvasir::ingest
