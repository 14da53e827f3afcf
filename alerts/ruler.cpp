#include "alerts/ruler.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "common/json_writer.h"
#include "common/log.h"
#include "common/net/http_types.h"

namespace kvasir::alerts {
namespace {

// Two groups are the same if the same text went into them.
bool same_group(const RuleGroup& a, const RuleGroup& b) { return a.source == b.source; }

std::string explore_link(const RulerOptions& options, const std::string& expr) {
  std::string left;
  JsonWriter json(left);
  json.begin_object()
      .key("queries")
      .begin_array()
      .begin_object()
      .key("expr")
      .string(expr)
      .key("queryType")
      .string("range");
  json.key("datasource")
      .begin_object()
      .key("type")
      .string("loki")
      .key("uid")
      .string(options.datasource_uid)
      .end_object();
  json.end_object().end_array().end_object();
  return options.external_url + "/explore?left=" + net::form_encode(left);
}

GroupStatus unreadable_file(const std::string& tenant, const std::string& name_space, const std::string& reason) {
  GroupStatus status;
  status.identity = {tenant, name_space, name_space};
  RuleStatus rule;
  rule.rule.name = name_space;
  rule.rule.error = rule.last_error = reason;
  status.rules.push_back(std::move(rule));
  return status;
}

void append(std::vector<Labels>& all, std::vector<Labels> more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

// As Prometheus does it with a label of the target that a scraped series has already.
Labels with_tenant(const Labels& labels, const std::string& tenant) {
  Labels out = labels;
  if (const auto own = labels.get("tenant")) {
    std::string name = "exported_tenant";
    while (labels.has(name)) name = "exported_" + name;
    out.set(name, *own);
  }
  out.set("tenant", tenant);
  return out;
}

const std::string& expression_of(const GroupRunner& runner, const Alert& alert) {
  static const std::string kNone;
  const auto name = alert.labels.value_or_empty("alertname");
  for (const auto& rule : runner.group().rules) {
    if (rule.kind == Rule::Kind::kAlert && rule.name == name) return rule.canonical;
  }
  return kNone;
}

}  // namespace

Ruler::Ruler(RulerOptions options, RulerPorts ports)
    : options_(std::move(options)),
      ports_(std::move(ports)),
      store_(options_.rules_directory, ports_.filesystem),
      states_(options_.state_directory, ports_.filesystem),
      environment_{ports_.clock, ports_.query, options_.external_labels, options_.external_url, ports_.lines} {
  reload();
  forget_deleted_groups();
  threads_.emplace_back([this](std::stop_token stop) { schedule(stop); });
  for (unsigned i = 0; i < options_.workers; ++i) threads_.emplace_back([this](std::stop_token stop) { work(stop); });
}

Ruler::~Ruler() {
  for (auto& thread : threads_) thread.request_stop();
  {
    MutexLock lock(mutex_);  // between its look and its wait a thread would not hear it
    changed_.notify_all();
  }
  threads_.clear();  // joins
}

// Slots are aligned to the epoch plus an offset that spreads groups over their interval and survives restarts.
TimestampNs Ruler::first_slot(const GroupIdentity& identity, Duration interval) const {
  const std::size_t hash =
      std::hash<std::string>{}(identity.tenant + '\0' + identity.name_space + '\0' + identity.group);
  const auto step = std::max<std::int64_t>(interval.count(), 1);
  const auto offset = static_cast<std::int64_t>(hash % static_cast<std::size_t>(step));
  const std::int64_t now = ports_.clock.now().value;
  return {(now - offset + step - 1) / step * step + offset};
}

void Ruler::note_problems(const GroupIdentity& identity, const RuleGroup& group) {
  const auto note = [&](const std::string& problem) {
    problems_.push_back(fmt::format("{}/{}: {}", identity.tenant, identity.name_space, problem));
    troubled_.insert(identity.tenant);
  };
  if (!group.error.empty()) note(group.error);
  for (const auto& rule : group.rules) {
    if (rule.error.empty() || rule.error == group.error) continue;
    note(fmt::format("group \"{}\", rule \"{}\" (line {}): {}", group.name, rule.name, rule.line, rule.error));
  }
}

// The group as it runs from now on. One that runs at this moment is taken over when it has ended.
Ruler::Scheduled Ruler::adopt(const GroupIdentity& identity, const RuleGroup& group, Ended& ended) {
  const auto old = groups_.find(identity);
  if (old != groups_.end() && same_group(old->second.runner->group(), group)) return old->second;
  const Duration interval = group.interval.count() > 0 ? group.interval : options_.evaluation_interval;
  Scheduled fresh{std::make_shared<GroupRunner>(identity, group, interval, environment_),
                  first_slot(identity, interval), false, {}};
  if (old == groups_.end()) {
    if (const auto saved = states_.read(identity)) {
      fresh.runner->restore_state(*saved, ports_.clock.now(), options_.for_outage_tolerance, options_.for_grace_period);
    }
    return fresh;
  }
  fresh.running = old->second.running;
  fresh.totals = old->second.totals;
  if (!fresh.running) append(ended[identity.tenant], fresh.runner->take_over(*old->second.runner));
  return fresh;
}

// What is among the groups and not among the next ones goes, unless one cannot tell.
void Ruler::let_go(const Groups& next, Ended& ended) {
  for (const auto& [identity, scheduled] : groups_) {
    if (!all_listed_ || next.contains(identity)) continue;
    states_.remove(identity);
    if (!scheduled.running) append(ended[identity.tenant], scheduled.runner->series());
  }
}

void Ruler::reload() {
  MutexLock alone(reload_mutex_);
  const LoadedRules loaded = store_.load();
  MutexLock lock(mutex_);
  const auto before = problems_;
  problems_ = loaded.problems;
  troubled_.clear();
  all_listed_ = loaded.complete;
  unreadable_ = loaded.unreadable;
  for (const auto& [file, reason] : unreadable_) troubled_.insert(file.first);
  Groups next;
  Ended ended;
  for (const auto& [tenant, namespaces] : loaded.tenants) {
    for (const auto& [name_space, groups] : namespaces) {
      for (const auto& group : groups) {
        const GroupIdentity identity{tenant, name_space, group.name};
        if (next.contains(identity)) {
          problems_.push_back(fmt::format("{}/{}: group \"{}\" is there twice, the first one counts", tenant,
                                          name_space, group.name));
          troubled_.insert(tenant);
          continue;
        }
        note_problems(identity, group);
        next[identity] = adopt(identity, group, ended);
      }
    }
  }
  for (const auto& [identity, scheduled] : groups_) {
    if (loaded.unreadable.contains({identity.tenant, identity.name_space})) next.try_emplace(identity, scheduled);
  }
  let_go(next, ended);
  groups_ = std::move(next);
  const auto now = problems_;
  lock.unlock();
  changed_.notify_all();
  end_series(ended);
  for (const auto& problem : now) {
    if (std::find(before.begin(), before.end(), problem) == before.end())
      log::error("alerts", "a rule is broken", {{"reason", problem}});
  }
}

// Groups that were deleted while no server ran left their state behind.
void Ruler::forget_deleted_groups() {
  MutexLock lock(mutex_);
  if (!all_listed_) return;
  std::set<GroupIdentity> there;
  std::set<std::pair<std::string, std::string>> unreadable;
  for (const auto& [identity, scheduled] : groups_) there.insert(identity);
  for (const auto& [file, reason] : unreadable_) unreadable.insert(file);
  states_.remove_others(there, unreadable);
}

void Ruler::schedule(std::stop_token stop) {
  while (!stop.stop_requested()) {
    {
      MutexLock lock(mutex_);
      changed_.wait_for(lock, options_.poll_interval, [&stop] { return stop.stop_requested(); });
    }
    if (!stop.stop_requested()) reload();
  }
}

// The group that has been due for longest and is not running; moves its slot on past now.
bool Ruler::take_due(std::shared_ptr<GroupRunner>& runner, TimestampNs& slot) {
  const TimestampNs now = ports_.clock.now();
  Scheduled* earliest = nullptr;
  for (auto& [identity, scheduled] : groups_) {
    const bool runs = !scheduled.running && scheduled.runner->group().error.empty();
    const bool due = runs && scheduled.next_slot <= now;
    if (due && (earliest == nullptr || scheduled.next_slot < earliest->next_slot)) earliest = &scheduled;
  }
  if (earliest == nullptr) return false;
  const std::int64_t step = earliest->runner->interval().count();
  const std::int64_t missed = (now - earliest->next_slot).count() / step;
  earliest->totals.missed += static_cast<std::uint64_t>(missed);
  slot = {earliest->next_slot.value + missed * step};
  earliest->next_slot = {slot.value + step};
  earliest->running = true;
  runner = earliest->runner;
  return true;
}

void Ruler::work(std::stop_token stop) {
  while (!stop.stop_requested()) {
    std::shared_ptr<GroupRunner> runner;
    TimestampNs slot;
    {
      MutexLock lock(mutex_);
      if (!take_due(runner, slot)) {
        changed_.wait_for(lock, std::chrono::milliseconds(100), [&stop] { return stop.stop_requested(); });
        continue;
      }
    }
    const Evaluation done = run_group(*runner, slot);
    MutexLock lock(mutex_);
    const Ended ended = finish_group(*runner, done);
    lock.unlock();
    end_series(ended);
  }
}

Evaluation Ruler::run_group(GroupRunner& runner, TimestampNs slot) {
  Evaluation done = runner.evaluate(slot);
  write_samples(runner.identity().tenant, done.samples);
  if (auto saved = states_.write(runner.identity(), runner.save_state(ports_.clock.now())); !saved) {
    log::warn("alerts", "alert state could not be saved", {{"reason", saved.error().message()}});
  }
  notify(runner);
  return done;
}

// Counts the run; a group that was deleted or changed while it ran ends or goes on only now.
Ruler::Ended Ruler::finish_group(const GroupRunner& runner, const Evaluation& done) {
  const GroupIdentity& identity = runner.identity();
  TenantReport& tenant = tenants_[identity.tenant];
  tenant.evaluations += done.rules;
  tenant.evaluations_time += done.rules_time;
  ++tenant.iterations;
  tenant.iterations_time += done.time;
  Ended ended;
  const auto found = groups_.find(identity);
  if (found == groups_.end()) {
    if (all_listed_) states_.remove(identity);
    ended[identity.tenant] = runner.series();
    return ended;
  }
  Scheduled& scheduled = found->second;
  if (scheduled.runner.get() != &runner) ended[identity.tenant] = scheduled.runner->take_over(runner);
  scheduled.running = false;
  scheduled.totals.evaluations += done.rules;
  scheduled.totals.failures += done.failures;
  ++scheduled.totals.iterations;
  scheduled.totals.last_samples = done.samples.size();
  return ended;
}

void Ruler::write_samples(const std::string& tenant, const std::vector<RecordedSample>& samples) {
  if (ports_.remote_write == nullptr) return;
  if (auto added = ports_.remote_write->add(tenant, samples); !added) {
    log::error("alerts", "recorded samples could not be queued and are lost", {{"reason", added.error().message()}});
  }
}

void Ruler::end_series(const Ended& ended) {
  const std::int64_t now_ms = ports_.clock.now().value / 1'000'000;
  for (const auto& [tenant, series] : ended) {
    std::vector<RecordedSample> samples;
    for (const auto& labels : series) samples.push_back({labels, stale_marker(), now_ms});
    write_samples(tenant, samples);
  }
}

void Ruler::notify(GroupRunner& runner) {
  if (ports_.notifier == nullptr) return;
  const TimestampNs now = ports_.clock.now();
  const Duration lifetime = 4 * std::max(runner.interval(), options_.resend_delay);
  std::vector<OutgoingAlert> outgoing;
  for (const auto& alert : runner.take_notifications(now, options_.resend_delay)) {
    const bool resolved = alert.state == AlertState::kInactive;
    Labels labels = alert.labels;
    for (const auto& label : options_.external_labels) {
      if (!labels.has(label.name)) labels.set(label.name, label.value);
    }
    auto relabelled = options_.alert_relabel.apply(labels);
    if (!relabelled) continue;
    outgoing.push_back({runner.identity().tenant, std::move(*relabelled), alert.annotations,
                        alert.fired_at.value != 0 ? alert.fired_at : alert.active_at,
                        resolved ? alert.resolved_at : now + lifetime,
                        explore_link(options_, expression_of(runner, alert))});
  }
  ports_.notifier->send(outgoing);
}

std::vector<GroupStatus> Ruler::groups(const std::string& tenant) const {
  std::vector<std::shared_ptr<GroupRunner>> runners;
  std::vector<GroupStatus> broken;
  {
    MutexLock lock(mutex_);
    for (const auto& [file, reason] : unreadable_) {
      if (file.first == tenant) broken.push_back(unreadable_file(tenant, file.second, reason));
    }
    for (const auto& [identity, scheduled] : groups_) {
      if (identity.tenant == tenant) runners.push_back(scheduled.runner);
    }
  }
  std::vector<GroupStatus> all;
  for (const auto& runner : runners) all.push_back(runner->status());
  all.insert(all.end(), broken.begin(), broken.end());
  return all;
}

RuleNamespaces Ruler::rules(const std::string& tenant) const {
  MutexLock lock(mutex_);
  RuleNamespaces namespaces;
  for (const auto& [identity, scheduled] : groups_) {
    if (identity.tenant == tenant) namespaces[identity.name_space].push_back(scheduled.runner->group());
  }
  return namespaces;
}

std::vector<std::string> Ruler::problems() const {
  MutexLock lock(mutex_);
  return problems_;
}

std::vector<RecordedSample> Ruler::recorded() const {
  std::vector<std::shared_ptr<GroupRunner>> runners;
  {
    MutexLock lock(mutex_);
    for (const auto& [identity, scheduled] : groups_) runners.push_back(scheduled.runner);
  }
  std::map<Labels, RecordedSample> newest;
  for (const auto& runner : runners) {
    for (auto& sample : runner->recorded()) {
      sample.labels = with_tenant(sample.labels, runner->identity().tenant);
      const auto [place, is_new] = newest.try_emplace(sample.labels, sample);
      if (!is_new && place->second.timestamp_ms <= sample.timestamp_ms) place->second = std::move(sample);
    }
  }
  std::vector<RecordedSample> all;
  for (auto& [labels, sample] : newest) all.push_back(std::move(sample));
  return all;
}

RulerReport Ruler::report() const {
  std::vector<std::shared_ptr<GroupRunner>> runners;
  RulerReport report;
  {
    MutexLock lock(mutex_);
    report.tenants = tenants_;
    for (const auto& [identity, scheduled] : groups_) {
      report.tenants.try_emplace(identity.tenant);
      runners.push_back(scheduled.runner);
      report.groups.push_back({identity, scheduled.runner->group().rules.size(), scheduled.runner->interval(), {}, {},
                               scheduled.totals});
    }
    for (const auto& tenant : troubled_) report.tenants[tenant].rules_are_whole = false;
  }
  for (std::size_t i = 0; i < runners.size(); ++i) {
    const auto [when, time] = runners[i]->last_run();
    report.groups[i].last_evaluation = when;
    report.groups[i].last_duration = time;
  }
  return report;
}

}  // namespace kvasir::alerts
