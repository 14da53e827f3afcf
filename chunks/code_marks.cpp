// Where few codes are wanted, eight codes are compared with each of them at once; else every code is looked up.
#include "chunks/code_marks.h"

#include <array>

#include "common/vector_level.h"

#if KVASIR_HAS_AVX2_KERNELS
#include <immintrin.h>
#endif

namespace kvasir::chunks {
namespace {

void mark_plain(std::span<const std::uint32_t> codes, std::span<const std::uint8_t> wanted,
                std::span<std::uint64_t> words, std::size_t first) {
  for (std::size_t begin = first; begin < codes.size(); begin += 64) {
    const auto part = codes.subspan(begin, std::min<std::size_t>(64, codes.size() - begin));
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < part.size(); ++i) bits |= std::uint64_t{wanted[part[i]] != 0} << i;
    words[begin / 64] |= bits;
  }
}

#if KVASIR_HAS_AVX2_KERNELS

constexpr std::size_t kComparedMax = 4;

struct FewCodes {
  std::array<std::uint32_t, kComparedMax> codes{};
  std::size_t count = 0;
};

/// False: too many.
bool list_wanted(std::span<const std::uint8_t> wanted, FewCodes& few) {
  for (std::size_t code = 0; code < wanted.size(); ++code) {
    if (wanted[code] == 0) continue;
    if (few.count == kComparedMax) return false;
    few.codes[few.count++] = static_cast<std::uint32_t>(code);
  }
  return true;
}

KVASIR_AVX2 std::uint64_t compare_eight(const std::uint32_t* codes, const FewCodes& few) {
  const __m256i values = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes));
  __m256i hits = _mm256_setzero_si256();
  for (std::size_t k = 0; k < few.count; ++k) {
    hits = _mm256_or_si256(hits, _mm256_cmpeq_epi32(values, _mm256_set1_epi32(static_cast<int>(few.codes[k]))));
  }
  return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(hits)));
}

/// Whole words; how many codes are done.
KVASIR_AVX2 std::size_t mark_few(std::span<const std::uint32_t> codes, const FewCodes& few,
                                 std::span<std::uint64_t> words) {
  std::size_t begin = 0;
  for (; begin + 64 <= codes.size(); begin += 64) {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < 64; i += 8) bits |= compare_eight(codes.data() + begin + i, few) << i;
    words[begin / 64] |= bits;
  }
  return begin;
}

#endif

}  // namespace

void mark_codes(std::span<const std::uint32_t> codes, std::span<const std::uint8_t> wanted,
                std::span<std::uint64_t> words) {
  std::size_t done = 0;
#if KVASIR_HAS_AVX2_KERNELS
  FewCodes few;
  if (has_avx2() && list_wanted(wanted, few)) done = mark_few(codes, few, words);
#endif
  mark_plain(codes, wanted, words, done);
}

}  // namespace kvasir::chunks
