// time.h -- instants, durations and half-open ranges.
//
// Units:    everything is nanoseconds; TimestampNs counts them since the Unix epoch (1677 to 2262).
// Order:    TimeRange is half-open: begin <= t < end.
// Notes:    TimestampNs does not convert to or from a bare integer by accident; write .value.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace kvasir {

using Duration = std::chrono::nanoseconds;

struct TimestampNs {
  std::int64_t value = 0;

  friend constexpr auto operator<=>(const TimestampNs&, const TimestampNs&) = default;
  friend constexpr TimestampNs operator+(TimestampNs t, Duration d) { return {t.value + d.count()}; }
  friend constexpr TimestampNs operator-(TimestampNs t, Duration d) { return {t.value - d.count()}; }
  friend constexpr Duration operator-(TimestampNs a, TimestampNs b) { return Duration(a.value - b.value); }

  static constexpr TimestampNs min() { return {std::numeric_limits<std::int64_t>::min()}; }
  static constexpr TimestampNs max() { return {std::numeric_limits<std::int64_t>::max()}; }
};

struct TimeRange {
  TimestampNs begin;
  TimestampNs end;  // exclusive

  friend constexpr bool operator==(const TimeRange&, const TimeRange&) = default;
  constexpr bool empty() const { return begin >= end; }
  constexpr bool contains(TimestampNs t) const { return begin <= t && t < end; }
  /// True if any instant of the closed interval [first, last] lies inside.
  constexpr bool overlaps(TimestampNs first, TimestampNs last) const { return first < end && begin <= last; }
};

/// RFC 3339 in UTC with as many fraction digits as needed (none for whole seconds): 2026-01-10T08:00:00.25Z.
std::string format_rfc3339(TimestampNs t);
/// RFC 3339 with any offset and up to nine fraction digits; an empty optional for anything else.
std::optional<TimestampNs> parse_rfc3339(std::string_view text);

}  // namespace kvasir
