// line_stamp.h -- finds the time that a line of a log file carries.
//
// Forms:    RFC 3339; `2026-11-21 12:06:42` and `2026/11/21 12:06:42` with `.123` or `,123`; `21/Nov/2026:12:06:42
//           +0100` of web servers; `Nov 21 12:06:42` of syslog. Without a zone it is this machine's local time.
// Limits:   looks at the first 256 bytes.
#pragma once

#include <optional>
#include <string_view>

#include "common/time.h"

namespace kvasir::cli {

/// `near` gives the year to stamps that have none: the latest that is not more than a day after it.
std::optional<TimestampNs> find_line_stamp(std::string_view line, TimestampNs near);

}  // namespace kvasir::cli
