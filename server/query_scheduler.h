// query_scheduler.h -- a bounded, fair queue in front of a few worker threads: tenants take turns, whoever asks most.
//
// Order:    first in, first out inside a tenant; one job of each tenant with work after the other.
// Limits:   outstanding_max waiting jobs per tenant; submit() refuses more.
// Threads:  submit() from any thread, never waits. Jobs run on the scheduler's own threads; a job that throws is
//           logged.
// Shutdown: close() refuses new jobs, drops waiting ones (their replies answer 503 by on_dropped) and joins.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"

namespace kvasir::server {

struct QueryJob {
  std::function<void(Duration queued)> run;
  std::function<void()> on_dropped;   // instead of run, at close()
};

class QueryScheduler {
 public:
  QueryScheduler(std::size_t threads, std::size_t outstanding_max, const Clock& clock);
  ~QueryScheduler();  // close()

  /// False: the tenant has too many waiting jobs, or the scheduler is closed; the job was not taken.
  bool submit(const std::string& tenant, QueryJob job);
  void close();

  std::size_t waiting() const;
  std::size_t running() const;

 private:
  struct Waiting {
    QueryJob job;
    Duration since;
  };
  void work();

  const std::size_t outstanding_max_;
  const Clock& clock_;
  mutable Mutex mutex_;
  Condition wake_;
  std::map<std::string, std::deque<Waiting>> queues_ KVASIR_GUARDED_BY(mutex_);
  std::deque<std::string> turns_ KVASIR_GUARDED_BY(mutex_);  // tenants with work, each once
  std::size_t waiting_ KVASIR_GUARDED_BY(mutex_) = 0;
  std::size_t running_ KVASIR_GUARDED_BY(mutex_) = 0;
  bool closed_ KVASIR_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace kvasir::server
