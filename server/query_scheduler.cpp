#include "server/query_scheduler.h"

#include <algorithm>
#include <exception>

#include "common/log.h"

namespace kvasir::server {

QueryScheduler::QueryScheduler(std::size_t threads, std::size_t outstanding_max, const Clock& clock)
    : outstanding_max_(outstanding_max), clock_(clock) {
  for (std::size_t i = 0; i < std::max<std::size_t>(threads, 1); ++i) threads_.emplace_back([this] { work(); });
}

QueryScheduler::~QueryScheduler() { close(); }

bool QueryScheduler::submit(const std::string& tenant, QueryJob job) {
  {
    MutexLock lock(mutex_);
    auto& queue = queues_[tenant];
    if (closed_ || queue.size() >= outstanding_max_) return false;
    if (queue.empty()) turns_.push_back(tenant);
    queue.push_back({std::move(job), clock_.steady()});
    ++waiting_;
  }
  wake_.notify_one();
  return true;
}

void QueryScheduler::work() {
  for (;;) {
    Waiting next;
    {
      MutexLock lock(mutex_);
      wake_.wait(lock, [&] { return closed_ || !turns_.empty(); });
      if (closed_) return;
      const std::string tenant = std::move(turns_.front());
      turns_.pop_front();
      auto& queue = queues_[tenant];
      next = std::move(queue.front());
      queue.pop_front();
      if (queue.empty()) {
        queues_.erase(tenant);
      } else {
        turns_.push_back(tenant);
      }
      --waiting_, ++running_;
    }
    try {
      next.job.run(clock_.steady() - next.since);
    } catch (const std::exception& e) {
      log::error("query", "a query ended with an exception", {{"error", e.what()}});
    }
    next.job = {};  // its reply is dropped before the slot counts as free
    MutexLock lock(mutex_);
    --running_;
  }
}

void QueryScheduler::close() {
  std::map<std::string, std::deque<Waiting>> dropped;
  {
    MutexLock lock(mutex_);
    if (closed_) return;
    closed_ = true;
    dropped.swap(queues_);
    turns_.clear();
    waiting_ = 0;
  }
  wake_.notify_all();
  for (auto& [tenant, queue] : dropped) {
    for (auto& waiting : queue) {
      if (waiting.job.on_dropped) waiting.job.on_dropped();
    }
  }
  for (auto& thread : threads_) thread.join();
}

std::size_t QueryScheduler::waiting() const {
  MutexLock lock(mutex_);
  return waiting_;
}

std::size_t QueryScheduler::running() const {
  MutexLock lock(mutex_);
  return running_;
}

}  // namespace kvasir::server
