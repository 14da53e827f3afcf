// Changes of one group in a rule file: what people wrote around it stays.
#include <doctest/doctest.h>

#include "alerts/rule_file_edit.h"
#include "alerts/rule_store.h"
#include "common/mem_filesystem.h"

using namespace kvasir;
using namespace kvasir::alerts;

namespace {

constexpr std::string_view kFile = R"(# Rules of the shop; ask ops before you change them.
namespace: shop   # read by another tool
groups:
  # The first group.
  - name: a
    interval: 1m  # as often as that
    rules:
      - alert: A
        expr: |
          vector(1)

          # inside the expression
            > 0

  # The second group.
  - name: b
    rules:
      - record: b:r
        expr: vector(2)

# The end.
owner: ops
)";

RuleGroup group(const std::string& name, const std::string& expr) {
  const auto node = parse_yaml("{name: " + name + ", rules: [{alert: X, expr: " + expr + "}]}");
  return *parse_rule_group(*node);
}

std::string edited(std::string_view text, const RuleGroup& group) {
  const auto out = with_group(text, group);
  REQUIRE(out.has_value());
  return *out;
}

// `text` with what stands from `begin` up to `end` exchanged.
std::string exchanged(std::string text, std::string_view begin, std::string_view end, std::string_view fresh) {
  const auto from = text.find(begin);
  const auto to = text.find(end);
  REQUIRE(from != std::string::npos);
  REQUIRE(to != std::string::npos);
  return text.replace(from, to - from, fresh);
}

}  // namespace

TEST_CASE("a group is exchanged, added and taken out, and nothing else changes") {
  const std::string item = "  - name: b\n    rules:\n        - alert: X\n          expr: \"vector(7)\"\n";
  CHECK(edited(kFile, group("b", "vector(7)")) == exchanged(std::string(kFile), "  - name: b", "\n# The end.", item));
  std::string item_a = item;
  item_a[10] = 'a';
  CHECK(edited(kFile, group("a", "vector(7)")) ==
        exchanged(std::string(kFile), "  - name: a", "\n  # The second", item_a));
  std::string item_c = item;
  item_c[10] = 'c';
  CHECK(edited(kFile, group("c", "vector(7)")) == exchanged(std::string(kFile), "\n# The end.", "\n# The end.", item_c));
  CHECK(**without_group(kFile, "b") == exchanged(std::string(kFile), "  - name: b", "\n# The end.", ""));
  CHECK(**without_group(kFile, "a") == exchanged(std::string(kFile), "  - name: a", "\n  # The second", ""));
  CHECK_FALSE(without_group(kFile, "c").value().has_value());
}

TEST_CASE("other shapes of files: what cannot be edited is printed anew, with its other keys") {
  const auto fresh = group("new", "vector(1)");
  const std::string item = "- name: new\n  rules:\n      - alert: X\n        expr: \"vector(1)\"\n";
  const std::string item2 = "  - name: new\n    rules:\n        - alert: X\n          expr: \"vector(1)\"\n";
  CHECK(edited("", fresh) == "groups:\n" + item2);
  CHECK(edited("# nothing yet\n", fresh) == "# nothing yet\ngroups:\n" + item2);
  CHECK(edited("# nothing\ngroups: []\nowner: ops", fresh) == "# nothing\ngroups:\n" + item2 + "owner: ops\n");
  CHECK(edited("groups:\nowner: ops\n", fresh) == "groups:\n" + item2 + "owner: ops\n");
  CHECK(edited("groups:\n- name: new\n  rules: []", fresh) == "groups:\n" + item);
  CHECK(edited("groups:\n-\n  # comment\n  name: new\n  rules: []\n", fresh) == "groups:\n" + item);
  CHECK(edited("groups:\r\n- name: m\r\n  rules: []\r\n", fresh) == "groups:\r\n- name: m\r\n  rules: []\r\n" + item);
  for (const std::string_view text :
       {"owner: ops\ngroups: [{name: m, rules: []}, {name: new, rules: []}]\n",
        "owner: ops\ngroups:\n- {name: m, rules: &none []}\n- {name: new, rules: *none}\n",
        "owner: ops\n\"groups\": []\n", "{owner: ops, groups: []}\n"}) {
    CAPTURE(text);
    const auto after = edited(text, fresh);
    CHECK(parse_yaml(after)->find("owner")->text == "ops");
    const auto groups = parse_rule_file(after);
    REQUIRE(groups.has_value());
    CHECK(groups->back().name == "new");
    CHECK(groups->back().rules.size() == 1);
    CHECK(groups->size() == (text.find("name: m") == std::string_view::npos ? 1 : 2));
  }
  CHECK_FALSE(with_group("groups: [", fresh).has_value());
  CHECK_FALSE(with_group("just text", fresh).has_value());
}

TEST_CASE("a write into a file that cannot be read names it") {
  MemFilesystem disk;
  RuleStore store("rules", disk);
  REQUIRE(disk.make_directories("rules/t1").has_value());
  REQUIRE(write_atomically(disk, "rules/t1/f.yaml", "groups: [").has_value());
  const auto refused = store.set_group("t1", "f.yaml", group("new", "vector(1)"));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message().starts_with(
      "the rule file t1/f.yaml cannot be read, mend or delete it first: yaml: line 1"));
  CHECK_FALSE(store.delete_group("t1", "f.yaml", "new").has_value());
  CHECK(store.delete_namespace("t1", "f.yaml").has_value());
}
