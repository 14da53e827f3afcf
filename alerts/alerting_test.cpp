// The life of alerts, their templates, their way out, and their way over a restart.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <doctest/doctest.h>

#include "alerts/alerting_rule.h"
#include "alerts/group_runner.h"
#include "alerts/humanize.h"
#include "alerts/notifier.h"
#include "alerts/remote_write.h"
#include "alerts/ruler.h"
#include "common/mem_filesystem.h"
#include "common/number.h"

using namespace kvasir;
using namespace kvasir::alerts;
using namespace std::chrono_literals;

namespace {

const Labels kNoLabels;
const TemplateQuery kNoQuery;

TimestampNs at(Duration since) { return TimestampNs{1'768'032'000'000'000'000} + since; }

EvaluationInputs slot(Duration since, std::uint64_t limit = 0) {
  return {at(since), limit, kNoLabels, "http://g", kNoQuery};
}

logql::Vector vector_of(std::initializer_list<std::pair<const char*, double>> samples) {
  logql::Vector vector;
  for (const auto& [app, value] : samples) vector.series.push_back({Labels{{"app", app}}, {{0, value}}});
  return vector;
}

Rule rule_with(Duration hold, Duration keep = 0s) {
  Rule rule;
  rule.name = "A";
  rule.expr = rule.canonical = "expr";
  rule.hold = hold;
  rule.keep_firing_for = keep;
  rule.labels = {{"team", "{{ $labels.app }}-team"}};
  rule.annotations = {{"summary", "value {{ $value }}"}};
  return rule;
}

std::string expanded(std::string_view text, double value = 50) {
  const Labels labels{{"app", "shop \"1\""}, {"trace_id", "4bf92f35"}};
  const TemplateQuery query = [](std::string_view expr) -> Result<logql::Vector> {
    if (expr != "up") return fail(ErrorCode::kParse, "no such query");
    return vector_of({{"b", 2}, {"a", 1}});
  };
  return expand_alert_template("A", text, {labels, value, kNoLabels, "http://grafana/sub", at(0s), query});
}

// `{labels} value`, or `end` for a series that ends.
std::vector<std::string> shown(const std::vector<RecordedSample>& samples) {
  std::vector<std::string> texts;
  for (const auto& sample : samples) {
    texts.push_back(sample.labels.to_string() + (is_stale_marker(sample.value) ? " end" : " " + format_go_float(sample.value)));
  }
  return texts;
}

}  // namespace

TEST_CASE("pending until `for` has passed, then firing, then resolved and forgotten") {
  AlertingRule rule(rule_with(2min));
  REQUIRE(rule.evaluate(vector_of({{"x", 50}}), slot(0min)).has_value());
  CHECK(rule.state() == AlertState::kPending);
  const Alert& alert = rule.alerts().begin()->second;
  CHECK(alert.labels.to_string() == R"({alertname="A", app="x", team="x-team"})");
  CHECK(alert.annotations.at("summary") == "value 50");
  REQUIRE(rule.evaluate(vector_of({{"x", 50}}), slot(1min)).has_value());
  CHECK(rule.state() == AlertState::kPending);
  REQUIRE(rule.evaluate(vector_of({{"x", 51}}), slot(2min)).has_value());
  CHECK(rule.state() == AlertState::kFiring);
  CHECK(alert.active_at == at(0min));
  CHECK(alert.fired_at == at(2min));
  REQUIRE(rule.evaluate(vector_of({}), slot(3min)).has_value());
  CHECK(alert.state == AlertState::kInactive);
  CHECK(alert.resolved_at == at(3min));
  REQUIRE(rule.evaluate(vector_of({}), slot(20min)).has_value());
  CHECK(rule.alerts().empty());
}

TEST_CASE("a pending alert that goes away leaves no trace; without `for` it fires at once") {
  AlertingRule slow(rule_with(2min));
  REQUIRE(slow.evaluate(vector_of({{"x", 1}}), slot(0min)).has_value());
  REQUIRE(slow.evaluate(vector_of({}), slot(1min)).has_value());
  CHECK(slow.alerts().empty());
  AlertingRule quick(rule_with(0min));
  REQUIRE(quick.evaluate(vector_of({{"x", 1}}), slot(0min)).has_value());
  CHECK(quick.state() == AlertState::kFiring);
}

TEST_CASE("keep_firing_for holds a firing alert over gaps") {
  AlertingRule rule(rule_with(0min, 3min));
  REQUIRE(rule.evaluate(vector_of({{"x", 1}}), slot(0min)).has_value());
  REQUIRE(rule.evaluate(vector_of({}), slot(2min)).has_value());
  CHECK(rule.state() == AlertState::kFiring);
  REQUIRE(rule.evaluate(vector_of({}), slot(3min)).has_value());
  CHECK(rule.state() == AlertState::kInactive);
}

TEST_CASE("equal label sets and too many alerts are errors of the rule") {
  Rule same = rule_with(0min);
  same.labels = {{"app", "one"}};
  AlertingRule rule(same);
  CHECK_FALSE(rule.evaluate(vector_of({{"x", 1}, {"y", 1}}), slot(0min)).has_value());
  AlertingRule limited(rule_with(0min));
  REQUIRE(limited.evaluate(vector_of({{"x", 1}}), slot(0min, 1)).has_value());
  CHECK(limited.evaluate(vector_of({{"x", 1}, {"y", 1}}), slot(1min, 1)).error().message() ==
        "exceeded limit of 1 with 2 alerts");
  CHECK(limited.alerts().empty());
}

TEST_CASE("templates: values, links, queries, and failures that stop nothing") {
  CHECK(expanded("{{ $labels.app }} {{ $labels.nothing }}|{{ .Labels.app }}") == "shop \"1\" |shop \"1\"");
  CHECK(expanded("{{ $value | humanize }} {{ $value | printf \"%.2f\" }}", 1234.5) == "1.234k 1234.50");
  CHECK(expanded("{{ with query \"up\" }}{{ . | first | value }}{{ end }}") == "2");
  CHECK(expanded("{{ range query \"up\" | sortByLabel \"app\" }}{{ .Labels.app }}={{ .Value }} {{ end }}") ==
        "a=1 b=2 ");
  CHECK(expanded("{{ query \"up\" | first | label \"app\" }}") == "b");
  CHECK(expanded("{{ externalURL }} {{ pathPrefix }}") == "http://grafana/sub /sub");
  CHECK(expanded("{{ jaegerTrace \"http://jaeger:16686\" $labels.trace_id }}") == "http://jaeger:16686/trace/4bf92f35");
  CHECK(expanded("{{ \"a b\" | urlQueryEscape }} {{ stripPort \"h:80\" }} {{ stripDomain \"h.example:80\" }}") ==
        "a+b h h:80");
  const auto link = expanded("{{ grafanaExplore \"Loki\" (printf \"{app=%q}\" $labels.app) }}");
  CHECK(link.starts_with("http://grafana/sub/explore?left=%7B%22datasource%22%3A%22Loki%22"));
  CHECK(link.find(' ') == std::string::npos);
  CHECK(link.find('"') == std::string::npos);
  CHECK(expanded("{{ (1768032000 | toTime).Year }} {{ toDuration 90.5 }} {{ \"60\" | toDuration }}") == "2026 1m30.5s 1m0s");
  CHECK(expanded("{{ with args 7 \"x\" }}{{ .arg0 }}{{ .arg1 }}{{ end }}") == "7x");
  CHECK(expanded("{{ graphLink \"up > 1\" }} {{ tableLink \"up\" }}") ==
        "/graph?g0.expr=up+%3E+1&g0.tab=0 /graph?g0.expr=up&g0.tab=1");
  CHECK(expanded("{{ query \"nonsense\" }}")
            .starts_with("<error expanding template: error executing template __alert_A: "));
  CHECK(expanded("no template") == "no template");
  CHECK(expanded("{{ jaegerTrace \"http://jaeger/\" \"a b/c\" }}") == "http://jaeger/trace/a%20b%2Fc");
  CHECK(expanded("{{ reReplaceAll \"(.*):.*\" \"$1\" \"host:9090\" }}") == "host");
  CHECK(expanded("{{ \"a-b\" | reReplaceAll \"(\\\\w)-(\\\\w)\" \"${2}_$1\" }}") == "b_a");
}

TEST_CASE("templates: hosts, words and times as Prometheus gives them") {
  const auto call = [](const std::string& function, const std::string& text) {
    return expanded("{{ " + function + " \"" + text + "\" }}");
  };
  for (const auto& [text, without_port, without_domain] : std::vector<std::array<const char*, 3>>{
           {"h.example.org:80", "h.example.org", "h:80"},
           {"h.example.org", "h.example.org", "h"},
           {"h.example.org:", "h.example.org", "h"},
           {"h.example.org:http", "h.example.org", "h:http"},
           {"10.0.0.1:80", "10.0.0.1", "10.0.0.1:80"},
           {"10.0.0.1", "10.0.0.1", "10.0.0.1"},
           {"[::1]:80", "::1", "[::1]:80"},
           {"::1", "::1", "::1"},
           {"a:b:80", "a:b:80", "a:b:80"},
           {"", "", ""}}) {
    CAPTURE(text);
    CHECK(call("stripPort", text) == without_port);
    CHECK(call("stripDomain", text) == without_domain);
  }
  CHECK(call("toUpper", "strasse äé1") == "STRASSE ÄÉ1");
  CHECK(call("toLower", "ÄÉ1") == "äé1");
  CHECK(call("title", "aa bb-cc d_e don't 1st (x) énd foo.bar") == "Aa Bb-Cc D_e Don't 1st (X) Énd Foo.bar");
  CHECK(call("humanizeTimestamp", "1435065584.128") == "2015-06-23 13:19:44.128 +0000 UTC");
  CHECK(expanded("{{ humanizeTimestamp 1768032000 }}") == "2026-01-10 08:00:00 +0000 UTC");
  CHECK(expanded("{{ 1.0000009 | toTime }}") == "1970-01-01 00:00:01 +0000 UTC");
  CHECK(expanded("{{ humanizeTimestamp 1e30 }}").find("1e+30 cannot be represented as a nanoseconds timestamp since it "
                                                      "overflows int64") != std::string::npos);
  CHECK(expanded("{{ toDuration 1e30 }}").find("1e+30 cannot be represented as a duration") != std::string::npos);
  CHECK(expanded("{{ define \"t\" }}[{{ . }}]{{ end }}{{ template \"t\" $labels.trace_id }}") == "[4bf92f35]");
}

TEST_CASE("humanize") {
  CHECK(humanize(0) == "0");
  CHECK(humanize(1234567) == "1.235M");
  CHECK(humanize(0.00012) == "120u");
  CHECK(humanize1024(1536) == "1.5ki");
  CHECK(humanize_duration(93784) == "1d 2h 3m 4s");
  CHECK(humanize_duration(0.25) == "250ms");
  CHECK(humanize_duration(59.5) == "59.5s");
  CHECK(humanize_percentage(0.1234) == "12.34%");
}

TEST_CASE("alerts are written as Alertmanager reads them") {
  const auto body = encode_alerts({{"t1", Labels{{"alertname", "A"}}, {}, at(0s), at(1500ms), "http://g"}});
  CHECK(body ==
        R"([{"endsAt":"2026-01-10T08:00:01.500Z","startsAt":"2026-01-10T08:00:00.000Z","generatorURL":"http://g",)"
        R"("labels":{"alertname":"A"}}])");
}

namespace {

// Answers each call with the next status of a list, then with the last one for ever.
class ScriptedClient final : public net::HttpClient {
 public:
  explicit ScriptedClient(std::vector<int> statuses) : statuses_(std::move(statuses)) {}
  Result<net::HttpResponse> send(const net::HttpCall& call) override {
    MutexLock lock(mutex_);
    calls_.push_back(call);
    changed_.notify_all();
    const int status = statuses_[std::min(calls_.size(), statuses_.size()) - 1];
    if (status == 0) return fail(ErrorCode::kUnavailable, "connection refused");
    return net::HttpResponse::text(status, "");
  }
  Result<net::HttpResponse> stream(const net::HttpCall& call, const net::BodySink&) override { return send(call); }
  bool wait_for_calls(std::size_t count) {
    MutexLock lock(mutex_);
    return changed_.wait_for(lock, 60s, [&] { return calls_.size() >= count; });
  }
  std::vector<net::HttpCall> calls() {
    MutexLock lock(mutex_);
    return calls_;
  }

 private:
  const std::vector<int> statuses_;
  Mutex mutex_;
  Condition changed_;
  std::vector<net::HttpCall> calls_;
};

}  // namespace

TEST_CASE("the notifier tries again after a failure and gives up on a refusal") {
  const auto flaky = std::make_shared<ScriptedClient>(std::vector<int>{503, 0, 200});
  {
    Notifier notifier({.urls = {"http://am"}, .first_back_off = 1ms}, flaky);
    notifier.send({{"t1", Labels{{"alertname", "A"}}, {}, at(0s), at(1s), ""}});
    REQUIRE(flaky->wait_for_calls(3));
  }
  CHECK(flaky->calls()[2].url == "http://am/api/v2/alerts");
  CHECK(flaky->calls()[2].headers.get("X-Scope-OrgId") == "t1");
  const auto refusing = std::make_shared<ScriptedClient>(std::vector<int>{400});
  {
    Notifier notifier({.urls = {"http://am"}, .first_back_off = 1ms}, refusing);
    notifier.send({{"t1", Labels{{"alertname", "A"}}, {}, at(0s), at(1s), ""}});
    REQUIRE(refusing->wait_for_calls(1));
  }
  CHECK(refusing->calls().size() == 1);
}

namespace {

// The Alertmanager at `http://hangs` answers only once released.
class HangingClient final : public net::HttpClient {
 public:
  Result<net::HttpResponse> send(const net::HttpCall& call) override {
    MutexLock lock(mutex_);
    if (call.url.starts_with("http://hangs")) {
      hanging_ = true;
      changed_.notify_all();
      changed_.wait(lock, [&] { return released_; });
      return fail(ErrorCode::kDeadlineExceeded, "no answer");
    }
    ++taken_;
    changed_.notify_all();
    return net::HttpResponse::text(200, "");
  }
  Result<net::HttpResponse> stream(const net::HttpCall& call, const net::BodySink&) override { return send(call); }
  bool wait_for_taken(std::size_t count) {
    MutexLock lock(mutex_);
    return changed_.wait_for(lock, 60s, [&] { return taken_ >= count; });
  }
  bool wait_for_hanging() {
    MutexLock lock(mutex_);
    return changed_.wait_for(lock, 60s, [&] { return hanging_; });
  }
  void release() {
    MutexLock lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }

 private:
  Mutex mutex_;
  Condition changed_;
  bool hanging_ = false;
  bool released_ = false;
  std::size_t taken_ = 0;
};

}  // namespace

TEST_CASE("an Alertmanager that hangs delays no other and keeps only the newest alerts") {
  const auto client = std::make_shared<HangingClient>();
  Notifier notifier({.urls = {"http://hangs", "http://am"}, .queue_capacity = 2, .tries = 1}, client);
  bool all_taken = true;
  for (std::size_t i = 1; i <= 5; ++i) {
    notifier.send({{"t1", Labels{{"alertname", "A"}}, {}, at(0s), at(1s), ""}});
    all_taken = all_taken && client->wait_for_taken(i) && client->wait_for_hanging();
  }
  CHECK(all_taken);
  const auto reports = notifier.report();
  REQUIRE(reports.size() == 2);
  CHECK(reports[0].queued == 2);
  CHECK(reports[0].tenants.at("t1").dropped == 2);
  CHECK(reports[1].queued == 0);
  client->release();
}

TEST_CASE("recorded samples wait on disk until they are taken, also over a restart") {
  MemFilesystem disk;
  const RecordedSample sample{Labels{{"__name__", "r"}}, 1.5, 1000};
  {
    const auto dead = std::make_shared<ScriptedClient>(std::vector<int>{503});
    auto writer = RemoteWriter::open({.url = "http://p", .directory = "q"}, disk, dead);
    REQUIRE(writer.has_value());
    REQUIRE((*writer)->add("t1", {sample}).has_value());
    REQUIRE(dead->wait_for_calls(2));
  }
  const auto alive = std::make_shared<ScriptedClient>(std::vector<int>{204});
  {
    auto writer = RemoteWriter::open({.url = "http://p", .directory = "q"}, disk, alive);
    REQUIRE(writer.has_value());
    REQUIRE(alive->wait_for_calls(1));
  }
  CHECK(alive->calls()[0].body == encode_write_request({sample}));
  CHECK(alive->calls()[0].headers.get("X-Scope-OrgID") == "t1");
}

TEST_CASE("a group records, marks what ended, and keeps its alerts over a restart") {
  ManualClock clock(at(0s));
  bool present = true;
  GroupEnvironment environment{clock,
                               [&](const std::string&, const std::string&, TimestampNs) -> Result<logql::QueryResult> {
                                 return logql::QueryResult(present ? vector_of({{"x", 3}}) : vector_of({}));
                               },
                               {}, "http://g"};
  RuleGroup group{"g", 1min, 0, {rule_with(10min)}};
  Rule record = rule_with(0min);
  record.kind = Rule::Kind::kRecord;
  record.name = "rec";
  record.labels = {{"extra", "1"}};
  group.rules.push_back(record);
  GroupRunner runner({"t1", "ns", "g"}, group, 1min, environment);
  const std::string pending = R"({__name__="ALERTS", alertname="A", alertstate="pending", app="x", team="x-team"})";
  const std::string since = R"({__name__="ALERTS_FOR_STATE", alertname="A", app="x", team="x-team"})";
  const std::string recorded = R"({__name__="rec", app="x", extra="1"})";
  CHECK(shown(runner.evaluate(at(0s)).samples) ==
        std::vector{pending + " 1", since + " 1.768032e+09", recorded + " 3"});
  present = false;
  CHECK(shown(runner.evaluate(at(1min)).samples) == std::vector{pending + " end", since + " end", recorded + " end"});
  CHECK(shown(runner.evaluate(at(90s)).samples).empty());

  present = true;
  runner.evaluate(at(2min));
  const std::string saved = runner.save_state(at(7min));
  GroupRunner again({"t1", "ns", "g"}, group, 1min, environment);
  again.restore_state(saved, at(8min), 1h, 1min);
  again.evaluate(at(8min));
  CHECK(again.status().rules[0].alerts[0].active_at == at(3min));  // the minute nobody looked does not count
  again.evaluate(at(13min));
  CHECK(again.status().rules[0].state == AlertState::kFiring);
  GroupRunner gone({"t1", "ns", "g"}, group, 1min, environment);
  gone.restore_state(saved, at(8min), 1h, 1min);
  present = false;
  CHECK(shown(gone.evaluate(at(8min)).samples) == std::vector{pending + " end", since + " end"});
  GroupRunner late({"t1", "ns", "g"}, group, 1min, environment);
  late.restore_state(saved, at(3h), 1h, 1min);
  late.restore_state("{broken", at(3h), 1h, 1min);
  CHECK(late.status().rules[0].alerts.empty());
}

TEST_CASE("a series that two rules of a group write is sent once, and does not end while one of them writes it") {
  const ManualClock clock(at(0s));
  std::map<std::string, std::vector<const char*>> apps{{"a", {"x", "y"}}, {"b", {"y"}}};
  const GroupEnvironment environment{
      clock,
      [&](const std::string&, const std::string& expr, TimestampNs) -> Result<logql::QueryResult> {
        logql::Vector vector;
        for (const auto* app : apps[expr]) vector.series.push_back({Labels{{"app", app}}, {{0, expr == "a" ? 1.0 : 2.0}}});
        return logql::QueryResult(std::move(vector));
      },
      {},
      ""};
  RuleGroup group{"g", 1min, 0, {}};
  for (const std::string expr : {"a", "b"}) {
    Rule rule = rule_with(0min);
    rule.kind = Rule::Kind::kRecord;
    rule.name = "r";
    rule.expr = rule.canonical = expr;
    rule.labels.clear();
    group.rules.push_back(rule);
  }
  GroupRunner runner({"t1", "ns", "g"}, group, 1min, environment);
  const std::string x = R"({__name__="r", app="x"})", y = R"({__name__="r", app="y"})";
  CHECK(shown(runner.evaluate(at(0min)).samples) == std::vector{x + " 1", y + " 1"});
  apps["a"] = {"x"};
  CHECK(shown(runner.evaluate(at(1min)).samples) == std::vector{x + " 1", y + " 2"});
  apps["b"] = {};
  CHECK(shown(runner.evaluate(at(2min)).samples) == std::vector{x + " 1", y + " end"});
}

TEST_CASE("keep_firing_for counts on from the last sight over a restart") {
  ManualClock clock(at(0s));
  bool present = true;
  GroupEnvironment environment{clock,
                               [&](const std::string&, const std::string&, TimestampNs) -> Result<logql::QueryResult> {
                                 return logql::QueryResult(present ? vector_of({{"x", 3}}) : vector_of({}));
                               },
                               {}, ""};
  const RuleGroup group{"g", 1min, 0, {rule_with(0min, 5min)}};
  GroupRunner runner({"t1", "ns", "g"}, group, 1min, environment);
  runner.evaluate(at(0min));
  runner.evaluate(at(30min));
  present = false;
  runner.evaluate(at(31min));
  std::string saved = runner.save_state(at(31min));
  GroupRunner again({"t1", "ns", "g"}, group, 1min, environment);
  again.restore_state(saved, at(33min), 1h, 1min);
  again.evaluate(at(33min));
  REQUIRE(again.status().rules[0].state == AlertState::kFiring);
  CHECK(again.status().rules[0].alerts[0].active_at == at(0min));
  again.evaluate(at(35min));
  CHECK(again.status().rules[0].state == AlertState::kInactive);

  const auto begin = saved.find("\"last_seen_at\"");
  saved.erase(begin, saved.find("\"firing\"") - begin);
  GroupRunner older({"t1", "ns", "g"}, group, 1min, environment);
  older.restore_state(saved, at(33min), 1h, 1min);
  older.evaluate(at(35min));
  CHECK(older.status().rules[0].state == AlertState::kFiring);
}

TEST_CASE("a failing rule says why and stops no other") {
  ManualClock clock(at(0s));
  GroupEnvironment environment{
      clock,
      [](const std::string&, const std::string& expr, TimestampNs) -> Result<logql::QueryResult> {
        if (expr == "bad") return fail(ErrorCode::kLimitExceeded, "too much");
        if (expr == "log") return logql::QueryResult(logql::Streams{});
        return logql::QueryResult(vector_of({{"x", 1}}));
      },
      {},
      ""};
  RuleGroup group{"g", 1min, 0, {rule_with(0min), rule_with(0min), rule_with(0min)}};
  group.rules[0].expr = "bad";
  group.rules[1].expr = "log";
  GroupRunner runner({"t1", "ns", "g"}, group, 1min, environment);
  runner.evaluate(at(0s));
  const auto status = runner.status();
  CHECK(status.rules[0].last_error == "too much");
  CHECK(status.rules[1].last_error == "rule result is not a vector or scalar");
  CHECK(status.rules[2].state == AlertState::kFiring);
}

TEST_CASE("firing alerts are sent again after the delay, a resolution once more at once") {
  ManualClock clock(at(0s));
  bool present = true;
  GroupEnvironment environment{clock,
                               [&](const std::string&, const std::string&, TimestampNs) -> Result<logql::QueryResult> {
                                 return logql::QueryResult(present ? vector_of({{"x", 3}}) : vector_of({}));
                               },
                               {}, ""};
  GroupRunner runner({"t1", "ns", "g"}, {"g", 1min, 0, {rule_with(0min)}}, 1min, environment);
  runner.evaluate(at(0s));
  CHECK(runner.take_notifications(at(0s), 1min).size() == 1);
  CHECK(runner.take_notifications(at(30s), 1min).empty());
  CHECK(runner.take_notifications(at(60s), 1min).size() == 1);
  present = false;
  runner.evaluate(at(70s));
  const auto resolved = runner.take_notifications(at(70s), 1min);
  REQUIRE(resolved.size() == 1);
  CHECK(resolved[0].state == AlertState::kInactive);
  CHECK(runner.take_notifications(at(80s), 1min).empty());
}

TEST_CASE("the ruler runs groups at their own slots and picks up changes") {
  MemFilesystem disk;
  REQUIRE(disk.make_directories("rules/t1").has_value());
  REQUIRE(write_atomically(disk, "rules/t1/f.yaml",
                           "groups:\n- name: g\n  interval: 1ms\n  rules:\n  - alert: A\n    expr: vector(1)\n")
              .has_value());
  Mutex mutex;
  Condition changed;
  std::set<std::int64_t> slots;
  const QueryFunction query = [&](const std::string&, const std::string&,
                                  TimestampNs when) -> Result<logql::QueryResult> {
    MutexLock lock(mutex);
    slots.insert(when.value);
    changed.notify_all();
    return logql::QueryResult(vector_of({{"x", 1}}));
  };
  Ruler ruler({.rules_directory = "rules", .state_directory = "state"}, {system_clock(), disk, query});
  {
    MutexLock lock(mutex);
    REQUIRE(changed.wait_for(lock, 60s, [&] { return slots.size() >= 3; }));
    CHECK((*slots.rbegin() - *slots.begin()) % 1'000'000 == 0);
  }
  CHECK(ruler.groups("t1").front().rules[0].state == AlertState::kFiring);
  CHECK(ruler.groups("t2").empty());
  REQUIRE(write_atomically(disk, "rules/t1/f.yaml", "groups: [unclosed").has_value());
  ruler.reload();
  CHECK(ruler.problems().size() == 1);
  REQUIRE(ruler.groups("t1").size() == 2);
  CHECK(ruler.groups("t1")[0].rules[0].last_error.empty());  // as it was
  CHECK(ruler.groups("t1")[1].identity.group == "f.yaml");
  CHECK(ruler.groups("t1")[1].rules[0].last_error.starts_with("yaml: line 1"));
  REQUIRE(ruler.store().delete_namespace("t1", "f.yaml").has_value());
  ruler.reload();
  CHECK(ruler.groups("t1").empty());
}

TEST_CASE("relabelling changes alerts on their way out and drops some") {
  MemFilesystem disk;
  REQUIRE(disk.make_directories("rules/t1").has_value());
  REQUIRE(write_atomically(disk, "rules/t1/f.yaml",
                           "groups:\n- {name: g, interval: 10ms, rules: [{alert: Kept, expr: vector(1)}, {alert: "
                           "Dropped, expr: vector(1)}]}\n")
              .has_value());
  const auto rules = parse_yaml(
      "[{source_labels: [alertname], regex: Dropped, action: drop}, {source_labels: [cluster], target_label: region}]");
  REQUIRE(rules.has_value());
  const auto client = std::make_shared<ScriptedClient>(std::vector<int>{200});
  Notifier notifier({.urls = {"http://am"}}, client);
  const QueryFunction query = [](const std::string&, const std::string&, TimestampNs) -> Result<logql::QueryResult> {
    return logql::QueryResult(vector_of({{"x", 1}}));
  };
  RulerOptions options{
      .rules_directory = "rules", .state_directory = "state", .external_labels = Labels{{"cluster", "eu"}}};
  options.alert_relabel = Relabeler::parse(*rules).value();
  Ruler ruler(std::move(options), {.clock = system_clock(), .filesystem = disk, .query = query, .notifier = &notifier});
  REQUIRE(client->wait_for_calls(1));
  for (const auto& call : client->calls()) {
    CHECK(call.body.find("Dropped") == std::string::npos);
    CHECK(call.body.find(R"("alertname":"Kept","app":"x","cluster":"eu","region":"eu")") != std::string::npos);
  }
}

TEST_CASE("a corrected rule file is taken up though what was broken is no part of what was read") {
  MemFilesystem disk;
  const ManualClock clock(at(0s));
  const std::string good = "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: vector(1)\n";
  REQUIRE(disk.make_directories("rules/t1").has_value());
  REQUIRE(write_atomically(disk, "rules/t1/f", good + "    for: abc\n").has_value());
  const QueryFunction query = [](const std::string&, const std::string&, TimestampNs) -> Result<logql::QueryResult> {
    return logql::QueryResult(vector_of({}));
  };
  Ruler ruler({.rules_directory = "rules", .state_directory = "state"}, {clock, disk, query});
  REQUIRE(ruler.groups("t1").size() == 1);
  CHECK_FALSE(ruler.groups("t1")[0].rules[0].rule.error.empty());
  REQUIRE(write_atomically(disk, "rules/t1/f", good).has_value());
  ruler.reload();
  CHECK(ruler.problems().empty());
  CHECK(ruler.groups("t1")[0].rules[0].rule.error.empty());
}

TEST_CASE("each group has a state file of its own, which goes with it") {
  MemFilesystem disk;
  const auto write_rules = [&disk](const std::string& name_space, const std::string& group, int number) {
    const auto text = "groups:\n- {name: " + group + ", interval: 5ms, rules: [{alert: A, expr: vector(" +
                      std::to_string(number) + ")}]}\n";
    REQUIRE(write_atomically(disk, "rules/t1/" + name_space, text).has_value());
  };
  REQUIRE(disk.make_directories("rules/t1").has_value());
  REQUIRE(disk.make_directories("state/t1").has_value());
  REQUIRE(write_atomically(disk, "state/t1/x.y.z.json", "{}").has_value());
  write_rules("x", "y.z", 1);
  write_rules("x.y", "z", 2);
  write_rules("long", std::string(300, 'g'), 3);
  Mutex mutex;
  Condition changed;
  std::map<std::string, int> runs;
  const QueryFunction query = [&](const std::string&, const std::string& expr,
                                  TimestampNs) -> Result<logql::QueryResult> {
    MutexLock lock(mutex);
    ++runs[expr];
    changed.notify_all();
    return logql::QueryResult(vector_of({{"x", 1}}));
  };
  const auto all_ran_twice = [&] {
    return runs.size() == 3 && std::all_of(runs.begin(), runs.end(), [](const auto& run) { return run.second >= 2; });
  };
  {
    Ruler ruler({.rules_directory = "rules", .state_directory = "state"}, {system_clock(), disk, query});
    {
      MutexLock lock(mutex);
      REQUIRE(changed.wait_for(lock, 60s, all_ran_twice));
    }
    const auto names = disk.list("state/t1");
    REQUIRE(names.has_value());
    CHECK(std::count_if(names->begin(), names->end(), [](const auto& name) { return name.ends_with(".json"); }) == 3);
    CHECK(std::all_of(names->begin(), names->end(), [](const auto& name) { return name.size() < 220; }));
    CHECK(std::find(names->begin(), names->end(), "x.y.z.json") == names->end());
    REQUIRE(ruler.store().delete_namespace("t1", "x.y").has_value());
    REQUIRE(ruler.store().delete_namespace("t1", "long").has_value());
    ruler.reload();
  }
  CHECK(disk.list("state/t1").value() == std::vector<std::string>{"x+y.z.json"});
}
