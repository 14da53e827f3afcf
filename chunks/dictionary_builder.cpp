#include "chunks/dictionary_builder.h"

#include <algorithm>
#include <bit>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace kvasir::chunks {
namespace {

constexpr std::size_t kFirstLook =
    256;  // after so many values, and then at each doubling, it is judged whether to go on

/// More distinct values than this share of what was seen: no dictionary.
bool hopeless(std::size_t distinct, std::size_t seen) { return distinct > seen / 8 * 5; }

}  // namespace

bool DictionaryBuilder::build(std::span<const std::string_view> values) {
  distinct_.clear();
  hashes_.clear();
  codes_.resize(values.size());
  std::size_t capacity = 512;
  index_.assign(capacity, 0);
  std::size_t look = kFirstLook;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string_view value = values[i];
    const auto hash = static_cast<std::uint32_t>(XXH3_64bits(value.data(), value.size()));
    std::size_t at = hash & (capacity - 1);
    while (index_[at] != 0 && (hashes_[index_[at] - 1] != hash || distinct_[index_[at] - 1] != value))
      at = (at + 1) & (capacity - 1);
    if (index_[at] != 0) {
      codes_[i] = index_[at] - 1;
      continue;
    }
    codes_[i] = static_cast<std::int64_t>(distinct_.size());
    distinct_.push_back(value);
    hashes_.push_back(hash);
    index_[at] = static_cast<std::uint32_t>(distinct_.size());
    if (i >= look) {
      if (hopeless(distinct_.size(), i)) return false;
      while (look <= i) look *= 2;
    }
    if (distinct_.size() * 2 <= capacity) continue;
    capacity *= 4;
    index_.assign(capacity, 0);
    for (std::size_t code = 0; code < distinct_.size(); ++code) {
      std::size_t free = hashes_[code] & (capacity - 1);
      while (index_[free] != 0) free = (free + 1) & (capacity - 1);
      index_[free] = static_cast<std::uint32_t>(code + 1);
    }
  }
  return values.size() < kFirstLook ? distinct_.size() <= std::max<std::size_t>(values.size() * 3 / 4, 1)
                                    : !hopeless(distinct_.size(), values.size());
}

}  // namespace kvasir::chunks
