// rate_limit.h -- a token bucket of bytes.
//
// Threads:  one at a time; the owner locks.
#pragma once

#include <algorithm>

#include "common/time.h"

namespace kvasir::ingest {

class TokenBucket {
 public:
  /// Takes `amount` if so much is there, and says whether it was. `now` is steady time. A bucket starts full.
  bool take(double amount, double rate_per_second, double burst, Duration now) {
    const double seconds = std::chrono::duration<double>(now - last_).count();
    tokens_ = started_ ? std::min(burst, tokens_ + std::max(0.0, seconds) * rate_per_second) : burst;
    started_ = true;
    last_ = now;
    if (amount > tokens_) return false;
    tokens_ -= amount;
    return true;
  }

 private:
  double tokens_ = 0;
  Duration last_{0};
  bool started_ = false;
};

}  // namespace kvasir::ingest
