// ruler.h -- keeps every rule group of every tenant running, on time.
//
// Shape:    one scheduler thread decides when; a few workers evaluate. Slots of a group are multiples of its interval
//           plus an offset of its own; a missed slot is skipped and counted. Rules come from the store, which is read
//           anew every poll_interval and after each change through the API. A group whose text did not change keeps
//           running untouched, and so do the groups of a file that can no longer be read.
// Errors:   problems with files are logged and listed by problems(); they stop nothing else.
// Threads:  every public function from any thread. Ends within a query's deadline.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "alerts/group_runner.h"
#include "alerts/notifier.h"
#include "alerts/remote_write.h"
#include "alerts/rule_store.h"
#include "alerts/ruler_report.h"
#include "alerts/state_files.h"
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
  /// The newest values of recorded series of all tenants, each with a label `tenant` (one of the series' own is then
  /// `exported_tenant`). Each label set once: of several groups that record it, the newest value.
  std::vector<RecordedSample> recorded() const;
  RulerReport report() const;

 private:
  struct Scheduled {
    std::shared_ptr<GroupRunner> runner;
    TimestampNs next_slot;
    bool running = false;  // this runner, or one that it replaced meanwhile
    GroupTotals totals;
  };
  using Groups = std::map<GroupIdentity, Scheduled>;
  /// Series that end now, by tenant.
  using Ended = std::map<std::string, std::vector<Labels>>;

  void schedule(std::stop_token stop);
  void work(std::stop_token stop);
  bool take_due(std::shared_ptr<GroupRunner>& runner, TimestampNs& slot) KVASIR_REQUIRES(mutex_);
  Evaluation run_group(GroupRunner& runner, TimestampNs slot);
  Ended finish_group(const GroupRunner& runner, const Evaluation& done) KVASIR_REQUIRES(mutex_);
  void notify(GroupRunner& runner);
  TimestampNs first_slot(const GroupIdentity& identity, Duration interval) const;
  void note_problems(const GroupIdentity& identity, const RuleGroup& group) KVASIR_REQUIRES(mutex_);
  Scheduled adopt(const GroupIdentity& identity, const RuleGroup& group, Ended& ended) KVASIR_REQUIRES(mutex_);
  void let_go(const Groups& next, Ended& ended) KVASIR_REQUIRES(mutex_);
  void forget_deleted_groups();
  void write_samples(const std::string& tenant, const std::vector<RecordedSample>& samples);
  void end_series(const Ended& ended);

  const RulerOptions options_;
  const RulerPorts ports_;
  RuleStore store_;
  const StateFiles states_;
  GroupEnvironment environment_;
  Mutex reload_mutex_;  // one reload at a time, so that none puts back what was read before a change; taken first
  mutable Mutex mutex_;
  Condition changed_;
  Groups groups_ KVASIR_GUARDED_BY(mutex_);
  bool all_listed_ KVASIR_GUARDED_BY(mutex_) = true;  // what is not among the groups was deleted
  std::map<std::pair<std::string, std::string>, std::string> unreadable_ KVASIR_GUARDED_BY(mutex_);
  std::vector<std::string> problems_ KVASIR_GUARDED_BY(mutex_);
  std::set<std::string> troubled_ KVASIR_GUARDED_BY(mutex_);  // tenants with a problem
  std::map<std::string, TenantReport> tenants_ KVASIR_GUARDED_BY(mutex_);
  std::vector<std::jthread> threads_;
};

}  // namespace kvasir::alerts
