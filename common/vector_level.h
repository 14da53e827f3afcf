// vector_level.h -- which vector instructions the kernels of this process use: chosen at run time from the processor.
//
// Use:      a kernel has a plain version and, marked KVASIR_AVX2, a wider one; it asks has_avx2() at each call.
// Law:      both give the same answers; tests run each kernel on both.
// Setting:  KVASIR_VECTORS=scalar in the environment keeps to the plain versions.
// Threads:  any.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#if defined(__x86_64__)
#define KVASIR_HAS_AVX2_KERNELS 1
/// Of a function that only runs where has_avx2().
#define KVASIR_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#else
#define KVASIR_HAS_AVX2_KERNELS 0
#define KVASIR_AVX2
#endif

namespace kvasir {

enum class VectorLevel : std::uint8_t { kScalar, kAvx2 };

namespace detail {
extern std::atomic<VectorLevel> g_vector_level;
}

inline VectorLevel vector_level() { return detail::g_vector_level.load(std::memory_order_relaxed); }
inline bool has_avx2() { return vector_level() == VectorLevel::kAvx2; }

/// "scalar" or "avx2".
std::string_view vector_level_name(VectorLevel level);

/// For tests: the level while it lives. A level that the processor lacks is left alone; is_set() tells.
class ScopedVectorLevel {
 public:
  explicit ScopedVectorLevel(VectorLevel level);
  ~ScopedVectorLevel();
  ScopedVectorLevel(const ScopedVectorLevel&) = delete;
  ScopedVectorLevel& operator=(const ScopedVectorLevel&) = delete;
  bool is_set() const { return is_set_; }

 private:
  VectorLevel before_;
  bool is_set_;
};

}  // namespace kvasir
