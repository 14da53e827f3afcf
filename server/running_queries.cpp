#include "server/running_queries.h"

namespace kvasir::server {

RunningQueries::Ticket::Ticket(RunningQueries& registry, std::uint64_t id, std::stop_source stop,
                               std::stop_token client)
    : registry_(registry),
      id_(id),
      stop_(stop),
      on_client_gone_(std::move(client), [stop]() mutable { stop.request_stop(); }) {}

RunningQueries::Ticket::~Ticket() { registry_.finish(id_); }

std::unique_ptr<RunningQueries::Ticket> RunningQueries::start(RunningQuery query, std::stop_token client) {
  std::stop_source stop;
  std::uint64_t id = 0;
  {
    MutexLock lock(mutex_);
    id = query.id = ++last_id_;
    query.started = clock_.now();
    entries_.emplace(id, Entry{std::move(query), stop});
  }
  return std::make_unique<Ticket>(*this, id, std::move(stop), std::move(client));
}

std::vector<RunningQuery> RunningQueries::list() const {
  MutexLock lock(mutex_);
  std::vector<RunningQuery> out;
  for (const auto& [id, entry] : entries_) out.push_back(entry.query);
  return out;
}

bool RunningQueries::cancel(std::uint64_t id, const std::string& tenant) {
  std::stop_source stop;
  {
    MutexLock lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end() || (!tenant.empty() && found->second.query.tenant != tenant)) return false;
    stop = found->second.stop;
  }
  return stop.request_stop();
}

void RunningQueries::finish(std::uint64_t id) {
  MutexLock lock(mutex_);
  entries_.erase(id);
}

}  // namespace kvasir::server
