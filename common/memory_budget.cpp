#include "common/memory_budget.h"

#include <fmt/format.h>

namespace kvasir {

MemoryBudget::~MemoryBudget() {
  if (parent_ != nullptr) parent_->release(used_bytes());
}

Result<void> MemoryBudget::charge(std::uint64_t bytes) {
  const std::uint64_t before = used_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (limit_bytes_ != 0 && before + bytes > limit_bytes_) {
    used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    return fail(ErrorCode::kLimitExceeded, fmt::format("memory limit of {} reached: asked {} bytes, used {}, limit {}",
                                                       name_, bytes, before, limit_bytes_));
  }
  if (parent_ == nullptr) return {};
  auto charged = parent_->charge(bytes);
  if (!charged) used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  return charged;
}

void MemoryBudget::release(std::uint64_t bytes) {
  used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  if (parent_ != nullptr) parent_->release(bytes);
}

}  // namespace kvasir
