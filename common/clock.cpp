#include "common/clock.h"

#include <chrono>

namespace kvasir {

TimestampNs SystemClock::now() const {
  return {std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()).count()};
}

Duration SystemClock::steady() const {
  return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch());
}

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace kvasir
