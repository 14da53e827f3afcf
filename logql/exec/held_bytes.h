// held_bytes.h -- bytes that an operation needs for a while, charged to the query's memory and given back at its end.
//
// Threads:  one.
#pragma once

#include "common/memory_budget.h"
#include "logql/exec/bucket_series.h"
#include "logql/exec/step_series.h"

namespace kvasir::logql {

class HeldBytes {
 public:
  explicit HeldBytes(MemoryBudget& budget) : budget_(budget) {}
  ~HeldBytes() { budget_.release(bytes_); }
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;

  /// Errors: limit_exceeded; nothing is held then that was not before.
  Result<void> add(std::uint64_t bytes) {
    KVASIR_CHECK_OK(budget_.charge(bytes));
    bytes_ += bytes;
    return {};
  }

 private:
  MemoryBudget& budget_;
  std::uint64_t bytes_ = 0;
};

/// About what series take.
inline std::uint64_t vector_bytes(const StepVector& vector) {
  std::uint64_t bytes = 0;
  for (const auto& series : vector)
    bytes += sizeof series + labels_bytes(series.labels) + series.points.size() * sizeof(StepPoint);
  return bytes;
}

}  // namespace kvasir::logql
