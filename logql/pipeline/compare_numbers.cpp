#include "logql/pipeline/compare_numbers.h"

#include <algorithm>

#include "common/vector_level.h"

#if KVASIR_HAS_AVX2_KERNELS
#include <immintrin.h>
#endif

namespace kvasir::logql {
namespace {

/// A word at a time, without a branch per value; from word `first` on.
template <class Test>
void keep_plain(std::span<const double> values, std::span<std::uint64_t> words, std::size_t first, Test test) {
  for (std::size_t w = first; w < words.size(); ++w) {
    if (words[w] == 0) continue;
    const auto part = values.subspan(w * 64, std::min<std::size_t>(64, values.size() - w * 64));
    std::uint64_t kept = 0;
    for (std::size_t i = 0; i < part.size(); ++i) kept |= std::uint64_t{test(part[i])} << i;
    words[w] &= kept;
  }
}

#if KVASIR_HAS_AVX2_KERNELS

/// Whole words; how many are done.
template <int kPredicate>
KVASIR_AVX2 std::size_t keep_by_four(std::span<const double> values, double bound, std::span<std::uint64_t> words) {
  const __m256d right = _mm256_set1_pd(bound);
  const std::size_t whole = values.size() / 64;
  for (std::size_t w = 0; w < whole; ++w) {
    if (words[w] == 0) continue;
    const double* const left = values.data() + w * 64;
    std::uint64_t kept = 0;
    for (unsigned i = 0; i < 64; i += 4) {
      const __m256d hits = _mm256_cmp_pd(_mm256_loadu_pd(left + i), right, kPredicate);
      kept |= static_cast<std::uint64_t>(_mm256_movemask_pd(hits)) << i;
    }
    words[w] &= kept;
  }
  return whole;
}

#endif

#if KVASIR_HAS_AVX2_KERNELS
#define KVASIR_KEEP_WHERE(predicate, op)                                                             \
  keep_plain(values, words, has_avx2() ? keep_by_four<predicate>(values, bound, words) : 0, \
             [bound](double value) { return value op bound; })
#else
#define KVASIR_KEEP_WHERE(predicate, op) \
  keep_plain(values, words, 0, [bound](double value) { return value op bound; })
#endif

}  // namespace

void keep_compared(std::span<const double> values, CompareOp op, double bound, std::span<std::uint64_t> words) {
  switch (op) {
    case CompareOp::kEqual: return KVASIR_KEEP_WHERE(_CMP_EQ_OQ, ==);
    case CompareOp::kNotEqual: return KVASIR_KEEP_WHERE(_CMP_NEQ_UQ, !=);
    case CompareOp::kGreater: return KVASIR_KEEP_WHERE(_CMP_GT_OQ, >);
    case CompareOp::kGreaterOrEqual: return KVASIR_KEEP_WHERE(_CMP_GE_OQ, >=);
    case CompareOp::kLess: return KVASIR_KEEP_WHERE(_CMP_LT_OQ, <);
    case CompareOp::kLessOrEqual: return KVASIR_KEEP_WHERE(_CMP_LE_OQ, <=);
  }
}

#undef KVASIR_KEEP_WHERE

}  // namespace kvasir::logql
