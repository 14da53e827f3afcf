// Lines through a pipeline that rewrites them in every way; every byte of input must be settled once.
#include <cstdint>
#include <string>
#include <string_view>

#include "promtail-agent/stages/testing_pipeline.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvasir::agent;
  static constexpr std::string_view kYaml = R"(
- docker: {merge_partial: true}
- cri:
- multiline: {firstline: '^S', max_lines: 4}
- json: {expressions: {a: , b: 'length(c)', d: d.e}}
- logfmt: {mapping: {a: , k: }}
- regex: {expression: '(?P<r>[a-z]+)(?P<s>\d*)'}
- replace: {expression: '(b*)(c)?', replace: y}
- replace: {source: a, expression: '(.)(?P<q>.)', replace: '{{ .Value | ToUpper }}'}
- template: {source: t, template: '{{ .a }}-{{ .Entry | trunc 5 }}'}
- decolorize:
- labels: {a: , q: }
- structured_metadata: {k: , t: }
- trace:
- timestamp: {source: k, format: "2006-01-02 15:04:05 MST", fallback_formats: [Unix, RFC3339, "Jan _2"]}
- truncate: {rules: [{limit: 100, suffix: ...}]}
- luhn: {delimiters: ' -'}
- metrics: {m: {type: Histogram, value_name: a, match: 'r=~"x.*"'}}
- match: {selector: '{job="j"} |= "drop"', action: drop}
- pack: {labels: [r, a]}
- unpack:
)";
  TestingPipeline test(kYaml);
  if (!test.error.empty()) __builtin_trap();
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    test.feed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  // What docker lets go may be held by cri, and then by multiline: each waits its time.
  for (int i = 0; i < 3; ++i) {
    test.clock.advance(std::chrono::minutes(2));
    test.pipeline->tick(test);
  }
  test.pipeline->close(test);
  if (test.settled != test.offset) __builtin_trap();
  return 0;
}
