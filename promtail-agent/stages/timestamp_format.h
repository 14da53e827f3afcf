// timestamp_format.h -- one format of the timestamp stage: a name (RFC3339Nano, UnixMs ...) or a layout in Go's
// reference time.
//
// Zones:    `location` counts for custom layouts only. A layout without a zone is read there, else in UTC; an
//           abbreviation is looked up there, else in the zone of this machine.
// Years:    a layout without `06` has no year: the current one is taken, December in January is last year, January in
//           December the next.
// Errors:   read() gives nothing for text that does not follow the format, or outside 1678 to 2262.
// Threads:  immutable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/go_time.h"
#include "common/time.h"

namespace kvasir::agent {

struct ReadTime {
  TimestampNs timestamp;
  std::int32_t offset_seconds = 0;
};

class TimestampFormat {
 public:
  TimestampFormat(std::string_view name_or_layout, std::optional<TimeZone> location);
  std::optional<ReadTime> read(std::string_view text, TimestampNs now) const;
  /// Custom layouts: false if nothing in it stands for a part of a time.
  bool plausible() const;

 private:
  enum class Kind { kUnixSeconds, kUnixMs, kUnixUs, kUnixNs, kRfc3339, kLayout };

  std::optional<ReadTime> read_layout(std::string_view text, TimestampNs now) const;
  std::optional<ReadTime> with_year(const GoTime& time, TimestampNs now) const;

  Kind kind_ = Kind::kLayout;
  std::string layout_;
  TimeZone zone_;
  bool has_zone_ = false;  // the layout says the zone
  bool has_year_ = true;
};

/// RFC3339Nano, for docker and cri.
std::optional<ReadTime> read_rfc3339(std::string_view text);

}  // namespace kvasir::agent
