#include "ingest/wire/byte_ranges.h"

#include <algorithm>

#include "common/bytes.h"

namespace kvasir::ingest {

void ByteRanges::insert(ByteRange range) {
  if (range.begin >= range.end) return;
  const auto first = std::lower_bound(ranges_.begin(), ranges_.end(), range.begin,
                                      [](const ByteRange& known, std::uint64_t begin) { return known.end < begin; });
  auto last = first;
  for (; last != ranges_.end() && last->begin <= range.end; ++last) {
    range.begin = std::min(range.begin, last->begin);
    range.end = std::max(range.end, last->end);
  }
  if (first == last) {
    ranges_.insert(first, range);
  } else {
    *first = range;
    ranges_.erase(first + 1, last);
  }
}

ByteRanges ByteRanges::common_with(const ByteRanges& other) const {
  ByteRanges both;
  for (auto a = ranges_.begin(), b = other.ranges_.begin(); a != ranges_.end() && b != other.ranges_.end();) {
    both.add({std::max(a->begin, b->begin), std::min(a->end, b->end)});
    if (a->end < b->end) {
      ++a;
    } else {
      ++b;
    }
  }
  return both;
}

ByteRanges ByteRanges::gaps(std::uint64_t size) const {
  ByteRanges missing;
  std::uint64_t at = 0;
  for (const ByteRange& range : ranges_) {
    if (range.begin >= size) break;
    missing.add({at, range.begin});
    at = range.end;
  }
  missing.add({at, size});
  return missing;
}

std::uint64_t ByteRanges::bytes() const {
  std::uint64_t sum = 0;
  for (const ByteRange& range : ranges_) sum += range.end - range.begin;
  return sum;
}

void ByteRanges::forget_smallest(std::size_t count) {
  if (ranges_.size() <= count) return;
  std::vector<std::uint64_t> sizes;
  for (const ByteRange& range : ranges_) sizes.push_back(range.end - range.begin);
  const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() - count);
  std::nth_element(sizes.begin(), middle, sizes.end());
  std::size_t excess = ranges_.size() - count;
  std::erase_if(ranges_, [&](const ByteRange& range) {
    const bool goes = excess > 0 && range.end - range.begin <= *middle;
    excess -= goes ? 1 : 0;
    return goes;
  });
}

void ByteRanges::append_to(std::string& out) const {
  ByteWriter writer(out);
  std::uint64_t at = 0;
  for (const ByteRange& range : ranges_) {
    writer.varint(range.begin - at);
    writer.varint(range.end - range.begin);
    at = range.end;
  }
}

Result<ByteRanges> ByteRanges::read(std::string_view bytes) {
  ByteRanges ranges;
  ByteReader reader(bytes);
  std::uint64_t at = 0;
  while (!reader.at_end()) {
    ByteRange range;
    const std::uint64_t gap = reader.varint();
    const std::uint64_t length = reader.varint();
    const bool sound = reader.ok() && length > 0 && (gap > 0 || ranges.empty()) &&
                       !__builtin_add_overflow(at, gap, &range.begin) &&
                       !__builtin_add_overflow(range.begin, length, &range.end);
    if (!sound) return fail(ErrorCode::kCorruption, "byte ranges");
    ranges.ranges_.push_back(range);
    at = range.end;
  }
  if (!reader.ok()) return fail(ErrorCode::kCorruption, "byte ranges");
  return ranges;
}

}  // namespace kvasir::ingest
