// Series that rules write: where they end, who shows them, and what is kept of groups that changed or went.
#include <algorithm>
#include <set>

#include <doctest/doctest.h>

#include "alerts/ruler.h"
#include "common/mem_filesystem.h"
#include "common/number.h"

using namespace kvasir;
using namespace kvasir::alerts;
using namespace std::chrono_literals;

namespace {

TimestampNs at(Duration since) { return TimestampNs{1'768'032'000'000'000'000} + since; }

Result<logql::QueryResult> one_sample(const std::string&, const std::string& expr, TimestampNs) {
  logql::Vector vector;
  vector.series.push_back({Labels{{"app", "x"}, {"tenant", "own"}}, {{0, expr == "two" ? 2.0 : 1.0}}});
  return logql::QueryResult(std::move(vector));
}

Rule rule_of(Rule::Kind kind, const std::string& name, const std::string& expr = "one", Duration hold = 0s) {
  Rule rule;
  rule.kind = kind;
  rule.name = name;
  rule.expr = rule.canonical = expr;
  rule.hold = hold;
  return rule;
}

std::set<std::string> names_of(const std::vector<Labels>& series) {
  std::set<std::string> names;
  for (const auto& labels : series) names.emplace(labels.value_or_empty("__name__"));
  return names;
}

void write_rules(MemFilesystem& disk, const std::string& name_space, const std::string& rules) {
  REQUIRE(disk.make_directories("rules/t1").has_value());
  const auto text = "groups:\n- {name: g, interval: 1h, rules: [" + rules + "]}\n";
  REQUIRE(write_atomically(disk, "rules/t1/" + name_space, text).has_value());
}

// Runs every group once: the clock stands just after the first slots.
struct House {
  MemFilesystem disk;
  ManualClock clock{at(0s)};
  QueryFunction query = one_sample;

  RulerOptions options() const { return {.rules_directory = "rules", .state_directory = "state", .workers = 1}; }

  void run_all(Ruler& ruler, std::uint64_t times) {
    clock.advance(1h);
    const auto ran = [&] {
      const auto groups = ruler.report().groups;
      return std::all_of(groups.begin(), groups.end(), [&](const auto& g) { return g.totals.iterations >= times; });
    };
    for (int i = 0; i < 200 && !ran(); ++i) {
      Mutex mutex;
      Condition never;
      MutexLock lock(mutex);
      never.wait_for(lock, 50ms, [] { return false; });
    }
    REQUIRE(ran());
  }
};

// Keeps the requests; the receiver is away.
class AwayClient final : public net::HttpClient {
 public:
  Result<net::HttpResponse> send(const net::HttpCall&) override { return fail(ErrorCode::kUnavailable, "away"); }
  Result<net::HttpResponse> stream(const net::HttpCall& call, const net::BodySink&) override { return send(call); }
};

}  // namespace

TEST_CASE("a changed group keeps the alerts and series of rules that stayed, and ends those of the others") {
  const ManualClock clock(at(0s));
  const GroupEnvironment environment{clock, one_sample, {}, ""};
  const RuleGroup group{"g", 1min, 0,
                        {rule_of(Rule::Kind::kAlert, "A", "one", 10min), rule_of(Rule::Kind::kRecord, "stays"),
                         rule_of(Rule::Kind::kRecord, "goes")}};
  GroupRunner old({"t1", "ns", "g"}, group, 1min, environment);
  old.evaluate(at(0s));
  RuleGroup changed = group;
  changed.rules.pop_back();
  changed.rules[1].expr = "two";
  changed.rules.push_back(rule_of(Rule::Kind::kRecord, "new"));
  GroupRunner runner({"t1", "ns", "g"}, changed, 1min, environment);
  CHECK(names_of(runner.take_over(old)) == std::set<std::string>{"goes"});
  CHECK(names_of(runner.series()) == std::set<std::string>{"ALERTS", "ALERTS_FOR_STATE", "stays"});
  runner.evaluate(at(10min));
  CHECK(runner.status().rules[0].state == AlertState::kFiring);  // pending since the old group saw it

  RuleGroup broken = changed;
  broken.rules[0].error = "misspelt";
  GroupRunner last({"t1", "ns", "g"}, broken, 1min, environment);
  CHECK(names_of(last.take_over(runner)) == std::set<std::string>{"ALERTS", "ALERTS_FOR_STATE"});
}

TEST_CASE("series of rules and groups that are deleted end in the remote write") {
  House house;
  write_rules(house.disk, "f", "{alert: A, expr: vector(1)}, {record: stays, expr: vector(1)}");
  write_rules(house.disk, "h", "{record: gone, expr: vector(1)}");
  auto writer =
      RemoteWriter::open({.url = "http://u:secret@p/w", .name = "main", .directory = "q", .back_off_min = 1h, .back_off_max = 1h},
                         house.disk, std::make_shared<AwayClient>());
  REQUIRE(writer.has_value());
  Ruler ruler(house.options(), {house.clock, house.disk, house.query, nullptr, nullptr, writer->get()});
  house.run_all(ruler, 1);
  CHECK((*writer)->report().url == "http://p/w");
  CHECK((*writer)->report().tenants.at("t1").pending == 4);  // ALERTS, ALERTS_FOR_STATE, stays, gone
  write_rules(house.disk, "f", "{record: stays, expr: vector(1)}");
  ruler.reload();
  CHECK((*writer)->report().tenants.at("t1").pending == 6);
  REQUIRE(ruler.store().delete_namespace("t1", "h").has_value());
  ruler.reload();
  CHECK((*writer)->report().tenants.at("t1").pending == 7);
  house.clock.advance(1s);
  ruler.reload();
  CHECK((*writer)->report().tenants.at("t1").pending == 7);  // once
}

namespace {

// Queries wait until they are let go; counts how many wait at once.
struct Gate {
  Mutex mutex;
  Condition changed;
  int inside = 0, most = 0;
  bool open = false;

  void pass() {
    MutexLock lock(mutex);
    most = std::max(most, ++inside);
    changed.notify_all();
    changed.wait(lock, [this] { return open; });
    --inside;
  }
  bool somebody_waits() {
    MutexLock lock(mutex);
    return changed.wait_for(lock, 60s, [this] { return inside > 0; });
  }
  bool somebody_else_comes() {
    MutexLock lock(mutex);
    return changed.wait_for(lock, 400ms, [this] { return inside > 1; });
  }
  void let_go() {
    MutexLock lock(mutex);
    open = true;
    changed.notify_all();
  }
};

}  // namespace

TEST_CASE("a group that changes while it runs waits for that run and goes on from it") {
  House house;
  Gate gate;
  house.query = [&gate](const std::string& tenant, const std::string& expr, TimestampNs when) {
    gate.pass();
    return one_sample(tenant, expr, when);
  };
  write_rules(house.disk, "f", "{alert: A, expr: vector(1), for: 3h}");
  auto options = house.options();
  options.workers = 2;
  Ruler ruler(options, {house.clock, house.disk, house.query});
  house.clock.advance(1h);
  REQUIRE(gate.somebody_waits());
  write_rules(house.disk, "f", "{alert: A, expr: vector(1), for: 2h}");
  ruler.reload();
  house.clock.advance(1h);
  CHECK_FALSE(gate.somebody_else_comes());
  gate.let_go();
  house.run_all(ruler, 2);
  CHECK(gate.most == 1);
  const auto rule = ruler.groups("t1").front().rules.front();
  CHECK(rule.rule.hold == 2h);
  REQUIRE(rule.alerts.size() == 1);
  CHECK(rule.alerts[0].active_at < at(1h));  // the slot of the first run
}

TEST_CASE("counts of a group outlive a change of it") {
  House house;
  write_rules(house.disk, "f", "{record: a, expr: vector(1)}, {record: broken, expr: '{'}");
  Ruler ruler(house.options(), {house.clock, house.disk, house.query});
  house.run_all(ruler, 1);
  auto report = ruler.report();
  CHECK(report.groups[0].totals.evaluations == 1);  // a broken rule never runs
  CHECK(report.groups[0].totals.failures == 0);
  CHECK(report.groups[0].totals.last_samples == 1);
  CHECK(report.groups[0].rules == 2);
  CHECK_FALSE(report.tenants.at("t1").rules_are_whole);
  write_rules(house.disk, "f", "{record: a, expr: vector(1)}, {record: b, expr: vector(2)}");
  ruler.reload();
  house.run_all(ruler, 2);
  report = ruler.report();
  CHECK(report.groups[0].totals.evaluations == 3);
  CHECK(report.tenants.at("t1").evaluations == 3);
  CHECK(report.tenants.at("t1").iterations == 2);
  CHECK(report.tenants.at("t1").rules_are_whole);
}

TEST_CASE("a recorded series is shown once, beside its own label `tenant`") {
  House house;
  house.query = one_sample;
  write_rules(house.disk, "f", "{record: r, expr: vector(1)}");
  write_rules(house.disk, "h", "{record: r, expr: vector(1)}, {record: s, expr: vector(1), labels: {tenant: x}}");
  Ruler ruler(house.options(), {house.clock, house.disk, house.query});
  house.run_all(ruler, 1);
  std::vector<std::string> shown;
  for (const auto& sample : ruler.recorded()) shown.push_back(sample.labels.to_string());
  CHECK(shown == std::vector<std::string>{R"({__name__="r", app="x", exported_tenant="own", tenant="t1"})",
                                          R"({__name__="s", app="x", exported_tenant="x", tenant="t1"})"});
}

TEST_CASE("the state of groups that were deleted while no server ran is removed") {
  House house;
  write_rules(house.disk, "f", "{alert: A, expr: vector(1)}");
  REQUIRE(write_atomically(house.disk, "rules/t1/broken", "groups: [").has_value());
  for (const std::string name : {"t1/f+g.json", "t1/f+other.json", "t1/gone+g.json", "t1/broken+g.json", "t2/f+g.json"}) {
    REQUIRE(house.disk.make_directories(parent_directory("state/" + name)).has_value());
    REQUIRE(write_atomically(house.disk, "state/" + name, "{}").has_value());
  }
  Ruler ruler(house.options(), {house.clock, house.disk, house.query});
  CHECK(house.disk.list("state/t1").value() == std::vector<std::string>{"broken+g.json", "f+g.json"});
  CHECK(house.disk.list("state/t2").value().empty());
}

TEST_CASE("a full queue loses its oldest samples and a disk that refuses the newest, and both are counted") {
  MemFilesystem disk;
  const auto sample = [](int value) { return RecordedSample{Labels{{"__name__", "r"}}, value * 1.5, value * 1000}; };
  const std::uint64_t bytes = encode_write_request({sample(1)}).size();
  auto opened = RemoteWriter::open(
      {.url = "http://p", .directory = "q", .back_off_min = 1h, .back_off_max = 1h, .queue_bytes_max = 2 * bytes}, disk,
      std::make_shared<AwayClient>());
  REQUIRE(opened.has_value());
  auto& writer = **opened;
  for (int i = 1; i <= 4; ++i) REQUIRE(writer.add("t1", {sample(i)}).has_value());
  auto totals = writer.report().tenants.at("t1");
  CHECK(totals.appended == 4);
  CHECK(totals.dropped == 2);
  CHECK(totals.pending == 2);
  CHECK(totals.pending_bytes == 2 * bytes);
  CHECK(totals.newest_ms == 4000);
  CHECK(disk.list("q/t1").value() == std::vector<std::string>{"000000000003-0000000001.pb.snappy",
                                                               "000000000004-0000000001.pb.snappy"});
  REQUIRE(write_atomically(disk, "q/t2", "a file where the folder of the tenant should be").has_value());
  CHECK_FALSE(writer.add("t2", {sample(1), sample(2)}).has_value());
  CHECK(writer.report().tenants.at("t2").dropped == 2);
  CHECK(writer.report().tenants.at("t2").appended == 0);
}
