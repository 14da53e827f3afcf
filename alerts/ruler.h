// ruler.h -- keeps every rule group of every tenant running, on time.
//
// Shape:    one scheduler thread decides when; a few workers evaluate. Slots of a group are multiples of its interval
//           plus an offset of its own; a missed slot is skipped and counted. Rules come from the store, which is read
//           anew every poll_interval and after each change through the API. A group whose text did not change keeps
//           running untouched, and so do the groups of a file that can no longer be read.
// Errors:   problems with files are logged and listed by problems(); they stop nothing else.
// Threads:  every public function from any thread. Ends within a query's deadline.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "alerts/group_runner.h"
#include "alerts/notifier.h"
#include "alerts/remote_write.h"
#include "alerts/rule_store.h"
#include "common/relabel.h"

namespace kvasir::alerts {

struct RulerOptions {
  Path rules_directory;
  Path state_directory;
  Duration evaluation_interval = std::chrono::minutes(1);
  Duration poll_interval = std::chrono::minutes(1);
  Duration resend_delay = std::chrono::minutes(1);
  Duration for_outage_tolerance = std::chrono::hours(1);
  Duration for_grace_period = std::chrono::minutes(10);
  unsigned workers = 2;
  Labels external_labels;
  std::string external_url;
  std::string datasource_uid;
  Relabeler alert_relabel;  // on alerts with their external labels, before they are sent
};

struct RulerCounters {
  std::atomic<std::uint64_t> evaluations{0};          // of rules
  std::atomic<std::uint64_t> evaluation_failures{0};
  std::atomic<std::uint64_t> iterations{0};           // of groups
  std::atomic<std::uint64_t> iterations_missed{0};
  std::atomic<std::uint64_t> evaluation_ns{0};
};

/// What the ruler uses and does not own; the pointers may be null.
struct RulerPorts {
  const Clock& clock;
  Filesystem& filesystem;
  QueryFunction query;
  TenantLineQuery lines = nullptr;
  Notifier* notifier = nullptr;
  RemoteWriter* remote_write = nullptr;
};

class Ruler {
 public:
  Ruler(RulerOptions options, RulerPorts ports);
  ~Ruler();

  RuleStore& store() { return store_; }
  /// Reads the rules again now; call it after a change.
  void reload();
  /// Groups of a tenant, by namespace then name, then one for each file that cannot be read: it has the file's name and
  /// one rule, which says why.
  std::vector<GroupStatus> groups(const std::string& tenant) const;
  /// As they are written, for the rule API.
  RuleNamespaces rules(const std::string& tenant) const;
  std::vector<std::string> problems() const;
  /// The newest values of recorded series of all tenants, each with a label `tenant`.
  std::vector<RecordedSample> recorded() const;
  const RulerCounters& counters() const { return counters_; }

 private:
  struct Scheduled {
    std::shared_ptr<GroupRunner> runner;
    TimestampNs next_slot;
    bool running = false;
  };
  using Groups = std::map<GroupIdentity, Scheduled>;

  void schedule(std::stop_token stop);
  void work(std::stop_token stop);
  bool take_due(std::shared_ptr<GroupRunner>& runner, TimestampNs& slot) KVASIR_REQUIRES(mutex_);
  void run_group(GroupRunner& runner, TimestampNs slot);
  void notify(GroupRunner& runner);
  TimestampNs first_slot(const GroupIdentity& identity, Duration interval) const;
  Path state_path(const GroupIdentity& identity) const;
  Result<std::string> read_state(const GroupIdentity& identity) const;
  void remove_state(const GroupIdentity& identity) const;
  void adopt(const std::string& tenant, const std::string& name_space, const RuleGroup& group, Groups& next)
      KVASIR_REQUIRES(mutex_);

  const RulerOptions options_;
  const RulerPorts ports_;
  RuleStore store_;
  GroupEnvironment environment_;
  RulerCounters counters_;
  mutable Mutex mutex_;
  Condition changed_;
  Groups groups_ KVASIR_GUARDED_BY(mutex_);
  bool all_listed_ KVASIR_GUARDED_BY(mutex_) = true;  // what is not among the groups was deleted
  std::map<std::pair<std::string, std::string>, std::string> unreadable_ KVASIR_GUARDED_BY(mutex_);
  std::vector<std::string> problems_ KVASIR_GUARDED_BY(mutex_);
  std::vector<std::jthread> threads_;
};

}  // namespace kvasir::alerts
