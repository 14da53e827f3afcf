// copy_check.h -- tells a copy of a file that is read already (`cp app.log app.log.1`, then app.log is truncated)
// from another file that begins alike.
//
// Rule:     a file that was just found is held against those that are read beside it. While all of its bytes are the
//           same as those at the front of another one, it may be a copy under way, and nothing of it is read. It is a
//           copy when that other file is truncated, replaced or removed: then it goes on where that one was left. It
//           is a file of its own, and read from its start, as soon as one byte differs or it is longer than the other
//           one, or when CopyTimes are over. Before that, files beside it whose content was replaced since they were
//           read are read: what it is a copy of may be their new content.
// Which:    a file may be a copy of those after which it is named (`app.log`: `app.log.1`, `app-20261121.log`), and of
//           any whose first kFingerprintBytes are the same and that is older.
// Evidence: holds for contents that are not there any more to be compared (offset_in_copy).
// Threads:  one.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string_view>

#include "common/clock.h"
#include "promtail-agent/positions.h"

namespace kvasir::agent {

/// How long a file waits while it is the same as another one.
struct CopyTimes {
  Duration quiet_short = std::chrono::seconds(15);  // since it last grew, with less than kFingerprintBytes
  Duration quiet_long = std::chrono::seconds(60);   // with more
  Duration complete = std::chrono::minutes(10);     // since it first was as long as the other one
  Duration most = std::chrono::hours(1);            // in all
};

struct CopyCheck {
  std::uint64_t original = 0;      // id of the file that it has been the same as so far; 0: none
  std::uint64_t compared = 0;      // that many bytes
  std::set<std::uint64_t> others;  // ids of those that it is no copy of
  std::optional<Duration> began, complete;
  Duration grew{0};
  std::optional<Duration> deferred;  // since when it waits for another one to say that its content was replaced
};

enum class Likeness {
  kSame,       // all bytes there are
  kUnfinished, // so far; the budget is used up
  kLonger,     // all bytes of the original, and there are more
  kDiffers,    // or one of the two cannot be read: which one, only its reader knows
};

/// Compares up to `budget` bytes more and moves check.compared on. `scratch` holds what is read.
Likeness compare_more(int copy, int original, std::uint64_t budget, CopyCheck& check, std::span<char> scratch);

/// Whether `check` waits for too long, at `now`, in a file whose bytes are all the same.
bool waits_too_long(const CopyCheck& check, const CopyTimes& times, Duration now);

/// By its path: a rotated form of `original`, and younger where both are rotated forms (`app.log.2` of `app.log.1`).
/// No two files are named after each other.
bool named_after(std::string_view copy, std::string_view original);

/// Where to go on in a file of `size` bytes that may hold a copy of what `record` describes, which is gone: what was
/// read of it, or all of the copy if that is less. `compared` bytes were found the same while it was there. Nothing if
/// this is no copy, or if it is shorter than what was read and too little is known to say so.
std::optional<std::uint64_t> offset_in_copy(int fd, std::uint64_t size, const FileRecord& record,
                                            std::uint64_t compared);
/// A file of `size` bytes that has all that is known of the content, which is so little that others may have it, too.
bool alike_by_chance(std::uint64_t size, const FileRecord& record);

}  // namespace kvasir::agent
