#include "chunks/trigrams.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "common/bytes.h"
#include "common/vector_level.h"

#if KVASIR_HAS_AVX2_KERNELS
#include <immintrin.h>
#endif

namespace kvasir::chunks {
namespace {

constexpr unsigned kNoLetter = 0;

constexpr std::array<std::uint8_t, 256> kSymbols = [] {
  std::array<std::uint8_t, 256> symbols{};
  for (unsigned i = 0; i < 26; ++i) symbols['a' + i] = symbols['A' + i] = static_cast<std::uint8_t>(i + 1);
  return symbols;
}();

std::uint8_t symbol(char c) { return kSymbols[static_cast<unsigned char>(c)]; }

std::uint16_t number(unsigned a, unsigned b, unsigned c) {
  return static_cast<std::uint16_t>((a * kTrigramSymbols + b) * kTrigramSymbols + c);
}

/// The bits [first, first + 64) of each set; gives what any of them has.
std::uint64_t gather_words(std::span<const TrigramSet> sets, std::size_t first, std::vector<std::uint64_t>& words) {
  std::uint64_t any = 0;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    words[i] = 0;
    for (std::size_t bit = 0; bit < std::min<std::size_t>(64, kTrigramCount - first); ++bit) {
      words[i] |= static_cast<std::uint64_t>(sets[i].test(first + bit)) << bit;
    }
    any |= words[i];
  }
  return any;
}

}  // namespace

std::uint8_t trigram_symbol(char c) { return symbol(c); }

void TrigramCollector::add(std::string_view line) {
  std::size_t i = has_avx2() ? mark_sixteens(line) : 0;
  for (; i + 3 <= line.size(); ++i) {
    seen_[static_cast<unsigned>(symbol(line[i])) << 10 | symbol(line[i + 1]) << 5 | symbol(line[i + 2])] = 1;
  }
}

#if KVASIR_HAS_AVX2_KERNELS
namespace {

/// Symbols of sixteen bytes.
KVASIR_AVX2 __m256i symbols_of(const char* text) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text));
  const __m128i folded = _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a' - 1));  // a = 1
  const __m128i is_letter =
      _mm_and_si128(_mm_cmpgt_epi8(folded, _mm_setzero_si128()), _mm_cmplt_epi8(folded, _mm_set1_epi8(27)));
  return _mm256_cvtepu8_epi16(_mm_and_si128(folded, is_letter));
}

}  // namespace

/// Marks sixteen trigrams at once; gives the place from where trigrams are left.
KVASIR_AVX2 std::size_t TrigramCollector::mark_sixteens(std::string_view line) {
  std::size_t i = 0;
  for (; i + 18 <= line.size(); i += 16) {
    const char* const text = line.data() + i;
    const __m256i first = _mm256_slli_epi16(symbols_of(text), 10), second = _mm256_slli_epi16(symbols_of(text + 1), 5);
    alignas(32) std::array<std::uint16_t, 16> numbers;
    _mm256_store_si256(reinterpret_cast<__m256i*>(numbers.data()),
                       _mm256_or_si256(_mm256_or_si256(first, second), symbols_of(text + 2)));
    for (const std::uint16_t n : numbers) seen_[n] = 1;
  }
  return i;
}
#else
std::size_t TrigramCollector::mark_sixteens(std::string_view) { return 0; }
#endif

TrigramSet TrigramCollector::take() {
  TrigramSet set;
  for (unsigned first = 0; first < seen_.size(); first += 8) {
    std::uint64_t eight;  // mostly nothing
    std::memcpy(&eight, seen_.data() + first, 8);
    if (eight == 0) continue;
    for (unsigned n = first; n < first + 8; ++n) {
      if (seen_[n] != 0) set.set(number(n >> 10, n >> 5 & 31, n & 31));
    }
  }
  seen_.fill(0);
  return set;
}

std::vector<std::uint16_t> trigrams_of_needle(std::string_view needle) {
  std::vector<std::uint16_t> trigrams;
  for (std::size_t i = 0; i + 3 <= needle.size(); ++i) {
    const unsigned a = symbol(needle[i]), b = symbol(needle[i + 1]), c = symbol(needle[i + 2]);
    if (a != kNoLetter || b != kNoLetter || c != kNoLetter) trigrams.push_back(number(a, b, c));
  }
  return trigrams;
}

void write_trigram_index(std::span<const TrigramSet> blocks, std::string& out) {
  const std::size_t row_bytes = (blocks.size() + 7) / 8;
  std::unordered_map<std::string, std::uint16_t> rows;
  std::string row, row_text, table;
  ByteWriter writer(table);
  std::vector<std::uint64_t> words(blocks.size());  // of every block, the 64 trigrams at hand
  std::uint64_t in_any = 0;
  for (std::size_t trigram = 0; trigram < kTrigramCount; ++trigram) {
    if (trigram % 64 == 0) in_any = gather_words(blocks, trigram, words);
    if ((in_any >> trigram % 64 & 1) == 0) {
      writer.varint(0);
      continue;
    }
    row.assign(row_bytes, '\0');
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      row[b / 8] = static_cast<char>(row[b / 8] | static_cast<int>(words[b] >> trigram % 64 & 1) << b % 8);
    }
    const auto [found, is_new] = rows.try_emplace(row, static_cast<std::uint16_t>(rows.size() + 1));
    if (is_new) row_text.append(row);
    writer.varint(found->second);
  }
  ByteWriter(out).varint(rows.size());
  out.append(row_text);
  out.append(table);
}

std::optional<TrigramIndex> TrigramIndex::read(std::string_view bytes, std::size_t blocks) {
  TrigramIndex index;
  index.row_bytes_ = (blocks + 7) / 8;
  ByteReader reader(bytes);
  const std::uint64_t rows = reader.count(index.row_bytes_);
  if (rows > kTrigramCount) return std::nullopt;
  index.rows_ = reader.raw(rows * index.row_bytes_);
  index.row_of_.resize(kTrigramCount);
  for (auto& row : index.row_of_) {
    const std::uint64_t r = reader.varint();
    if (r > rows) return std::nullopt;
    row = static_cast<std::uint16_t>(r);
  }
  if (!reader.ok() || !reader.at_end()) return std::nullopt;
  return index;
}

std::string_view TrigramIndex::blocks_with(std::uint16_t trigram) const {
  const std::uint16_t row = row_of_[trigram];
  return row == 0 ? std::string_view() : std::string_view(rows_).substr((row - 1u) * row_bytes_, row_bytes_);
}

}  // namespace kvasir::chunks
