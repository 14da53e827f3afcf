// agent.h -- the running agent: positions, clients, jobs, HTTP pages; start, reload, stop.
//
// Reload:   the new configuration is built whole before anything of the old one stops; if it cannot be built, the old
//           one runs on. Clients and files whose configuration is the same go on with their queues and places.
// Stop:     sources first, then what is queued is sent until shutdown_timeout; the rest goes to the spool, or its
//           sources stay where they were acknowledged.
// Threads:  start, reload and stop from one thread at a time; the page functions from any.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "promtail-agent/client/fanout.h"
#include "promtail-agent/config/load.h"
#include "promtail-agent/job_factory.h"

namespace kvasir::agent {

class AgentPages;

class Agent {
 public:
  Agent(Flags flags, Config config);
  ~Agent();

  Result<void> start();
  /// False: the configuration has not changed. Counted in promtail_config_reload_{success,fail}_total.
  Result<bool> reload();
  void stop();
  /// Called from any thread when there is nothing left to do (standard input has ended).
  void set_finished_callback(std::function<void()> finished) { finished_ = std::move(finished); }

  // For the pages.
  bool ready() const;
  struct JobStatus {
    std::string name;
    std::vector<TargetStatus> targets;
  };
  std::vector<JobStatus> status() const;
  std::string config_text() const;
  ServerConfig server_config() const;
  MetricRegistry& metrics() { return metrics_; }
  /// Called by /reload.
  Result<bool> reload_now() { return reload(); }

 private:
  struct Running {
    Config config;
    std::shared_ptr<ClientFanout> fanout;        // nullptr in a dry run
    std::unique_ptr<EntryOutput> printer;        // in a dry run
    std::vector<std::unique_ptr<Job>> jobs;
  };

  Result<std::unique_ptr<Running>> build(Config config, const Running* old);
  Result<std::shared_ptr<PushClient>> make_client(const ClientConfig& client, const Config& config);
  Result<std::unique_ptr<Spool>> open_spool(const ClientConfig& client, const Config& config);
  Result<void> start_clients(Running& running);
  void hand_over_spools(Running& from, const Running& to);
  Result<void> start_jobs(Running& running);
  void stop_jobs(Running& running, Duration patience);
  void hand_over_files(Running& from, Running& to);
  void save_positions();
  /// Nothing waits on disk for a server.
  bool all_delivered() const;
  void save_loop();
  void describe_build();

  const Flags flags_;
  const Clock& clock_;
  MetricRegistry metrics_;
  ProgressTable progress_;
  std::unique_ptr<Positions> positions_;
  std::unique_ptr<AgentPages> pages_;
  std::unique_ptr<StageObserver> observer_;
  std::function<void()> finished_;
  SeriesPtr reload_success_, reload_fail_, spool_damaged_, state_damaged_;
  std::string origin_;
  std::uint64_t clients_made_ = 0;  // each numbers its batches anew
  std::atomic<bool> started_{false};   // every source listens
  std::atomic<bool> stopping_{false};

  mutable Mutex mutex_;
  Condition wake_;
  std::shared_ptr<Running> running_ KVASIR_GUARDED_BY(mutex_);
  Mutex reload_mutex_;  // one reload at a time; taken before mutex_
  std::thread saver_;
};

}  // namespace kvasir::agent
