#include "alerts/rule.h"

#include <doctest/doctest.h>

#include "alerts/rule_store.h"
#include "common/mem_filesystem.h"

using namespace kvasir;
using namespace kvasir::alerts;

namespace {

std::string refusal(std::string_view yaml) {
  const auto node = parse_yaml(yaml);
  REQUIRE(node.has_value());
  const auto group = parse_rule_group(*node);
  return group ? "" : group.error().message();
}

constexpr std::string_view kGroup = R"(name: grp1
interval: 1m
limit: 10
rules:
  - alert: HighRate
    expr: sum by (app) (count_over_time({app="x"}[5m])) > 1
    for: 10m
    keep_firing_for: 5m
    labels: {severity: page, team: '{{ $labels.app }}-team'}
    annotations: {summary: 'value {{ $value }}'}
  - record: my:rec
    expr: sum by (env) (rate({app="x"}[5m]))
    labels: {extra: lbl}
)";

}  // namespace

TEST_CASE("a group reads, prints and reads back the same") {
  const auto group = parse_rule_group(*parse_yaml(kGroup));
  REQUIRE(group.has_value());
  CHECK(group->interval == std::chrono::minutes(1));
  CHECK(group->rules[0].keep_firing_for == std::chrono::minutes(5));
  CHECK(group->rules[1].kind == Rule::Kind::kRecord);
  CHECK(group->rules[1].canonical == R"(sum by (env)(rate({app="x"}[5m])))");
  const std::string printed = rule_group_yaml(*group);
  const auto again = parse_rule_group(*parse_yaml(printed));
  REQUIRE(again.has_value());
  CHECK(rule_group_yaml(*again) == printed);
  CHECK(again->rules[0].labels.at("team") == "{{ $labels.app }}-team");
}

TEST_CASE("each mistake in a group has its own text") {
  CHECK(refusal("- 1") == "unable to decoded rule group");
  CHECK(refusal("groups: []") == "group 0: Groupname must not be empty");
  CHECK(refusal("{name: a, rules: [{alert: A, record: b, expr: '1'}]}") ==
        "only one of 'record' and 'alert' must be set");
  CHECK(refusal("{name: a, rules: [{expr: '1'}]}") == "one of 'record' or 'alert' must be set");
  CHECK(refusal("{name: a, rules: [{alert: A}]}") == "field 'expr' must be set in rule");
  CHECK(refusal("{name: a, rules: [{alert: A, expr: '{app='}]}")
            .starts_with("could not parse expression for alert 'A' in group 'a': parse error"));
  CHECK(refusal("{name: a, rules: [{record: r, expr: 'vector(1)', annotations: {x: y}}]}") ==
        "invalid field 'annotations' in recording rule");
  CHECK(refusal("{name: a, rules: [{record: r, expr: 'vector(1)', for: 1m}]}") ==
        "invalid field 'for' in recording rule");
  CHECK(refusal("{name: a, rules: [{record: a-b, expr: 'vector(1)'}]}") == "invalid recording rule name: a-b");
  CHECK(refusal("{name: a, rules: [{alert: A, expr: 'vector(1)', labels: {a-b: c}}]}") == "invalid label name: a-b");
  CHECK(refusal("{name: a, rules: [{alert: A, expr: 'vector(1)', annotations: {a-b: c}}]}") ==
        "invalid annotation name: a-b");
  CHECK(refusal("{name: a, rules: [{alert: A, expr: 'vector(1)', annotations: {a: '{{ foo }}'}}]}") ==
        "annotation \"a\": template: __alert_A:1: function \"foo\" not defined");
  CHECK(refusal("{name: a, rules: [{alert: A, expr: 'vector(1)', for: soon}]}") ==
        "field 'for': not a valid duration string: \"soon\"");
}

TEST_CASE("in a file a broken rule keeps its place and its reason, the others are whole") {
  const auto groups =
      parse_rule_file("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: '{'\n  - alert: B\n    expr: vector(1)\n");
  REQUIRE(groups.has_value());
  REQUIRE(groups->front().rules.size() == 2);
  CHECK(groups->front().rules[0].line == 4);
  CHECK(groups->front().rules[0].error.starts_with("could not parse expression for alert 'A'"));
  CHECK(groups->front().rules[1].error.empty());
}

TEST_CASE("the store keeps a file a namespace and reports what it cannot read") {
  MemFilesystem disk;
  RuleStore store("rules", disk);
  CHECK(store.load().tenants.empty());
  const auto group = parse_rule_group(*parse_yaml(kGroup));
  REQUIRE(store.set_group("t1", "ns 1", *group).has_value());
  REQUIRE(store.set_group("t1", "ns 1", *group).has_value());
  CHECK(store.load().tenants["t1"]["ns 1"].size() == 1);
  REQUIRE(write_atomically(disk, "rules/t1/bad.yaml", "groups: 7").has_value());
  const auto loaded = store.load();
  CHECK(loaded.tenants.at("t1").at("ns 1").front().name == "grp1");
  REQUIRE(loaded.problems.size() == 1);
  CHECK(loaded.problems[0].starts_with("rules/t1/bad.yaml: "));
  CHECK_FALSE(store.set_group("t1", "../../etc", *group).has_value());
  CHECK_FALSE(store.set_group("..", "x", *group).has_value());
  REQUIRE(store.delete_group("t1", "ns 1", "grp1").has_value());
  CHECK(store.delete_namespace("t1", "ns 1").error().message() == "group namespace does not exist");
}
