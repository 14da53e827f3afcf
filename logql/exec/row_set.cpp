#include <algorithm>
#include <bit>

#include "common/assert.h"
#include "logql/log_source.h"

namespace kvasir::logql {

RowSet::RowSet(std::size_t rows, bool value) : size_(rows), words_((rows + 63) / 64, value ? ~std::uint64_t{0} : 0) {
  if (value && rows % 64 != 0) words_.back() = (std::uint64_t{1} << (rows % 64)) - 1;
}

void RowSet::clear_range(std::size_t begin, std::size_t end) {
  while (begin < end && begin % 64 != 0) clear(begin++);
  for (; begin + 64 <= end; begin += 64) words_[begin / 64] = 0;
  while (begin < end) clear(begin++);
}

void RowSet::keep_only(const RowSet& other) {
  KVASIR_ASSERT(size_ == other.size_, "row sets of different blocks");
  for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
}

void RowSet::remove(const RowSet& other) {
  KVASIR_ASSERT(size_ == other.size_, "row sets of different blocks");
  for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= ~other.words_[i];
}

std::size_t RowSet::count() const {
  std::size_t total = 0;
  for (const std::uint64_t word : words_) total += static_cast<std::size_t>(std::popcount(word));
  return total;
}

std::size_t RowSet::count(std::size_t begin, std::size_t end) const {
  if (begin >= end) return 0;
  const std::size_t first = begin / 64, last = (end - 1) / 64;
  const std::uint64_t head = ~std::uint64_t{0} << (begin % 64), tail = ~std::uint64_t{0} >> (63 - (end - 1) % 64);
  if (first == last) return static_cast<std::size_t>(std::popcount(words_[first] & head & tail));
  std::size_t total = static_cast<std::size_t>(std::popcount(words_[first] & head));
  for (std::size_t w = first + 1; w < last; ++w) total += static_cast<std::size_t>(std::popcount(words_[w]));
  return total + static_cast<std::size_t>(std::popcount(words_[last] & tail));
}

std::size_t RowSet::next(std::size_t row) const {
  if (row >= size_) return size_;
  std::size_t w = row / 64;
  std::uint64_t bits = words_[w] & ~std::uint64_t{0} << (row % 64);
  while (bits == 0) {
    if (++w == words_.size()) return size_;
    bits = words_[w];
  }
  return w * 64 + static_cast<std::size_t>(std::countr_zero(bits));
}

bool RowSet::none() const {
  return std::all_of(words_.begin(), words_.end(), [](std::uint64_t word) { return word == 0; });
}

std::vector<std::int64_t> coarse_of(std::span<const std::int64_t> timestamps) {
  std::vector<std::int64_t> coarse;
  coarse.reserve(timestamps.size() / kTimesPerCoarse + 1);
  for (std::size_t row = 0; row < timestamps.size(); row += kTimesPerCoarse) coarse.push_back(timestamps[row]);
  return coarse;
}

}  // namespace kvasir::logql
