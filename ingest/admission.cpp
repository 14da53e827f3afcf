#include "ingest/admission.h"

#include <fmt/format.h>

#include "ingest/push_verdicts.h"

namespace kvasir::ingest {
namespace {

std::uint64_t size_of(const EntryView& entry) {
  std::uint64_t bytes = entry.line.size();
  for (const auto& label : entry.metadata) bytes += label.name.size() + label.value.size();
  return bytes;
}

/// `2026-11-21 09:03:38.6242 +0000 UTC`.
std::string go_time(TimestampNs t) {
  std::string text = format_rfc3339(t);
  text.replace(text.find('T'), 1, " ");
  text.pop_back();
  return text + " +0000 UTC";
}

std::string rfc3339_seconds(TimestampNs t) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t below = t.value % kSecond < 0 ? t.value % kSecond + kSecond : t.value % kSecond;
  return format_rfc3339({t.value - below});
}

Rejection stream_limit(const PushStream& stream, const std::string& tenant) {
  return {
      DiscardReason::kStreamLimit, 429,
      fmt::format("maximum active stream limit exceeded when trying to create stream {}, reduce the number of active "
                  "streams (reduce labels or reduce label values), or contact your Loki administrator to see if the "
                  "limit can be increased, user: '{}'",
                  stream.identity->text, tenant),
      stream.entries.size(), stream.bytes};
}

Rejection too_far_behind(const PushStream& stream, const std::string& tenant,
                         std::span<const TenantHead::TooOld> refused, const AdmitLimits& limits) {
  Rejection rejection{DiscardReason::kTooFarBehind, 400, "", refused.size(), 0};
  for (std::size_t i = 0; i < refused.size(); ++i) {
    const EntryView& entry = stream.entries[refused[i].position];
    rejection.bytes += size_of(entry);
    if (i >= limits.stream_errors_max) continue;
    rejection.message += fmt::format(
        "entry with timestamp {} ignored, reason: 'entry too far behind, entry timestamp is: {}, oldest acceptable "
        "timestamp is: {}',\n",
        go_time(entry.timestamp), rfc3339_seconds(entry.timestamp), rfc3339_seconds(refused[i].oldest));
  }
  rejection.message += fmt::format("user '{}', total ignored: {} out of {} for stream: {}", tenant, refused.size(),
                                   stream.entries.size(), stream.identity->text);
  return rejection;
}

/// Where the entries that were not refused stand among the accepted ones.
std::vector<std::uint32_t> numbers_of(const PushVerdicts& verdicts, std::span<const EntryView> entries,
                                      std::span<const TenantHead::TooOld> refused) {
  std::vector<std::uint32_t> numbers;
  numbers.reserve(entries.size() - refused.size());
  for (std::size_t i = 0, next = 0; i < entries.size(); ++i) {
    if (next < refused.size() && refused[next].position == i) ++next;
    else numbers.push_back(verdicts.number_of(entries[i]));
  }
  return numbers;
}

}  // namespace

Admission admit_streams(TenantHead& head, const PushBatch& batch, const AdmitLimits& limits) {
  Admission out;
  std::uint64_t opening = 0;  // streams without rows that will have some when this batch is applied
  for (const auto& stream : batch.streams) {
    StreamSlot* const slot = head.find_or_add(stream.identity, limits.streams_max, opening);
    if (slot == nullptr) {
      auto rejection = stream_limit(stream, batch.tenant);
      if (batch.verdicts != nullptr) batch.verdicts->refuse_accepted(stream.entries, rejection);
      out.rejections.add(std::move(rejection));
      continue;
    }
    if (limits.streams_max > 0 && head.is_empty(*slot)) ++opening;
    std::span<const EntryView> entries = stream.entries;
    const auto refused = head.check_order(*slot, entries, limits.out_of_order_window);
    std::vector<std::uint32_t> numbers;
    if (batch.verdicts != nullptr) numbers = numbers_of(*batch.verdicts, entries, refused);
    if (!refused.empty()) {
      auto rejection = too_far_behind(stream, batch.tenant, refused, limits);
      for (const auto& entry : refused) {
        if (batch.verdicts != nullptr) batch.verdicts->refuse_accepted(entries.subspan(entry.position, 1), rejection);
      }
      out.rejections.add(std::move(rejection));
      auto kept = std::make_unique<std::vector<EntryView>>();
      for (std::size_t i = 0, next = 0; i < entries.size(); ++i) {
        if (next < refused.size() && refused[next].position == i) {
          ++next;
        } else {
          kept->push_back(entries[i]);
        }
      }
      entries = *kept;
      out.kept.push_back(std::move(kept));
    }
    if (entries.empty()) continue;
    out.streams.push_back({slot, entries, std::move(numbers)});
    out.entries += entries.size();
    for (const auto& entry : entries) out.bytes += size_of(entry);
  }
  return out;
}

}  // namespace kvasir::ingest
