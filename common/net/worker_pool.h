// worker_pool.h -- named threads behind one bounded queue.
//
// Threads:  post() from any thread. A task that throws ends the process (the thread entry logs and aborts).
// Limits:   WorkerPoolOptions::queue_max tasks wait; more are refused.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "common/net/http_server.h"

namespace kvasir::net {

class WorkerPool {
 public:
  explicit WorkerPool(const WorkerPoolOptions& options);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// False: the queue is full or the pool is stopping; the task was not taken.
  bool post(std::function<void()> task);
  /// Runs what is queued, then joins. Idempotent.
  void stop();

 private:
  void run();

  const std::size_t queue_max_;
  Mutex mutex_;
  Condition work_;
  std::deque<std::function<void()>> queue_ KVASIR_GUARDED_BY(mutex_);
  bool stopping_ KVASIR_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

/// The thread for what is set aside; null if nothing is.
std::unique_ptr<WorkerPool> make_aside_pool(const SetAside& set_aside);

}  // namespace kvasir::net
