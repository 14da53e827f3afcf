#include "ingest/refusal_text.h"

#include <algorithm>
#include <array>

namespace kvasir::ingest {
namespace {

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

constexpr std::int64_t kSecond = 1'000'000'000;

/// `2026-11-21 09:03:38.624228838 +0000 UTC`
std::string go_time(TimestampNs timestamp) {
  std::string text = format_rfc3339(timestamp);
  std::replace(text.begin(), text.end(), 'T', ' ');
  text.pop_back();
  return text + " +0000 UTC";
}

}  // namespace

std::string format_seconds(TimestampNs timestamp) {
  std::int64_t seconds = timestamp.value / kSecond;
  if (timestamp.value % kSecond < 0) --seconds;
  return format_rfc3339({seconds * kSecond});
}

std::string too_old_text(std::string_view stream, TimestampNs timestamp, TimestampNs oldest) {
  return "entry for stream " + quoted(stream) + " has timestamp too old: " + format_seconds(timestamp) +
         ", oldest acceptable timestamp is: " + format_seconds(oldest);
}

std::string too_new_text(std::string_view stream, TimestampNs timestamp) {
  return "entry for stream " + quoted(stream) + " has timestamp too new: " + format_seconds(timestamp);
}

std::string line_too_long_text(std::string_view stream, std::uint64_t size, std::uint64_t limit) {
  return "max entry size '" + std::to_string(limit) + "' bytes exceeded for stream " + quoted(stream) +
         " while adding an entry with length '" + std::to_string(size) + "' bytes";
}

std::string metadata_disallowed_text(std::string_view stream) {
  return "stream " + quoted(stream) +
         " includes structured metadata, but this feature is disallowed. Please see "
         "`limits_config.allow_structured_metadata` or contact your Loki administrator to enable it";
}

std::string metadata_too_large_text(std::string_view stream, std::uint64_t size, std::uint64_t limit) {
  return "stream " + quoted(stream) + " has structured metadata too large: '" + std::to_string(size) +
         "' bytes, limit: '" + std::to_string(limit) +
         "' bytes. Please see `limits_config.max_structured_metadata_size` or contact your Loki administrator to "
         "increase it";
}

std::string metadata_too_many_text(std::string_view stream, std::uint64_t count, std::uint64_t limit) {
  return "stream " + quoted(stream) + " has too many structured metadata labels: '" + std::to_string(count) +
         "', limit: '" + std::to_string(limit) +
         "'. Please see `limits_config.max_structured_metadata_entries_count` or contact your Loki administrator to "
         "increase it";
}

std::string blocked_text(std::string_view tenant, std::string_view policy, TimestampNs until, int status) {
  std::string text = "ingestion blocked for user " + quoted(tenant);
  if (!policy.empty()) text += " (policy: " + quoted(policy) + ")";
  return text + " until '" + format_rfc3339(until) + "' with status code '" + std::to_string(status) + "'";
}

std::string rate_limited_text(std::string_view tenant, double rate, std::uint64_t lines, std::uint64_t bytes) {
  return "ingestion rate limit exceeded for user " + std::string(tenant) +
         " (limit: " + std::to_string(static_cast<std::uint64_t>(rate)) + " bytes/sec) while attempting to ingest '" +
         std::to_string(lines) + "' lines totaling '" + std::to_string(bytes) +
         "' bytes, reduce log volume or contact your Loki administrator to see if the limit can be increased";
}

std::string stream_rate_text(std::string_view tenant, const PushStream& stream, const TenantLimits& limits) {
  std::string text;
  const std::size_t shown = limits.max_returned_stream_errors == 0
                                ? stream.entries.size()
                                : std::min<std::size_t>(stream.entries.size(), limits.max_returned_stream_errors);
  for (const auto& entry : stream.entries.first(shown)) {
    text +=
        "entry with timestamp " + go_time(entry.timestamp) +
        " ignored, reason: 'Per stream rate limit exceeded (limit: " + humanised_bytes(limits.per_stream_rate_limit) +
        "/sec) while attempting to ingest for stream " + quoted(stream.identity->text) + " totaling " +
        humanised_bytes(entry.line.size()) +
        ", consider splitting a stream via additional labels or contact your Loki administrator to see if the limit "
        "can be increased',\n";
  }
  return text + "user " + quoted(tenant) + ", total ignored: " + std::to_string(stream.entries.size()) + " out of " +
         std::to_string(stream.entries.size()) + " for stream: " + stream.identity->text;
}

std::string humanised_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"TB", "GB", "MB", "KB", "B"};
  std::string text;
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    const unsigned shift = static_cast<unsigned>(kUnits.size() - 1 - i) * 10;
    const std::uint64_t count = bytes >> shift;
    if (count == 0) continue;
    text += std::to_string(count);
    text += kUnits[i];
    bytes -= count << shift;
  }
  return text.empty() ? "0B" : text;
}

}  // namespace kvasir::ingest
