#include "common/relabel.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace kvasir {
namespace {

std::string apply(std::string_view yaml, const Labels& labels) {
  const auto node = parse_yaml(yaml);
  REQUIRE(node.has_value());
  const auto relabeler = Relabeler::parse(*node);
  if (!relabeler) return relabeler.error().message();
  const auto out = relabeler->apply(labels);
  return out ? out->to_string() : "(dropped)";
}

const Labels kLabels{{"job", "j"}, {"x", "A;b"}, {"pod_label_app", "v1"}, {"empty", ""}, {"UP", "MiXed"}};

struct Case {
  std::string_view rule, out;
};

// `{b="1", a="2"}` as `a="2" b="1"`.
std::string sorted_words(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text.substr(1, text.size() - 2)) {
    if (c == ' ') words.emplace_back();
    else if (c != ',') words.back() += c;
  }
  std::sort(words.begin(), words.end());
  std::string out;
  for (const std::string& word : words)
    if (!word.empty()) out += word + " ";
  return out;
}

TEST_CASE("rules rewrite labels") {
  for (const auto& [rule, out] : {
           Case{"- {source_labels: [x, job], target_label: t}", R"(t="A;b;j")"},
           Case{"- {source_labels: [job, nope], separator: '@', target_label: t}", R"(t="j@")"},
           Case{"- {source_labels: [x], regex: '(.);(.)', target_label: '${2}_x', replacement: '$1$2-$3-$$'}",
                R"(b_x="Ab--$")"},
           Case{"- {source_labels: [x], regex: '(?P<first>.);.', target_label: t, replacement: '$first'}", R"(t="A")"},
           Case{"- {source_labels: [x], regex: A, target_label: t, replacement: z}", ""},
           Case{"- {source_labels: [missing], target_label: t, replacement: const}", R"(t="const")"},
           Case{"- {source_labels: [missing], target_label: t}", ""},
           Case{"- {target_label: t, replacement: hello}", R"(t="hello")"},
           Case{"- {source_labels: [missing], regex: '', target_label: t, replacement: none}", R"(t="none")"},
           Case{"- {source_labels: [x], modulus: 16, target_label: t, action: hashmod}", R"(t="12")"},
           Case{"- {source_labels: [missing], modulus: 8, target_label: t, action: hashmod}", R"(t="6")"},
           Case{"- {source_labels: [UP], target_label: t, action: lowercase}", R"(t="mixed")"},
           Case{"- {source_labels: [UP], target_label: t, action: Uppercase}", R"(t="MIXED")"},
           Case{"- {source_labels: [x], regex: '(?i)a;(.)', target_label: t, replacement: '$1'}", R"(t="b")"},
       }) {
    std::string wanted;
    for (const Label& label : kLabels)
      if (!label.value.empty()) wanted += label.name + "=\"" + label.value + "\" ";
    wanted += out;
    CHECK_MESSAGE(sorted_words(apply(rule, kLabels)) == sorted_words("{" + wanted + "}"), rule);
  }
}

TEST_CASE("rules keep, drop, map and remove") {
  const Labels two{{"a", "1"}, {"b", "1"}, {"pod_label_app", "v"}};
  for (const auto& [rule, out] : {
           Case{"- {source_labels: [a], regex: '1|2', action: keep}", R"({a="1", b="1", pod_label_app="v"})"},
           Case{"- {source_labels: [a], regex: '2', action: keep}", "(dropped)"},
           Case{"- {source_labels: [a], regex: '1', action: drop}", "(dropped)"},
           Case{"- {source_labels: [a], regex: '11', action: drop}", R"({a="1", b="1", pod_label_app="v"})"},
           Case{"- {source_labels: [a], target_label: b, action: keepequal}", R"({a="1", b="1", pod_label_app="v"})"},
           Case{"- {source_labels: [a], target_label: b, action: dropequal}", "(dropped)"},
           Case{"- {regex: 'pod_label_(.+)', action: labelmap}\n- {regex: 'pod_.*', action: labeldrop}",
                R"({a="1", app="v", b="1"})"},
           Case{"- {regex: 'a|b', action: labelkeep}", R"({a="1", b="1"})"},
           Case{"- {source_labels: [a], regex: (1), target_label: a, replacement: $1x}",
                R"({b="1", pod_label_app="v"})"},
           Case{"- {source_labels: [a], target_label: t}\n- {source_labels: [t], target_label: b, replacement: 'b-$1'}",
                R"({a="1", b="b-1", pod_label_app="v", t="1"})"},
       })
    CHECK_MESSAGE(apply(rule, two) == out, rule);
  CHECK(apply("- {source_labels: [t], regex: 'a.b', action: drop}", Labels{{"t", "a\nb"}}) == "(dropped)");
}

TEST_CASE("rules that make no sense are refused in the words of Prometheus") {
  for (const auto& [rule, out] : {
           Case{"- {action: ''}", "RelabelConfigs[0]: relabel action cannot be empty"},
           Case{"- {action: frob}", "RelabelConfigs[0]: unknown relabel action \"frob\""},
           Case{"- {action: hashmod, target_label: t}",
                "RelabelConfigs[0]: relabel configuration for hashmod requires non-zero modulus"},
           Case{"- {source_labels: [a]}",
                "RelabelConfigs[0]: relabel configuration for replace action requires 'target_label' value"},
           Case{"- {action: lowercase}",
                "RelabelConfigs[0]: relabel configuration for lowercase action requires 'target_label' value"},
           Case{"- {action: lowercase, target_label: t, replacement: x}",
                "RelabelConfigs[0]: 'replacement' can not be set for lowercase action"},
           Case{"- {action: hashmod, modulus: 2, target_label: $1}",
                "RelabelConfigs[0]: \"$1\" is invalid 'target_label' for hashmod action"},
           Case{"- {action: labelmap, replacement: ''}",
                "RelabelConfigs[0]: \"\" is invalid 'replacement' for labelmap action"},
           Case{"- {action: keepequal, target_label: t, regex: x}",
                "RelabelConfigs[0]: keepequal action requires only 'source_labels' and `target_label`, and no other "
                "fields"},
           Case{"- {action: labeldrop, regex: x, target_label: t}",
                "RelabelConfigs[0]: labeldrop action requires only 'regex', and no other fields"},
           Case{"- {target_label: t}\n- {target_label: t, regex: '('}",
                "RelabelConfigs[1]: error parsing regexp: missing closing ): `(`"},
           Case{"- {target_label: t, frob: 1}",
                "RelabelConfigs[0]: line 1: field frob not found in type relabel.plain"},
       })
    CHECK_MESSAGE(apply(rule, kLabels) == out, rule);
}

}  // namespace
}  // namespace kvasir
