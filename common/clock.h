// clock.h -- where time comes from. Logic takes a Clock&; only this folder reads the real one.
//
// Threads:  every implementation may be called from any thread.
#pragma once

#include <atomic>

#include "common/time.h"

namespace kvasir {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Wall time; may jump.
  virtual TimestampNs now() const = 0;
  /// Never goes back; for deadlines and durations. The zero point has no meaning.
  virtual Duration steady() const = 0;
};

class SystemClock final : public Clock {
 public:
  TimestampNs now() const override;
  Duration steady() const override;
};

/// The process-wide real clock.
const Clock& system_clock();

/// Stands still until it is moved; wall and steady time move together.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(TimestampNs start) : now_(start.value) {}
  TimestampNs now() const override { return {now_.load()}; }
  Duration steady() const override { return Duration(now_.load()); }
  void advance(Duration by) { now_ += by.count(); }
  void set(TimestampNs to) { now_ = to.value; }

 private:
  std::atomic<std::int64_t> now_;
};

}  // namespace kvasir
