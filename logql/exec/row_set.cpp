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

bool RowSet::none() const {
  return std::all_of(words_.begin(), words_.end(), [](std::uint64_t word) { return word == 0; });
}

}  // namespace kvasir::logql
