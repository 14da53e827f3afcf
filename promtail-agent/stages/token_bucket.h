// token_bucket.h -- so many events a second on average, so many at once. Starts full.
//
// Units:    rate in events a second, burst in events; times on a steady clock.
// Threads:  one.
#pragma once

#include <algorithm>

#include "common/time.h"

namespace kvasir::agent {

class TokenBucket {
 public:
  TokenBucket(double rate, double burst, Duration now) : rate_(rate), burst_(burst), tokens_(burst), last_(now) {}

  /// True if an event may happen now.
  bool take(Duration now) {
    refill(now);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  /// Takes a token, if need be one of the future; says how long the event must wait for it.
  Duration reserve(Duration now) {
    refill(now);
    tokens_ -= 1;
    if (tokens_ >= 0) return Duration::zero();
    return Duration(static_cast<std::int64_t>(-tokens_ / rate_ * 1e9));
  }

 private:
  void refill(Duration now) {
    const double seconds = std::chrono::duration<double>(now - last_).count();
    if (seconds <= 0) return;
    tokens_ = std::min(burst_, tokens_ + seconds * rate_);
    last_ = now;
  }

  double rate_;
  double burst_;
  double tokens_;  // below zero: reserved ahead
  Duration last_;
};

}  // namespace kvasir::agent
