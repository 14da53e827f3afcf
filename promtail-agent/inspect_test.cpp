#include "promtail-agent/inspect.h"

#include <doctest/doctest.h>

#include "promtail-agent/stages/testing_pipeline.h"

namespace kvasir::agent {

namespace {

/// What is printed for one line.
std::string inspected(std::string_view yaml, std::string_view line) {
  std::string printed;
  InspectPrinter printer([&](const std::string& text) { printed += text; });
  TestingPipeline test("[]");
  test.observer = &printer;
  test.rebuild(yaml);
  REQUIRE(test.error.empty());
  test.feed(line);
  return printed;
}

}  // namespace

TEST_CASE("a stage shows what it changed, and a stage around others what they did not") {
  CHECK(inspected("- regex: {expression: '(?P<a>x)'}\n- output: {source: a}\n- labels: {b: }", "wxy") ==
        "[inspect: regex stage]: \nExtracted[\"a\"]:\n\t+: x\n"
        "[inspect: output stage]: \nEntry.Line:\n\t-: wxy\n\t+: x\n"
        "[inspect: labels stage]: \nnone\n");
  // The label is copied into the extracted values by match itself.
  CHECK(inspected("- static_labels: {s: 1}\n- match: {selector: '{job=\"j\"}', stages: [{static_labels: {t: 2}}]}", "l") ==
        "[inspect: static_labels stage]: \nLabels[\"s\"]:\n\t+: 1\n"
        "[inspect: static_labels stage]: \nLabels[\"t\"]:\n\t+: 2\n"
        "[inspect: match stage]: \nExtracted[\"s\"]:\n\t+: 1\n");
  CHECK(inspected("- match: {selector: '{job=\"j\"}', stages: [{static_labels: {t: 2}}, {labeldrop: [t]}]}", "l") ==
        "[inspect: static_labels stage]: \nLabels[\"t\"]:\n\t+: 2\n"
        "[inspect: labeldrop stage]: \nLabels[\"t\"]:\n\t-: 2\n"
        "[inspect: match stage]: \nnone\n");
}

TEST_CASE("an entry that ends in a stage inside ends in the one around it") {
  CHECK(inspected("- match: {selector: '{job=\"j\"}', stages: [{drop: {expression: l}}]}", "l") ==
        "[inspect: drop stage]: \n\tdropped\n[inspect: match stage]: \n\tdropped\n");
}

}  // namespace kvasir::agent
