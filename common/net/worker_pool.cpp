#include "common/net/worker_pool.h"

#include <pthread.h>

namespace kvasir::net {

WorkerPool::WorkerPool(const WorkerPoolOptions& options) : queue_max_(options.queue_max) {
  const std::size_t count = options.threads == 0 ? 1 : options.threads;
  threads_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    threads_.emplace_back([this] { run(); });
    pthread_setname_np(threads_.back().native_handle(), options.name.substr(0, 15).c_str());
  }
}

WorkerPool::~WorkerPool() { stop(); }

bool WorkerPool::post(std::function<void()> task) {
  {
    MutexLock lock(mutex_);
    if (stopping_ || queue_.size() >= queue_max_) return false;
    queue_.push_back(std::move(task));
  }
  work_.notify_one();
  return true;
}

void WorkerPool::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void WorkerPool::run() {
  while (true) {
    std::function<void()> task;
    {
      MutexLock lock(mutex_);
      work_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

std::unique_ptr<WorkerPool> make_aside_pool(const SetAside& set_aside) {
  return set_aside ? std::make_unique<WorkerPool>(WorkerPoolOptions{"aside", 1, kAsideQueueMax}) : nullptr;
}

}  // namespace kvasir::net
