#include "alerts/ruler.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>
#include <xxhash.h>

#include "common/json_writer.h"
#include "common/log.h"
#include "common/net/http_types.h"

namespace kvasir::alerts {
namespace {

constexpr std::uint64_t kStateBytesMax = 64 << 20;

// Percent-encoded texts never hold a '+', so that no two names become the same one.
std::string short_name(std::string name) {
  constexpr std::size_t kNameBytesMax = 200;
  if (name.size() <= kNameBytesMax) return name;
  const auto hash = XXH3_128bits(name.data(), name.size());
  return fmt::format("+{:016x}{:016x}", hash.high64, hash.low64);
}

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
      environment_{ports_.clock, ports_.query, options_.external_labels, options_.external_url, ports_.lines} {
  reload();
  threads_.emplace_back([this](std::stop_token stop) { schedule(stop); });
  for (unsigned i = 0; i < options_.workers; ++i) threads_.emplace_back([this](std::stop_token stop) { work(stop); });
}

Ruler::~Ruler() {
  for (auto& thread : threads_) thread.request_stop();
  changed_.notify_all();
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

Path Ruler::state_path(const GroupIdentity& identity) const {
  const auto name = net::percent_encode(identity.name_space) + "+" + net::percent_encode(identity.group);
  const Path folder = join_path(options_.state_directory, short_name(net::percent_encode(identity.tenant)));
  return join_path(folder, short_name(name) + ".json");
}

// Older servers put a dot between the two names, which let two groups share a file.
Result<std::string> Ruler::read_state(const GroupIdentity& identity) const {
  const Path path = state_path(identity);
  if (const auto status = ports_.filesystem.status(path); !status || !*status) {
    const auto old_name =
        fmt::format("{}.{}.json", net::percent_encode(identity.name_space), net::percent_encode(identity.group));
    KVASIR_CHECK_OK(ports_.filesystem.rename(join_path(parent_directory(path), old_name), path));
  }
  return ports_.filesystem.read_all(path, kStateBytesMax);
}

void Ruler::remove_state(const GroupIdentity& identity) const {
  const Path path = state_path(identity);
  const auto status = ports_.filesystem.status(path);
  if (!status || !*status) return;
  if (auto removed = ports_.filesystem.remove(path); !removed) {
    log::warn("alerts", "alert state of a deleted group could not be removed",
              {{"reason", removed.error().message()}});
  }
}

void Ruler::adopt(const std::string& tenant, const std::string& name_space, const RuleGroup& group, Groups& next) {
  const GroupIdentity identity{tenant, name_space, group.name};
  if (next.contains(identity)) {
    problems_.push_back(
        fmt::format("{}/{}: group \"{}\" is there twice, the first one counts", tenant, name_space, group.name));
    return;
  }
  if (!group.error.empty()) problems_.push_back(fmt::format("{}/{}: {}", tenant, name_space, group.error));
  for (const auto& rule : group.rules) {
    if (rule.error.empty() || rule.error == group.error) continue;
    problems_.push_back(fmt::format("{}/{}: group \"{}\", rule \"{}\" (line {}): {}", tenant, name_space, group.name,
                                    rule.name, rule.line, rule.error));
  }
  if (const auto old = groups_.find(identity); old != groups_.end() && same_group(old->second.runner->group(), group)) {
    next[identity] = old->second;
    return;
  }
  const Duration interval = group.interval.count() > 0 ? group.interval : options_.evaluation_interval;
  auto runner = std::make_shared<GroupRunner>(identity, group, interval, environment_);
  if (const auto saved = read_state(identity)) {
    runner->restore_state(*saved, ports_.clock.now(), options_.for_outage_tolerance, options_.for_grace_period);
  }
  next[identity] = {std::move(runner), first_slot(identity, interval), false};
}

void Ruler::reload() {
  const LoadedRules loaded = store_.load();
  MutexLock lock(mutex_);
  const auto before = problems_;
  problems_ = loaded.problems;
  all_listed_ = loaded.complete;
  unreadable_ = loaded.unreadable;
  Groups next;
  for (const auto& [tenant, namespaces] : loaded.tenants) {
    for (const auto& [name_space, groups] : namespaces) {
      for (const auto& group : groups) adopt(tenant, name_space, group, next);
    }
  }
  for (const auto& [identity, scheduled] : groups_) {
    if (loaded.unreadable.contains({identity.tenant, identity.name_space})) next.try_emplace(identity, scheduled);
    if (all_listed_ && !next.contains(identity)) remove_state(identity);
  }
  groups_ = std::move(next);
  const auto now = problems_;
  lock.unlock();
  changed_.notify_all();
  for (const auto& problem : now) {
    if (std::find(before.begin(), before.end(), problem) == before.end())
      log::error("alerts", "a rule is broken", {{"reason", problem}});
  }
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
  counters_.iterations_missed += static_cast<std::uint64_t>(missed);
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
    run_group(*runner, slot);
    MutexLock lock(mutex_);
    const auto found = groups_.find(runner->identity());
    if (found == groups_.end()) {
      if (all_listed_) remove_state(runner->identity());  // deleted while it ran
    } else if (found->second.runner == runner) {
      found->second.running = false;
    }
  }
}

void Ruler::run_group(GroupRunner& runner, TimestampNs slot) {
  const Duration begin = ports_.clock.steady();
  const auto samples = runner.evaluate(slot);
  ++counters_.iterations;
  counters_.evaluations += runner.group().rules.size();
  counters_.evaluation_failures += runner.failures();
  counters_.evaluation_ns += static_cast<std::uint64_t>((ports_.clock.steady() - begin).count());
  if (ports_.remote_write != nullptr) {
    if (auto added = ports_.remote_write->add(runner.identity().tenant, samples); !added) {
      log::error("alerts", "recorded samples could not be queued and are lost", {{"reason", added.error().message()}});
    }
  }
  const Path path = state_path(runner.identity());
  auto saved = ports_.filesystem.make_directories(parent_directory(path));
  if (saved) saved = write_atomically(ports_.filesystem, path, runner.save_state(ports_.clock.now()));
  if (!saved) log::warn("alerts", "alert state could not be saved", {{"reason", saved.error().message()}});
  notify(runner);
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
  std::vector<RecordedSample> all;
  for (const auto& runner : runners) {
    for (auto& sample : runner->recorded()) {
      sample.labels.set("tenant", runner->identity().tenant);
      all.push_back(std::move(sample));
    }
  }
  return all;
}

}  // namespace kvasir::alerts
