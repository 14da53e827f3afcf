#include "common/find_bytes.h"

#include <bit>
#include <cstdint>
#include <cstring>

#include "common/vector_level.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kvasir {
namespace {

constexpr std::size_t kNowhere = std::string_view::npos;

/// From `at` on, place by place.
std::size_t find_from(std::string_view text, std::string_view needle, std::size_t at) {
  for (; at + needle.size() <= text.size(); ++at) {
    if (text[at] == needle[0] && std::memcmp(text.data() + at + 1, needle.data() + 1, needle.size() - 1) == 0)
      return at;
  }
  return kNowhere;
}

#if defined(__x86_64__)

/// Whether the bytes between the first and the last are there too.
bool middle_equals(const char* at, std::string_view needle) {
  return std::memcmp(at + 1, needle.data() + 1, needle.size() - 2) == 0;
}

std::size_t find_by_16(std::string_view text, std::string_view needle, std::size_t at) {
  const __m128i first = _mm_set1_epi8(needle.front());
  const __m128i last = _mm_set1_epi8(needle.back());
  const auto load = [](const char* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); };
  for (; at + needle.size() + 15 <= text.size(); at += 16) {
    const char* const here = text.data() + at;
    const __m128i hits =
        _mm_and_si128(_mm_cmpeq_epi8(load(here), first), _mm_cmpeq_epi8(load(here + needle.size() - 1), last));
    auto mask = static_cast<std::uint32_t>(_mm_movemask_epi8(hits));
    for (; mask != 0; mask &= mask - 1) {
      const auto place = static_cast<std::size_t>(std::countr_zero(mask));
      if (middle_equals(here + place, needle)) return at + place;
    }
  }
  return find_from(text, needle, at);
}

KVASIR_AVX2 std::size_t find_by_32(std::string_view text, std::string_view needle) {
  const __m256i first = _mm256_set1_epi8(needle.front());
  const __m256i last = _mm256_set1_epi8(needle.back());
  std::size_t at = 0;
  for (; at + needle.size() + 31 <= text.size(); at += 32) {
    const char* const here = text.data() + at;
    const __m256i fronts = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(here));
    const __m256i backs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(here + needle.size() - 1));
    const __m256i hits = _mm256_and_si256(_mm256_cmpeq_epi8(fronts, first), _mm256_cmpeq_epi8(backs, last));
    auto mask = static_cast<std::uint32_t>(_mm256_movemask_epi8(hits));
    for (; mask != 0; mask &= mask - 1) {
      const auto place = static_cast<std::size_t>(std::countr_zero(mask));
      if (middle_equals(here + place, needle)) return at + place;
    }
  }
  return find_by_16(text, needle, at);
}

#endif

}  // namespace

std::size_t find_bytes(std::string_view text, std::string_view needle) {
  if (needle.empty()) return 0;
  if (needle.size() > text.size()) return kNowhere;
  if (needle.size() == 1) {
    const void* at = std::memchr(text.data(), needle[0], text.size());
    return at == nullptr ? kNowhere : static_cast<std::size_t>(static_cast<const char*>(at) - text.data());
  }
#if defined(__x86_64__)
  return has_avx2() ? find_by_32(text, needle) : find_by_16(text, needle, 0);
#else
  return find_from(text, needle, 0);
#endif
}

}  // namespace kvasir
