#include "logql/query_profile.h"

#include <ctime>

namespace kvasir::logql {

const char* ScanProfile::name(Operator op) {
  static constexpr std::array<const char*, kOperators> kNames = {"select", "footers", "times", "open",  "literals",
                                                                 "fields", "columns", "lines", "result"};
  return kNames[op];
}

std::uint64_t thread_cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace kvasir::logql
