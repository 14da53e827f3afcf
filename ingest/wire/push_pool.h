// push_pool.h -- gives out DecodedPush objects and takes their memory back for the next push.
//
// Why:      a push of 1 MiB needs about 2 MiB of buffers; fresh ones cost page faults that take longer than decoding.
// Lifetime: the objects may outlive the pool.
// Threads:  any.
// Limits:   `kept_max` objects of at most kRecycledBytesMax are kept; larger ones are freed.
#pragma once

#include <memory>
#include <vector>

#include "common/mutex.h"
#include "ingest/wire/push_request.h"

namespace kvasir::ingest {

class PushPool {
 public:
  explicit PushPool(std::size_t kept_max = 8) : shelf_(std::make_shared<Shelf>(kept_max)) {}

  /// Empty; goes back to the pool when the last reference is dropped.
  std::shared_ptr<DecodedPush> get() {
    auto push = shelf_->take();
    return {push.release(), [shelf = shelf_](DecodedPush* used) { shelf->put(std::unique_ptr<DecodedPush>(used)); }};
  }

 private:
  static constexpr std::uint64_t kRecycledBytesMax = 16 << 20;

  class Shelf {
   public:
    explicit Shelf(std::size_t kept_max) : kept_max_(kept_max) {}
    std::unique_ptr<DecodedPush> take() {
      MutexLock lock(mutex_);
      if (kept_.empty()) return std::make_unique<DecodedPush>();
      auto push = std::move(kept_.back());
      kept_.pop_back();
      return push;
    }
    void put(std::unique_ptr<DecodedPush> push) {
      if (push->held_bytes() > kRecycledBytesMax) return;
      push->clear();
      MutexLock lock(mutex_);
      if (kept_.size() < kept_max_) kept_.push_back(std::move(push));
    }

   private:
    const std::size_t kept_max_;
    Mutex mutex_;
    std::vector<std::unique_ptr<DecodedPush>> kept_ KVASIR_GUARDED_BY(mutex_);
  };

  std::shared_ptr<Shelf> shelf_;
};

}  // namespace kvasir::ingest
