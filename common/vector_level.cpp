#include "common/vector_level.h"

#include <cstdlib>

namespace kvasir {
namespace {

bool processor_has(VectorLevel level) {
  if (level == VectorLevel::kScalar) return true;
#if KVASIR_HAS_AVX2_KERNELS
  __builtin_cpu_init();  // may run before the library's own constructor
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("popcnt");
#else
  return false;
#endif
}

VectorLevel level_at_start() {
  const char* const wanted = std::getenv("KVASIR_VECTORS");
  const bool scalar = wanted != nullptr && std::string_view(wanted) == "scalar";
  return !scalar && processor_has(VectorLevel::kAvx2) ? VectorLevel::kAvx2 : VectorLevel::kScalar;
}

}  // namespace

namespace detail {
std::atomic<VectorLevel> g_vector_level{level_at_start()};
}

std::string_view vector_level_name(VectorLevel level) { return level == VectorLevel::kAvx2 ? "avx2" : "scalar"; }

ScopedVectorLevel::ScopedVectorLevel(VectorLevel level) : before_(vector_level()), is_set_(processor_has(level)) {
  if (is_set_) detail::g_vector_level = level;
}

ScopedVectorLevel::~ScopedVectorLevel() { detail::g_vector_level = before_; }

}  // namespace kvasir
