#include "ingest/push_batch.h"

#include <array>
#include <map>

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

int Rejections::status() const {
  KVASIR_ASSERT(!empty(), "there is no status without a rejection");
  // Validation errors win over the answer of a block, whose status may be a success.
  for (const auto& item : items_) {
    if (item.status >= 400) return item.status;
  }
  return items_.front().status;
}

std::string Rejections::text() const {
  KVASIR_ASSERT(!empty(), "there is no text without a rejection");
  std::vector<std::pair<std::string_view, std::uint64_t>> groups;  // in order of first appearance
  std::map<std::string_view, std::size_t> index;
  for (const auto& item : items_) {
    const auto [it, added] = index.try_emplace(item.message, groups.size());
    if (added) groups.emplace_back(item.message, 0);
    ++groups[it->second].second;
  }
  if (groups.size() == 1 && groups.front().second == 1) return items_.front().message;
  std::string out;
  for (const auto& [message, count] : groups) {
    if (!out.empty()) out += "; ";
    out += std::to_string(count) + " errors like: ";
    out += message;
  }
  return out;
}

}  // namespace kvasir::ingest
