// running_queries.h -- the queries that are at work: shown by GET /api/v1/queries, stopped by DELETE
// /api/v1/queries/{id}.
//
// Lifetime: a Ticket is held while its query runs; the registry must outlive it.
// Threads:  any.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"

namespace kvasir::server {

struct RunningQuery {
  std::uint64_t id = 0;
  std::string tenant;
  std::string query;
  std::string kind;        // the route's name
  std::string peer;
  TimestampNs started;
};

class RunningQueries {
 public:
  class Ticket {
   public:
    Ticket(RunningQueries& registry, std::uint64_t id, std::stop_source stop, std::stop_token client);
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    /// Stops when the client goes away or the query is cancelled.
    std::stop_token stop_token() const { return stop_.get_token(); }

   private:
    RunningQueries& registry_;
    std::uint64_t id_;
    std::stop_source stop_;
    std::stop_callback<std::function<void()>> on_client_gone_;
  };

  explicit RunningQueries(const Clock& clock) : clock_(clock) {}

  /// `client` stops when the client goes away. The id of `query` is given here.
  std::unique_ptr<Ticket> start(RunningQuery query, std::stop_token client);
  std::vector<RunningQuery> list() const;
  /// False: no such query (of that tenant, unless tenant is empty).
  bool cancel(std::uint64_t id, const std::string& tenant);

 private:
  struct Entry {
    RunningQuery query;
    std::stop_source stop;
  };
  void finish(std::uint64_t id);

  const Clock& clock_;
  mutable Mutex mutex_;
  std::uint64_t last_id_ KVASIR_GUARDED_BY(mutex_) = 0;
  std::map<std::uint64_t, Entry> entries_ KVASIR_GUARDED_BY(mutex_);
};

}  // namespace kvasir::server
