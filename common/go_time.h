// go_time.h -- times in the layouts of Go programs: `2006-01-02T15:04:05.000Z07:00`, `Jan _2 15:04`, `MST`.
//
// Shape:    GoTime is an instant with the offset and abbreviation it is shown in; TimeZone is an IANA zone or a fixed
//           offset.
// Units:    seconds since the Unix epoch (any year from 1 on, so not TimestampNs) and nanoseconds within the second.
// Lifetime: TimeZone is a cheap handle; zones of the system's database are loaded once and stay.
// Errors:   parse: invalid_argument, worded as Go words it: `parsing time "x" as "2006": cannot parse "x" as "2006"`.
// Threads:  everything may be called from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/time.h"

namespace kvasir {

struct GoTime {
  std::int64_t unix_seconds = 0;
  std::int32_t nanoseconds = 0;     // 0 .. 999'999'999
  std::int32_t offset_seconds = 0;  // east of UTC
  std::string zone = "UTC";         // abbreviation; may be empty for a bare offset

  /// Empty if the instant does not fit (before 1677 or after 2262).
  std::optional<TimestampNs> timestamp() const;
  /// Go's zero time: 1 January of year 1, UTC.
  static GoTime zero();
  bool is_zero() const;

  friend bool operator==(const GoTime& a, const GoTime& b) {
    return a.unix_seconds == b.unix_seconds && a.nanoseconds == b.nanoseconds;
  }
};

class TimeZone {
 public:
  static TimeZone utc() { return TimeZone(); }
  /// An IANA name, "UTC", "" (UTC) or "Local". Not found: empty.
  static std::optional<TimeZone> find(std::string_view name);
  /// The zone of this machine (TZ, then /etc/localtime); UTC if it cannot be told.
  static TimeZone local();

  /// The instant as shown in this zone.
  GoTime at(std::int64_t unix_seconds, std::int32_t nanoseconds) const;
  GoTime at(TimestampNs timestamp) const;
  /// Seconds since the epoch of a wall-clock reading; inside a gap or an overlap, what Go's time.Date gives.
  std::int64_t from_wall_clock(std::int64_t wall_seconds) const;
  /// The offset that an abbreviation stands for at about this instant, if the zone ever uses it.
  std::optional<std::int32_t> offset_of(std::string_view abbreviation, std::int64_t unix_seconds) const;

 private:
  const void* zone_ = nullptr;  // of the zone database; null is UTC
};

/// Calendar fields of a time, in its own offset.
struct GoDate {
  std::int64_t year = 1;
  int month = 1, day = 1, hour = 0, minute = 0, second = 0;
  int weekday = 0;   // 0 = Sunday
  int year_day = 1;  // 1 = 1 January
};
GoDate go_date(const GoTime& time);
/// Wall-clock seconds of calendar fields; month and day may be out of range and carry over.
std::int64_t go_wall_seconds(const GoDate& date);

/// time.Format.
std::string format_go_time(const GoTime& time, std::string_view layout);
/// time.Time.String(): 2006-01-02 15:04:05.999999999 -0700 MST.
std::string format_go_time(const GoTime& time);
/// time.ParseInLocation. Without a date in the layout the year is 0, as in Go.
Result<GoTime> parse_go_time(std::string_view layout, std::string_view text, const TimeZone& zone = TimeZone::utc());
/// The same, with abbreviations looked up in a zone of their own. time.Parse is (layout, text, utc, local).
Result<GoTime> parse_go_time(std::string_view layout, std::string_view text, const TimeZone& zone,
                             const TimeZone& abbreviations);

}  // namespace kvasir
