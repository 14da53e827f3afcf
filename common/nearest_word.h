// nearest_word.h -- which known word was meant by one that is not known.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace kvasir {

/// Limits: a longer word is no slip of a name, and is not compared.
inline constexpr std::size_t kNearestWordBytesMax = 64;

/// Characters to add, drop, change or swap with their neighbour until `a` is `b`. Costs the product of their lengths.
std::size_t slips_between(std::string_view a, std::string_view b);

/// The closest of `names` (a range of strings) when it is close enough to be meant: one slip in words of up to three
/// letters, two in words of up to eight, else one for every three letters. Nothing for a word that is among them.
template <class Names>
std::optional<std::string> nearest_word(std::string_view word, const Names& names) {
  if (word.size() > kNearestWordBytesMax) return std::nullopt;
  std::size_t too_many = word.size() < 4 ? 2 : std::max<std::size_t>(2, word.size() / 3) + 1;
  std::optional<std::string> best;
  for (const std::string_view name : names) {
    if (name.size() > kNearestWordBytesMax) continue;
    const std::size_t slips = slips_between(word, name);
    if (slips == 0) return std::nullopt;
    if (slips >= too_many) continue;
    too_many = slips;
    best = name;
  }
  return best;
}

}  // namespace kvasir
