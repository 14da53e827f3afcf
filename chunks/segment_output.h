// segment_output.h -- where the bytes of a segment go while it is written: a string, or a file that appears whole or
// not at all.
//
// Memory:   of a file about kHandOnBytes and the stored block that was made last.
// Threads:  one at a time.
// Errors:   io.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/atomic_file.h"
#include "common/result.h"

namespace kvasir::chunks {

class SegmentOutput {
 public:
  SegmentOutput() = default;
  SegmentOutput(Filesystem& filesystem, Path path) : filesystem_(&filesystem), path_(std::move(path)) {}

  /// The end of what was written; may be appended to, and cut to no less than it was after the last hand_on().
  std::string& tail() { return tail_; }
  std::uint64_t size() const { return handed_on_ + tail_.size(); }
  /// Writes the tail to the file if it is long enough. Views into it end.
  Result<void> hand_on();
  /// All of it, durable. REQUIRES: made for a file.
  Result<void> commit();
  /// All of it. REQUIRES: not made for a file.
  std::string take() { return std::move(tail_); }

 private:
  static constexpr std::size_t kHandOnBytes = 1 << 20;
  Result<void> write_tail();

  Filesystem* filesystem_ = nullptr;  // null: a string
  Path path_;
  std::unique_ptr<AtomicFile> file_;  // made when there is something to write
  std::uint64_t handed_on_ = 0;
  std::string tail_;
};

}  // namespace kvasir::chunks
