// byte_ranges.h -- which parts of a file: a set of half-open ranges.
//
// Shape:    ranges are ascending, none is empty, no two touch.
// Threads:  a value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace kvasir::ingest {

struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;   // exclusive
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

class ByteRanges {
 public:
  ByteRanges() = default;
  /// Any order, overlaps allowed.
  ByteRanges(std::initializer_list<ByteRange> ranges) {
    for (const ByteRange& range : ranges) add(range);
  }

  /// Cheap where ranges come in ascending order.
  void add(ByteRange range) {
    if (!ranges_.empty() && range.begin == ranges_.back().end && range.begin < range.end) {
      ranges_.back().end = range.end;
    } else {
      insert(range);
    }
  }
  void add(const ByteRanges& other) {
    for (const ByteRange& range : other.ranges_) add(range);
  }
  /// What both have.
  ByteRanges common_with(const ByteRanges& other) const;
  /// What of [0, size) is in none of them.
  ByteRanges gaps(std::uint64_t size) const;

  bool empty() const { return ranges_.empty(); }
  std::size_t size() const { return ranges_.size(); }
  std::uint64_t bytes() const;
  /// 0 if empty.
  std::uint64_t end() const { return ranges_.empty() ? 0 : ranges_.back().end; }
  const std::vector<ByteRange>& ranges() const { return ranges_; }
  /// Forgets the smallest ranges until at most `count` are left. REQUIRES: count > 0.
  void forget_smallest(std::size_t count);
  friend bool operator==(const ByteRanges&, const ByteRanges&) = default;

  /// Per range two varints: bytes since the end of the one before (0 for the first), bytes in it.
  void append_to(std::string& out) const;
  /// Errors: corruption.
  static Result<ByteRanges> read(std::string_view bytes);

 private:
  void insert(ByteRange range);

  std::vector<ByteRange> ranges_;
};

}  // namespace kvasir::ingest
