// Four values are unpacked at once: two loads of 16 bytes bring two values each, a byte shuffle puts the eight bytes
// that hold a value into its lane, a shift and a mask cut it out. Where a value begins within its first byte repeats
// every eight values, so each width has two shuffles.
#include "chunks/unpack_bits.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "chunks/bit_stream.h"
#include "common/vector_level.h"

#if KVASIR_HAS_AVX2_KERNELS
#include <immintrin.h>
#endif

namespace kvasir::chunks {
namespace {

constexpr unsigned kWidthMax = 56;  // wider values may lie over nine bytes

std::size_t unpack_plain(std::string_view bytes, const PackedShape& shape, std::span<std::int64_t> out,
                         std::size_t first) {
  if (shape.width == 0 || shape.width > kWidthMax || bytes.size() < 8) return first;
  const std::uint64_t mask = ~std::uint64_t{0} >> (64 - shape.width);
  const std::size_t safe = std::min<std::size_t>(out.size(), (bytes.size() - 8) * 8 / shape.width);
  std::size_t i = first;
  for (; i < safe; ++i) {
    const std::size_t bit = i * shape.width;
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + (bit >> 3), 8);
    out[i] = static_cast<std::int64_t>((word >> (bit & 7) & mask) * shape.scale + shape.base);
  }
  return i;
}

#if KVASIR_HAS_AVX2_KERNELS

/// Of four values that begin at bit 0 or, the second of a pair, at bit 4 * width of a byte-aligned run.
struct Lanes {
  std::array<std::uint8_t, 32> shuffle{};
  std::array<std::uint64_t, 4> shift{};
};

constexpr Lanes make_lanes(unsigned width, unsigned parity) {
  Lanes lanes;
  const unsigned first_bit = parity * 4 * width % 8;
  for (unsigned value = 0; value < 4; ++value) {
    // Each half has its own load, which begins at the byte of its first value.
    const unsigned half_bit = (first_bit + (value < 2 ? 0 : 2 * width)) / 8 * 8;
    const unsigned bit = first_bit + value * width - half_bit;
    lanes.shift[value] = bit % 8;
    for (unsigned byte = 0; byte < 8; ++byte)
      lanes.shuffle[value * 8 + byte] = static_cast<std::uint8_t>(bit / 8 + byte);
  }
  return lanes;
}

constexpr auto kLanes = [] {
  std::array<std::array<Lanes, 2>, kWidthMax + 1> all{};
  for (unsigned width = 1; width <= kWidthMax; ++width) {
    for (unsigned parity = 0; parity < 2; ++parity) all[width][parity] = make_lanes(width, parity);
  }
  return all;
}();

KVASIR_AVX2 std::size_t unpack_by_four(std::string_view bytes, const PackedShape& shape, std::span<std::int64_t> out) {
  if (shape.width == 0 || shape.width > kWidthMax) return 0;
  const auto& lanes = kLanes[shape.width];
  const __m256i mask = _mm256_set1_epi64x(static_cast<long long>(~std::uint64_t{0} >> (64 - shape.width)));
  const __m256i base = _mm256_set1_epi64x(static_cast<long long>(shape.base));
  const __m256i scale = _mm256_set1_epi64x(static_cast<long long>(shape.scale));
  std::size_t i = 0;
  for (; i + 4 <= out.size(); i += 4) {
    const std::size_t low = i * shape.width >> 3, high = (i + 2) * shape.width >> 3;
    if (high + 16 > bytes.size()) break;
    const Lanes& lane = lanes[i >> 2 & 1];
    const __m256i halves = _mm256_loadu2_m128i(reinterpret_cast<const __m128i*>(bytes.data() + high),
                                               reinterpret_cast<const __m128i*>(bytes.data() + low));
    const __m256i words =
        _mm256_shuffle_epi8(halves, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lane.shuffle.data())));
    __m256i values = _mm256_srlv_epi64(words, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lane.shift.data())));
    values = _mm256_and_si256(values, mask);
    if (shape.scale != 1) {
      const __m256i upper = _mm256_slli_epi64(_mm256_mul_epu32(_mm256_srli_epi64(values, 32), scale), 32);
      values = _mm256_add_epi64(_mm256_mul_epu32(values, scale), upper);
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.data() + i), _mm256_add_epi64(values, base));
  }
  return i;
}

#endif

}  // namespace

void unpack_bits(std::string_view bytes, const PackedShape& shape, std::span<std::int64_t> out) {
  std::size_t i = 0;
#if KVASIR_HAS_AVX2_KERNELS
  if (has_avx2()) i = unpack_by_four(bytes, shape, out);
#endif
  i = std::max(i, unpack_plain(bytes, shape, out, i));
  BitReader rest(bytes, i * shape.width);
  for (; i < out.size(); ++i) out[i] = static_cast<std::int64_t>(rest.get(shape.width) * shape.scale + shape.base);
}

}  // namespace kvasir::chunks
