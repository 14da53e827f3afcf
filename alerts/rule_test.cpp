#include "alerts/rule.h"

#include <doctest/doctest.h>

#include "alerts/rule_store.h"
#include "alerts/yaml_source.h"
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

namespace {

constexpr std::string_view kBrokenFile = R"(groups:
- name: other
  query_offset: 1m
  rules:
  - {alert: A, expr: 'rate({a="b"}[5m]', for: 5m}
  - {alert: B, expr: vector(1), for: abc, keep_firing_for: '10m'}
  - alert: C
    expr: |
      vector(1)
        > 0
    annotations: {text: '{{ nothing', count: 7, "null": null}
    labels: {}
  - {expr: vector(2), labels: {severity: page}}
  - 7
)";

}  // namespace

TEST_CASE("YAML source reads back as the same node") {
  const auto node = parse_yaml(kBrokenFile);
  const std::string source = yaml_source(*node);
  const auto again = parse_yaml(source);
  REQUIRE(again.has_value());
  CHECK(yaml_source(*again) == source);
  const auto& rules = again->find("groups")->items[0].find("rules")->items;
  CHECK(rules[1].find("for")->text == "abc");
  CHECK(rules[2].find("expr")->text == "vector(1)\n  > 0\n");
  CHECK(rules[2].find("annotations")->find("count")->as_integer() == 7);
  CHECK(rules[2].find("annotations")->find("null")->is_null());
}

TEST_CASE("a write leaves the other groups of the file as they were read, broken rules too") {
  MemFilesystem disk;
  RuleStore store("rules", disk);
  REQUIRE(disk.make_directories("rules/t1").has_value());
  REQUIRE(write_atomically(disk, "rules/t1/f", kBrokenFile).has_value());
  const auto before = store.load().tenants["t1"]["f"];
  REQUIRE(store.set_group("t1", "f", *parse_rule_group(*parse_yaml(kGroup))).has_value());
  REQUIRE(store.delete_group("t1", "f", "grp1").has_value());
  const auto after = store.load().tenants["t1"]["f"];
  REQUIRE(after.size() == 1);
  CHECK(after[0].source == before[0].source);
  REQUIRE(after[0].rules.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK_FALSE(after[0].rules[i].error.empty());
    CHECK(after[0].rules[i].error == before[0].rules[i].error);
  }
}

TEST_CASE("a rule file that is not UTF-8 names the line") {
  const auto groups = parse_rule_file("groups:\n- name: g\n  rules:\n  - {alert: \xf0\x28, expr: vector(1)}\n");
  REQUIRE_FALSE(groups.has_value());
  CHECK(groups.error().message() == "yaml: line 4: not UTF-8");
}

TEST_CASE("a broken rule that is printed stays as it was read, so it cannot come back whole") {
  const auto groups = parse_rule_file(kBrokenFile);
  REQUIRE(groups.has_value());
  const auto printed = parse_yaml(rule_group_yaml(groups->front()));
  REQUIRE(printed.has_value());
  CHECK(printed->find("rules")->items[1].find("for")->text == "abc");
  CHECK(printed->find("rules")->items[3].find("alert") == nullptr);
  CHECK_FALSE(parse_rule_group(*printed).has_value());
}

TEST_CASE("a broken head of a group says where it is and stops no other group of the file") {
  const auto groups = parse_rule_file(
      "groups:\n- name: a\n  interval: 1x\n  rules:\n  - {alert: A, expr: vector(1)}\n- {name: b, rules: 7}\n- 8\n"
      "- {name: c, rules: [{alert: C, expr: vector(1)}]}\n");
  REQUIRE(groups.has_value());
  REQUIRE(groups->size() == 4);
  const auto& a = groups->front();
  CHECK(a.error == "group \"a\" (line 2): field 'interval': not a valid duration string: \"1x\"");
  REQUIRE(a.rules.size() == 1);
  CHECK(a.rules[0].error == a.error);
  CHECK(rule_group_yaml(a).find("interval: 1x") != std::string::npos);
  CHECK((*groups)[1].error == "group \"b\" (line 6): field 'rules' must be a list");
  CHECK((*groups)[2].error == "group \"group 3\" (line 7): unable to decoded rule group");
  CHECK((*groups)[3].error.empty());
  CHECK((*groups)[3].rules[0].error.empty());
}
