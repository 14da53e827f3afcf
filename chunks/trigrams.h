// trigrams.h -- which three letters in a row occur in which blocks, exactly.
//
// Letters:  a-z folded from both cases; every other byte is one symbol, "no letter". 27 symbols, 27^3 trigrams.
// Stored:   transposed: for each trigram the set of blocks, equal sets once.
// Threads:  TrigramIndex is immutable.
// Source:   docs/formats/segment-v1.md section 6.3.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kvasir::chunks {

inline constexpr std::size_t kTrigramSymbols = 27;
inline constexpr std::size_t kTrigramCount = kTrigramSymbols * kTrigramSymbols * kTrigramSymbols;
using TrigramSet = std::bitset<kTrigramCount>;

/// 0 any byte but a letter, 1..26 a letter in either case.
std::uint8_t trigram_symbol(char c);

/// Collects the trigrams of lines; reused from block to block.
class TrigramCollector {
 public:
  void add(std::string_view line);
  TrigramSet take();  // and starts anew

 private:
  std::size_t mark_sixteens(std::string_view line);
  std::array<std::uint8_t, 1 << 15> seen_{};  // by three symbols of five bits
};

/// Trigrams that every line with this needle has. Those without a letter are left out.
std::vector<std::uint16_t> trigrams_of_needle(std::string_view needle);

void write_trigram_index(std::span<const TrigramSet> blocks, std::string& out);

class TrigramIndex {
 public:
  /// Empty on damage.
  static std::optional<TrigramIndex> read(std::string_view bytes, std::size_t blocks);
  /// Bytes with a bit per block that has the trigram; empty if no block has it.
  std::string_view blocks_with(std::uint16_t trigram) const;
  std::size_t distinct_sets() const { return row_bytes_ == 0 ? 0 : rows_.size() / row_bytes_; }

 private:
  std::string rows_;
  std::size_t row_bytes_ = 0;
  std::vector<std::uint16_t> row_of_;  // by trigram; 0 = nowhere, else row + 1
};

}  // namespace kvasir::chunks
