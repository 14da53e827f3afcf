// memory_budget.h -- one tree of byte accounts: process -> (ingest heads, caches, queries -> one query).
//
// Units:    bytes. A child's bytes count in every ancestor.
// Errors:   limit_exceeded, naming the account, what was asked, what is used and the limit. A refused charge changes
//           nothing.
// Threads:  any; counters are atomic. A parent must outlive its children.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "common/result.h"

namespace kvasir {

class MemoryBudget {
 public:
  /// limit_bytes 0 means no limit of its own.
  MemoryBudget(std::string name, std::uint64_t limit_bytes, MemoryBudget* parent = nullptr)
      : name_(std::move(name)), limit_bytes_(limit_bytes), parent_(parent) {}
  ~MemoryBudget();
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  Result<void> charge(std::uint64_t bytes);
  void release(std::uint64_t bytes);
  std::uint64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  std::uint64_t limit_bytes() const { return limit_bytes_; }

 private:
  std::string name_;
  std::uint64_t limit_bytes_;
  MemoryBudget* parent_;
  std::atomic<std::uint64_t> used_bytes_{0};
};

}  // namespace kvasir
