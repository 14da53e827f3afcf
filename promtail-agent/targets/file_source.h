// file_source.h -- one file that is read line by line, plain or compressed.
//
// Units:    offsets are bytes of a plain file; of a compressed one lines, or decompressed bytes where a rotated file
//           goes on.
// Order:    lines come in file order; `end` of a line is `begin` of the next one unless bytes between were skipped on
//           purpose.
// Lifetime: the text of a line lives during the call of LineSink::line.
// Threads:  one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"

namespace kvasir::agent {

inline constexpr std::string_view kLineTooLongReason = "line_too_long";  // of bytes that skipped() tells

class LineSink {
 public:
  virtual ~LineSink() = default;
  /// The line without its newline. False: no more lines are wanted now; this one counts as taken.
  virtual bool line(std::string_view text, std::uint64_t begin, std::uint64_t end) = 0;
  /// These bytes make no line.
  virtual void skipped(std::uint64_t begin, std::uint64_t end, std::string_view reason) {
    (void)begin;
    (void)end;
    (void)reason;
  }
};

/// What a long line becomes when it passes line_bytes_max.
enum class OverlongLine { kDrop, kTruncate, kSplit };

struct LineLimits {
  std::uint64_t line_bytes_max = 16 << 20;
  OverlongLine overlong = OverlongLine::kSplit;
};

struct ReadOutcome {
  std::uint64_t bytes = 0;      // read from the file
  bool at_end = false;          // nothing more for now
  bool replaced = false;        // the content is not what was read before: truncated, maybe written anew
  bool finished = false;        // never more: a compressed file that is complete
};

struct SourceCounters {
  std::uint64_t overlong_lines = 0;
  std::uint64_t skipped_nul_bytes = 0;
  std::uint64_t undecodable = 0;
};

}  // namespace kvasir::agent
