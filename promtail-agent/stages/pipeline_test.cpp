// The stages, one line at a time, as configurations write them.
#include <doctest/doctest.h>

#include "promtail-agent/stages/testing_pipeline.h"

namespace kvasir::agent {
namespace {

struct Case {
  std::string_view line, out;
};

void check_lines(std::string_view yaml, std::initializer_list<Case> cases) {
  for (const auto& [line, out] : cases) CHECK_MESSAGE(run_line(yaml, line) == out, line);
}

void check_labels(std::string_view yaml, std::initializer_list<Case> cases) {
  for (const auto& [line, out] : cases) CHECK_MESSAGE(run_labels(yaml, line) == out, line);
}

// All lines through one pipeline.
std::string run_all(std::string_view yaml, std::initializer_list<std::string_view> lines) {
  TestingPipeline test(yaml);
  REQUIRE_MESSAGE(test.error.empty(), test.error);
  for (const std::string_view line : lines) test.feed(line);
  test.pipeline->close(test);
  CHECK(test.settled == test.offset);
  return test.lines();
}

TEST_CASE("json: values as text") {
  check_lines("- json: {expressions: {v: }}\n- output: {source: v}",
              {{R"({"v":1e21})", "1000000000000000000000"},
               {R"({"v":0.0000001})", "0.0000001"},
               {R"({"v":9007199254740993})", "9007199254740993"},
               {R"({"v":-0.0})", "-0"},
               {R"({"v":-0})", "-0"},
               {R"({"v":1.50})", "1.5"},
               {R"({"v":true})", "true"},
               {R"({"v":null})", R"({"v":null})"},
               {R"({"v":[1,"<>"]})", R"([1,"\u003c\u003e"])"},
               {R"({"v":123456789012345678901234567890})", "123456789012345678901234567890"},
               {R"({"v":{"b":1e21,"a":[]}})", R"({"a":[],"b":1e+21})"},
               {R"({"v":"\ud800"})", "\xef\xbf\xbd"},
               {R"({"V":1})", R"({"V":1})"},
               {"{\"v\":\"\xff\"}", "\xff"},
               {R"({"\u0076":"escaped key"})", "escaped key"}});
}

TEST_CASE("json: what is malformed is dropped on demand") {
  constexpr std::string_view kYaml = "- json: {drop_malformed: true, expressions: {a: }}\n- labels: {a: }";
  check_labels(kYaml, {{"null", R"({job="j"})"},
                       {"{}", R"({job="j"})"},
                       {R"(   {"a":1}   )", R"({a="1", job="j"})"},
                       {R"({"a":1E+2})", R"({a="100", job="j"})"},
                       {"{\"a\":\"\xff\"}", R"({job="j"})"},
                       {R"({"a":1,"a":2})", R"({a="2", job="j"})"},
                       {R"({"":1,"a":3})", R"({a="3", job="j"})"}});
  for (const std::string_view line :
       {"nope", "[1]", "\"s\"", "5", "true", R"({"a":01})", R"({"a":1}x)", R"({"a":"\x"})", R"({"a":)"})
    CHECK_MESSAGE(run_line(kYaml, line) == "(dropped)", line);
}

TEST_CASE("json: paths share what they can") {
  check_labels(
      "- json: {expressions: {x: a.b, y: a, z: 'a.b.c', w: 'a.b.c || q', n: 'length(l)'}}\n- labels: {x: , y: , z: , "
      "w: , n: }",
      {{R"({"a":{"b":{"c":"v"}},"l":[1,2]})",
        R"({job="j", n="2", w="v", x="{\"c\":\"v\"}", y="{\"b\":{\"c\":\"v\"}}", z="v"})"},
       {R"({"a":{"b":1},"a":{"b":2}})", R"({job="j", x="2", y="{\"b\":2}"})"},
       {R"({"a":{"b":{"c":1}},"a":7,"q":"alt"})", R"({job="j", w="alt", y="7"})"},
       {R"({"a":null})", R"({job="j"})"}});
  CHECK(run_line("- json: {expressions: {inner: }}\n- json: {source: inner, expressions: {z: }}\n- output: {source: z}",
                 R"({"inner":"{\"z\":\"Q\"}"})") == "Q");
  CHECK(run_line("- json: {expressions: {inner: }}\n- json: {source: inner, expressions: {z: }}\n- output: {source: z}",
                 R"({"inner":{"z":"R"}})") == "R");
}

TEST_CASE("json: every key") {
  check_lines(
      "- json: {extract_all: true, prefix: j_, expressions: {j_a: b}}\n- template: {source: o, template: '{{ .j_a }} "
      "{{ .j_o_x_y }} "
      "{{ .j_l }}'}\n- output: {source: o}",
      {{R"({"a":1,"b":2,"o":{"x-y":true},"l":[1,2]})", "2 true [1,2]"},
       {R"({"a":1,"o":{}})", "<no value> <no value> <no value>"},
       {"nope", "<no value> <no value> <no value>"}});
  TestingPipeline test("- json: {extract_all: true, max_keys: 2}\n- labels: {a: , b: , c: }");
  test.feed(R"({"a":1,"b":2,"c":3})");
  CHECK(test.seen[0].labels == R"({a="1", b="2", job="j"})");
}

TEST_CASE("logfmt") {
  check_labels("- logfmt: {mapping: {a: , b: , c: }}\n- labels: {a: , b: , c: }",
               {{"a=1 =x b=2", R"({a="1", job="j"})"},
                {"a=1 b\"x c=3", R"({a="1", job="j"})"},
                {"a=\"x\"y b=2", R"({a="x", b="2", job="j"})"},
                {R"(a="q\u00e9\n" b=)", "{a=\"q\xc3\xa9\\n\", b=\"\", job=\"j\"}"},
                {"a=\xc3\xa9,b=2 c=[x]", R"({job="j"})"},
                {"b a=\"\" c=x=y", R"({a="", b="", job="j"})"},
                {R"(a="bad\x" b=2)", R"({job="j"})"},
                {"a='single q' b=2", R"({a="'single", b="2", job="j"})"},
                {"A=1 b=2", R"({b="2", job="j"})"},
                {"a=1 =x\nb=2", R"({a="1", b="2", job="j"})"},
                {"a=\"unterminated", R"({job="j"})"},
                {R"(a="it\'s")", R"({a="it's", job="j"})"},
                {"", R"({job="j"})"}});
  CHECK(run_labels("- logfmt: {mapping: {x: k, y: k}}\n- labels: {x: , y: }", "k=1 k=2") ==
        R"({job="j", x="2", y="2"})");
  CHECK(run_line("- logfmt: {mapping: {b: }}\n- output: {source: b}", "a=1 b=" + std::string(70'000, 'x')).size() ==
        70'000);
}

TEST_CASE("regex") {
  check_labels(
      "- regex: {expression: '(?P<a>\\d+)(?<b>x)?'}\n- labels: {a: , b: }",
      {{"12x 34", R"({a="12", b="x", job="j"})"}, {"56", R"({a="56", b="", job="j"})"}, {"none", R"({job="j"})"}});
  CHECK(run_labels("- regex: {expression: '(?P<a>\\d+)', labels_from_groups: true}", "7") == R"({a="7", job="j"})");
  CHECK(run_line("- regex: {expression: 'k=(?P<k>[^ ]+) '}\n- output: {source: k}", "\xff k=a\xfe\x62 z") ==
        "a\xfe\x62");
}

TEST_CASE("replace") {
  struct ReplaceCase {
    std::string_view expression, replacement, in, out;
  };
  for (const auto& [expression, replacement, in, out] : {
           ReplaceCase{"pw=(\\S+)", "***", "u=a pw=abc pw=def", "u=a pw=*** pw=***"},
           ReplaceCase{"pw=\\S+", "***", "pw=abc", "pw=abc"},
           ReplaceCase{"(secret )", "", "a secret b secret c", "a b c"},
           ReplaceCase{"(x*)", "-", "abc", "-a-b-c-"},
           ReplaceCase{"(a)|(b)", "_", "ab", "__"},
           ReplaceCase{"(\xc3\xbc+)", "ue", "m\xc3\xbc\xc3\xbcller \xc3\xbc", "mueller ue"},
           ReplaceCase{"((\\d+)-(\\d+))", "<>", "1-2", "<>"},
           ReplaceCase{"(b)", "x", "\xff" "b\xfe", "\xff" "x\xfe"},
       })
    CHECK_MESSAGE(
        run_line("- replace: {expression: " + yaml_scalar(expression) + ", replace: " + yaml_scalar(replacement) + "}",
                 in) == out,
        expression);
  CHECK(run_labels("- replace: {expression: 'ip=(?P<ip>\\S+)', replace: gone}\n- labels: {ip: }", "ip=1.2.3.4 z") ==
        R"({ip="gone", job="j"})");
}

TEST_CASE("replace: templates") {
  constexpr std::string_view kYaml =
      "- replace: {expression: '(\\w+)@(\\w+)', replace: '{{ .Value | ToUpper }}_{{ .job }}_{{ .nope }}'}";
  CHECK(run_line(kYaml, "ab@cd ef@gh") == "AB_j_<no value>@CD_j_<no value> EF_j_<no value>@GH_j_<no value>");
  CHECK(run_line("- replace: {expression: '((\\d+)-(\\d+))', replace: '<{{.Value}}>'}", "1-2") == "<1-2>");
  CHECK(run_line("- replace: {expression: '(x)', replace: '{{ .Value '}", "x marks").starts_with("error: "));
  CHECK(run_line("- replace: {expression: 'ip=(?P<ip>\\S+)', replace: '{{ .Value | Sha2Hash \"s\" }}'}\n- output: "
                 "{source: ip}",
                 "ip=1.2.3.4 z") == "29be39f1826b7b8ca10209b12a101a97998e081b46d353a63d1ca701efcb3332");
}

TEST_CASE("template") {
  CHECK(run_line("- template: {source: o, template: '{{ .Entry | ToUpper }}'}\n- output: {source: o}", "abc") == "ABC");
  CHECK(run_line(
            "- regex: {expression: '(?P<x>.*)'}\n- template: {source: x, template: '{{ Replace .Value \"a\" \"b\" 1 "
            "}}-{{ TrimPrefix .Value "
            "\"a\" }}-{{ regexReplaceAll \"(a+)\" .Value \"<${1}>\" }}-{{ .Value | trunc 2 }}'}\n- output: {source: x}",
            "aab") == "bab-ab-<aa>b-aa");
  CHECK(run_labels("- template: {source: job, template: ''}\n- labels: {j2: job}", "x") == R"({job="j"})");
  check_lines(
      "- json: {expressions: {l: }}\n- template: {source: o, template: '{{ with .l }}{{ . }}{{ else }}none{{ end "
      "}}'}\n- output: {source: o}",
      {{R"({"l":"W"})", "W"}, {R"({"l":""})", "none"}, {"{}", "none"}});
  check_lines(
      "- json: {expressions: {lvl: level, num: 'a.b[1]', o: obj, missing: nope}}\n- template: {source: out, template: "
      "'lvl={{.lvl}} "
      "n={{.num}} o={{.o}} m={{.missing}}'}\n- output: {source: out}",
      {{R"({"level":"x","a":{"b":[1,2.50]},"obj":{"z":"<","a":[1,1e21]}})",
        R"(lvl=x n=2.5 o={"a":[1,1e+21],"z":"\u003c"} m=<no value>)"},
       {"not json", "lvl=<no value> n=<no value> o=<no value> m=<no value>"}});
}

TEST_CASE("timestamp") {
  TestingPipeline test(R"(
- regex: {expression: '^(?P<t>.*)$'}
- timestamp: {source: t, format: "2006-01-02 15:04:05", location: America/New_York, fallback_formats: ["02/Jan/2006:15:04:05 -0700", Unix, RFC3339]}
)");
  REQUIRE_MESSAGE(test.error.empty(), test.error);
  for (const std::string_view line : {"2024-03-10 12:00:00.123", "2024-03-10 12:00:00,5", "10/Oct/2000:13:55:36 -0700",
                                      "1700000000.25", "-1.5", "2024-03-10T01:02:03Z", "garbage", "garbage"})
    test.feed(line);
  std::vector<std::string> times;
  for (const SeenEntry& entry : test.seen) times.push_back(format_rfc3339(entry.timestamp));
  CHECK(times == std::vector<std::string>{"2024-03-10T16:00:00.123Z", "2024-03-10T16:00:00.5Z", "2000-10-10T20:55:36Z",
                                          "2023-11-14T22:13:20.25Z", "1969-12-31T23:59:58.5Z", "2024-03-10T01:02:03Z",
                                          "2024-03-10T01:02:03.000000001Z", "2024-03-10T01:02:03.000000002Z"});
}

std::string time_of(std::string_view format, std::string_view text, std::string_view more = "") {
  TestingPipeline test(
      "- regex: {expression: '^(?P<t>.*)$'}\n- timestamp: {source: t, action_on_failure: skip, format: " +
      yaml_scalar(format) + std::string(more) + "}");
  if (!test.error.empty()) return test.error;
  test.feed(text);
  return test.seen.front().timestamp == kTestNow ? "(failed)" : format_rfc3339(test.seen.front().timestamp);
}

TEST_CASE("timestamp: formats") {
  struct TimeCase {
    std::string_view format, text, out;
  };
  for (const auto& [format, text, out] : {
           TimeCase{"UnixMs", "1700000000123", "2023-11-14T22:13:20.123Z"},
           TimeCase{"UnixUs", "1700000000123456", "2023-11-14T22:13:20.123456Z"},
           TimeCase{"UnixNs", "1700000000123456789", "2023-11-14T22:13:20.123456789Z"},
           TimeCase{"Unix", "1700000000", "2023-11-14T22:13:20Z"},
           TimeCase{"Unix", "1700000000.1234567891", "2023-11-14T22:13:20.123456789Z"},
           TimeCase{"Unix", "1.2.3", "(failed)"},
           TimeCase{"Unix", "99999999999999", "(failed)"},
           TimeCase{"UnixMs", "1.5", "(failed)"},
           TimeCase{"RFC3339Nano", "2024-03-10T01:02:03.000000001+02:00", "2024-03-09T23:02:03.000000001Z"},
           TimeCase{"RFC3339", "2024-03-10 01:02:03Z", "(failed)"},
           TimeCase{"RFC3339", "2024-03-10T01:02:03", "(failed)"},
           TimeCase{"ANSIC", "Tue Mar  5 07:08:09 2019", "2019-03-05T07:08:09Z"},
           TimeCase{"RFC1123Z", "Tue, 05 Mar 2019 07:08:09 +0100", "2019-03-05T06:08:09Z"},
           TimeCase{"Jan _2 15:04:05", "Jul  4 00:00:00", "2024-07-04T00:00:00Z"},
           TimeCase{"2006-01-02", "2019-02-29", "(failed)"},
           TimeCase{"2006-01-02", "1500-01-01", "(failed)"},
       })
    CHECK_MESSAGE(time_of(format, text) == out, format << " " << text);
  CHECK(time_of("Jan _2 15:04:05", "Jun 14 07:08:09", ", location: Asia/Kolkata") == "2024-06-14T01:38:09Z");
  CHECK(time_of("RFC3339", "2024-03-10T01:02:03Z", ", location: Asia/Kolkata") == "2024-03-10T01:02:03Z");
}

TEST_CASE("labels and metadata") {
  CHECK(run_labels("- json: {expressions: {a: , b: , c: }}\n- labels: {a: , renamed: b, c: , nope: }",
                   R"({"a":"","b":1.50,"c":null})") == R"({a="", job="j", renamed="1.5"})");
  CHECK(run_labels("- static_labels: {s: v, e: \"\", n: , y: yes}\n- labelallow: [s, tmp, y]", "x") ==
        R"({s="v", y="yes"})");
  CHECK(run_labels("- tenant: {value: t1}\n- labelallow: [job]", "x") == R"({job="j"})");
  CHECK(run_labels("- tenant: {value: t1}", "x") == R"({__tenant_id__="t1", job="j"})");
  CHECK(
      run_line(
          "- regex: {expression: '(?P<job>x+)'}\n- match: {selector: '{job=\"j\"}', stages: [{output: {source: job}}]}",
          "axxb") == "j");
  CHECK(run_line("- static_labels: {lvl: e}\n- match: {selector: '{lvl=\"e\"}', stages: [{output: {source: lvl}}]}",
                 "x") == "e");
  CHECK(run_line("- static_labels: {lvl: e}\n- output: {source: lvl}", "x") == "x");
  CHECK(run_line("- labeldrop: [job]\n- output: {source: job}", "x") == "j");
  TestingPipeline test("- json: {expressions: {t: }}\n- structured_metadata: {t: , jobcopy: job}\n- labels: {t: }");
  test.feed(R"({"t":"1"})");
  CHECK(test.seen[0].labels == R"({t="1"})");
  CHECK(test.seen[0].metadata == "t=1 jobcopy=j");
}

TEST_CASE("drop") {
  constexpr std::string_view kJson = "- json: {expressions: {a: , b: , l: }}\n";
  const auto drops = [&](std::string_view options, std::string_view line) {
    return run_line(std::string(kJson) + "- drop: " + std::string(options), line) == "(dropped)";
  };
  CHECK(drops("{source: [a, b], expression: '^x;y$'}", R"({"a":"x","b":"y"})"));
  CHECK_FALSE(drops("{source: [a, b], expression: '^x;y$'}", R"({"a":"x;y"})"));
  CHECK(drops("{source: [a, nope], value: 'x'}", R"({"a":"x"})"));
  CHECK(drops("{source: a}", R"({"a":"1"})"));
  CHECK(drops("{source: a}", "{}"));
  CHECK_FALSE(drops("{source: a}", "nojson"));
  CHECK(drops("{source: zz, expression: '^$'}", "x"));
  CHECK(drops("{source: l, value: debug}", R"({"l":"debug"})"));
  CHECK_FALSE(drops("{source: l, value: debug}", R"({"l":"debugger"})"));
  CHECK_FALSE(drops("{longer_than: 5}", "12345"));
  CHECK(drops("{longer_than: 5}", "123456"));
  CHECK(drops("{older_than: 1h, expression: x}", "x") == false);
  CHECK(run_line("- regex: {expression: '(?P<t>.*)'}\n- timestamp: {source: t, format: Unix}\n- drop: {older_than: 1h}",
                 "1700000000") == "(dropped)");
}

TEST_CASE("match") {
  constexpr std::string_view kHit =
      "- match: {selector: '{job=\"j\"} |~ \"A.C\" != \"zz\"', stages: [{static_labels: {m: hit}}]}";
  check_labels(kHit, {{"ABC", R"({job="j", m="hit"})"}, {"ABC zz", R"({job="j"})"}, {"none", R"({job="j"})"}});
  CHECK(run_line("- match: {selector: '{job=~\"j|k\", nope=\"\"} |= \"D\"', action: drop}", "Dx") == "(dropped)");
  CHECK(run_line("- match: {selector: '{job=~\"j|k\", nope=\"\"} |= \"D\"', action: drop}", "x") == "x");
  CHECK(run_labels("- match: {selector: '{job=`j`} |= `\\`', stages: [{static_labels: {m: hit}}]}", "a\\b") ==
        R"({job="j", m="hit"})");
  CHECK(run_labels("- json: {expressions: {l: }}\n- match: {selector: '{job=\"j\"}', extracted: {l: e}, stages: "
                   "[{static_labels: {m: hit}}]}",
                   R"({"l":"e"})") == R"({job="j", m="hit"})");
  CHECK(run_all("- match: {selector: '{job=\"j\"} |= \"d\"', stages: [{drop: {expression: d}}]}", {"a", "d", "b"}) ==
        "a|b");
  CHECK(run_all("- match: {selector: '{job=\"j\"}', stages: [{multiline: {firstline: ^S}}]}\n- static_labels: {x: y}",
                {"S1", "a", "S2"}) == "S1\na|S2");
}

TEST_CASE("match: selectors that an absent label satisfies") {
  CHECK(run_labels("- match: {selector: '{ghost=\"\"}', stages: [{static_labels: {e: y}}]}", "x") ==
        R"({e="y", job="j"})");
  CHECK(run_labels("- match: {selector: '{ghost!=\"\"}', stages: [{static_labels: {e: y}}]}", "x") == R"({job="j"})");
  CHECK(run_labels("- match: {selector: '{a!~\"z.+\"} != \"q\"', stages: [{static_labels: {e: y}}]}", "x") ==
        R"({e="y", job="j"})");
}

TEST_CASE("sizes are powers of 1024") {
  CHECK(run_line("- drop: {longer_than: 1kb}", std::string(1024, 'x')) != "(dropped)");
  CHECK(run_line("- drop: {longer_than: 1KB}", std::string(1025, 'x')) == "(dropped)");
  CHECK(run_line("- drop: {longer_than: 1KiB}", std::string(1025, 'x')) == "(dropped)");
  CHECK(run_line("- drop: {longer_than: 1k}", std::string(1025, 'x')) == "(dropped)");
  CHECK(run_line("- drop: {longer_than: 1.5k}", "x").starts_with("error: "));
}

TEST_CASE("multiline") {
  constexpr std::string_view kYaml = "- multiline: {firstline: ^S, max_lines: 3}";
  CHECK(run_all(kYaml, {"pre", "S1", " a", " b", " c", "S2"}) == "pre|S1\n a\n b| c|S2");
  CHECK(run_all("- multiline: {firstline: '^>'}", {"> a", "", "b", "", "> c"}) == "> a\n\nb\n|> c");
  TestingPipeline test("- multiline: {firstline: ^S, max_wait_time: 1s}\n- labels: {job: }");
  test.feed("S1");
  test.clock.advance(std::chrono::milliseconds(600));
  test.feed(" a");
  CHECK(test.pipeline->deadline() != Duration::max());
  test.clock.advance(std::chrono::milliseconds(600));
  test.pipeline->tick(test);
  CHECK(test.seen.empty());
  CHECK(test.settled == 0);
  test.clock.advance(std::chrono::milliseconds(600));
  test.pipeline->tick(test);
  REQUIRE(test.seen.size() == 1);
  CHECK(test.lines() == "S1\n a");
  CHECK(test.seen[0].timestamp == kTestNow);
  CHECK(test.seen[0].sources == std::vector<SourceRange>{{1, 0, 6}});
  test.feed("late");
  test.feed("S2");
  CHECK(test.seen.back().line == "late");
  CHECK(test.seen.back().timestamp == kTestNow);
  CHECK(test.pipeline->deadline() != Duration::max());
}

TEST_CASE("multiline keeps label sets apart") {
  TestingPipeline test("- multiline: {firstline: ^S}");
  const auto a = make_label_set(Labels{{"s", "a"}});
  const auto b = make_label_set(Labels{{"s", "b"}});
  test.feed("S1", a);
  test.feed("S2", b);
  test.feed("x", a);
  test.feed("y", make_label_set(Labels{{"s", "b"}}));
  test.feed("S3", a);
  test.feed("S4", b);
  CHECK(test.lines() == "S1\nx|S2\ny");
}

TEST_CASE("pack and unpack") {
  const std::string_view line = R"({"k":"<v>"})";
  TestingPipeline test("- json: {expressions: {k: }}\n- pack: {labels: [job, k, none], ingest_timestamp: false}");
  test.feed(line);
  CHECK(test.seen[0].labels == "{}");
  CHECK(test.seen[0].line == R"({"job":"j","k":"\u003cv\u003e","_entry":"{\"k\":\"\u003cv\u003e\"}"})");
  TestingPipeline back("- unpack:");
  back.feed(test.seen[0].line);
  CHECK(back.seen[0].line == line);
  CHECK(back.seen[0].labels == R"({job="j", k="<v>"})");
  CHECK(run_line("- unpack:", "plain") == "plain");
}

TEST_CASE("decolorize") {
  check_lines("- decolorize:", {{"\x1b[31mred\x1b[0m \x1b[1;32mok\x1b[0m", "red ok"},
                                {"\x1b[2J\x1b[Hcleared", "cleared"},
                                {"\x1b[38;5;208morange\x1b[39m", "orange"},
                                {"tail\x1b[", "tail\x1b["},
                                {"a\x1b]0;title\x07" "b", "ab"},
                                {"\xff\x1b[31mx", "\xffx"},
                                {"plain", "plain"}});
}

TEST_CASE("cri") {
  const auto at = [](int s, std::string_view rest) {
    return "2024-01-02T03:04:0" + std::to_string(s) + "Z " + std::string(rest);
  };
  TestingPipeline test("- cri:");
  for (const std::string& line :
       {at(5, "stdout P par"), at(6, "stdout F tial"), at(7, "stderr F e"), std::string("nomatch"), at(8, "stdout F ")})
    test.feed(line);
  CHECK(test.lines() == "partial|e|nomatch|");
  CHECK(format_rfc3339(test.seen[0].timestamp) == "2024-01-02T03:04:06Z");
  CHECK(test.seen[0].sources.size() == 1);
  CHECK(test.seen[1].labels == R"({job="j", stream="stderr"})");
  CHECK(test.settled == test.offset);
  CHECK(run_all("- cri: {max_partial_lines: 1}",
                {at(1, "stdout P a"), at(2, "stderr P b"), at(3, "stdout F c"), at(4, "stderr F d")}) == "a|c|bd");
  CHECK(run_all("- cri: {max_partial_line_size: 8b, max_partial_line_size_truncate: true}",
                {at(1, "stdout P 012345"), at(2, "stdout P 6789ab"), at(3, "stdout F tail"),
                 at(4, "stdout F a full line is not cut")}) == "01234567|a full line is not cut");
  CHECK(run_all("- cri:", {at(1, "stdout P:x a"), at(2, "stdout F:y b")}) == "ab");
  CHECK(run_all("- cri: {partial_tags: false}", {at(1, "stdout P:x a"), at(2, "stdout F:y b")}) == "a|b");
}

TEST_CASE("cri: parts wait for the rest, but not for ever, and not at the end") {
  TestingPipeline test("- cri: {partial_timeout: 10s}");
  test.feed("2024-01-02T03:04:05Z stdout P part");
  CHECK(test.settled == 0);
  test.clock.advance(std::chrono::seconds(11));
  test.pipeline->tick(test);
  CHECK(test.lines() == "part");
  CHECK(test.settled == test.offset);
  const std::uint64_t before = test.offset;
  test.feed("2024-01-02T03:04:06Z stdout P lost?");
  test.pipeline->close(test);
  CHECK(test.lines() == "part");
  CHECK(test.settled == before);
}

TEST_CASE("cri: a line of many parts goes on when it is too long") {
  TestingPipeline test("- cri:");
  const std::string part = "2024-01-02T03:04:05Z stdout P " + std::string(16 << 10, 'x');
  for (int i = 0; i < 65; ++i) test.feed(part);
  CHECK(test.seen.size() == 1);
  CHECK(test.seen[0].line.size() == 1 << 20);
}

TEST_CASE("docker") {
  TestingPipeline test("- docker: {}");
  test.feed(R"({"log":"hello\n","stream":"stderr","time":"2024-01-02T03:04:05.123Z"})");
  test.feed(R"({"log":"b\n","stream":"stderr","time":"yesterday"})");
  test.feed("plain");
  CHECK(test.lines() == "hello\n|b\n|plain");
  CHECK(test.seen[0].labels == R"({job="j", stream="stderr"})");
  CHECK(format_rfc3339(test.seen[0].timestamp) == "2024-01-02T03:04:05.123Z");
  CHECK(format_rfc3339(test.seen[1].timestamp) == "2024-01-02T03:04:05.123000001Z");
  CHECK(test.seen[2].timestamp == kTestNow);
  CHECK(run_all("- docker: {trim_newline: true, merge_partial: true}",
                {R"({"log":"one ","stream":"stdout"})", R"({"log":"x","stream":"stderr"})",
                 R"({"log":"two\n","stream":"stdout"})", R"({"log":"\n","stream":"stderr"})"}) == "one two|x");
}

TEST_CASE("limit and sampling") {
  TestingPipeline test("- limit: {rate: 1, burst: 2, drop: true}");
  for (int i = 0; i < 5; ++i) test.feed("x");
  CHECK(test.drops == 3);
  CHECK(test.shows("logentry_dropped_lines_total{reason=\"ratelimit_drop_stage\"} 3"));
  test.clock.advance(std::chrono::seconds(1));
  test.feed("x");
  CHECK(test.drops == 3);
  TestingPipeline slow("- limit: {rate: 2, burst: 1}");
  for (int i = 0; i < 3; ++i) slow.feed("x");
  CHECK(slow.drops == 0);
  CHECK(slow.waited == std::chrono::milliseconds(1500));
  TestingPipeline labelled("- limit: {rate: 1, burst: 1, drop: true, by_label_name: job}");
  for (int i = 0; i < 3; ++i) labelled.feed("x");
  CHECK(labelled.shows(R"(logentry_dropped_lines_by_label_total{label_name="job",label_value="j"} 2)"));
  TestingPipeline some("- sampling: {rate: 0.25}");
  for (int i = 0; i < 4000; ++i) some.feed("x");
  CHECK(some.seen.size() > 850);
  CHECK(some.seen.size() < 1150);
  CHECK(run_line("- sampling: {rate: 0}", "x") == "(dropped)");
  CHECK(run_line("- sampling: {rate: 1}", "x") == "x");
}

TEST_CASE("eventlogmessage, trace, truncate, luhn") {
  CHECK(run_labels("- json: {expressions: {message: , Over: }}\n- eventlogmessage:\n- labels: {Over: , Over_extracted: "
                   ", Bad_Key: }",
                   R"({"message":"Over: new\r\nBad Key:  x \r\nno pair","Over":"old"})") ==
        R"({Bad_Key="x", Over="old", Over_extracted="new", job="j"})");
  CHECK(run_line("- json: {expressions: {message: }}\n- eventlogmessage:", "{}") == "(dropped)");
  TestingPipeline test("- trace:");
  test.feed(R"({"trace_id":"4BF92F3577B34DA6A3CE929D0E0E4736","span_id":"00f067aa0ba902b7"})");
  CHECK(test.seen[0].metadata == "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7");
  TestingPipeline broken("- trace:");
  broken.feed(
      R"({"timestamp": "2024-01-02 03:04:05,123", "message": "he said "no"", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"})");
  broken.feed(R"({"trace_id": "00000000000000000000000000000000", "span_id": "0000000000000000"})");
  CHECK(broken.seen[0].metadata == "trace_id=4bf92f3577b34da6a3ce929d0e0e4736");
  CHECK(broken.seen[1].metadata.empty());
  CHECK(run_line("- truncate: {rules: [{limit: 5, suffix: ..}]}", "0123456789") == "012..");
  CHECK(run_line("- truncate: {rules: [{limit: 2}]}", "a\xc3\xa9\xc3\xa9") == "a");
  CHECK(run_line("- luhn:", "card 4111111111111111 id 4111111111111112") == "card **REDACTED** id 4111111111111112");
  CHECK(run_line("- luhn: {delimiters: ' -', replacement: X}", "4111-1111-1111-1111, 12") == "X, 12");
}

TEST_CASE("configuration errors name the place and use the known words") {
  struct ErrorCase {
    std::string_view yaml, error;
  };
  for (const auto& [yaml, error] : {
           ErrorCase{"- docker",
                     "pipeline_stages[0] (line 1): invalid YAML config, make sure each stage of your pipeline is a "
                     "YAML object (must end with a `:`), check stage `- docker`"},
           ErrorCase{"- {a: 1, b: 2}", "pipeline_stages[0] (line 1): pipeline stage must contain only one key"},
           ErrorCase{"- cri:\n- foo:",
                     "pipeline_stages[1] (line 2): invalid foo stage config: Unknown stage type: foo"},
           ErrorCase{"- json: {}",
                     "pipeline_stages[0] (line 1): invalid json stage config: JMES expression is required"},
           ErrorCase{"- json: {expressions: {a: 'b['}}",
                     "invalid json stage config: could not compile JMES expression: "},
           ErrorCase{"- json: {source: '', expressions: {a: }}", "invalid json stage config: empty source"},
           ErrorCase{"- json: {source: [a], expressions: {a: }}", "'source' expected type 'string', got a list"},
           ErrorCase{"- logfmt:", "invalid logfmt stage config: logfmt mapping is required"},
           ErrorCase{"- regex: {}", "invalid regex stage config: expression is required"},
           ErrorCase{"- regex: {expression: '('}",
                     "invalid regex stage config: could not compile regular expression: error parsing regexp: missing "
                     "closing ): `(`"},
           ErrorCase{"- replace: {source: '', expression: x}",
                     "invalid replace stage config: empty source in replace stage"},
           ErrorCase{"- template: {template: x}", "invalid template stage config: template source value is required"},
           ErrorCase{"- timestamp: {format: x}", "timestamp source value is required if timestamp is specified"},
           ErrorCase{"- timestamp: {source: x}", "timestamp format is required"},
           ErrorCase{"- timestamp: {source: x, format: x, location: Mars/Base}",
                     "invalid location specified: unknown time zone Mars/Base"},
           ErrorCase{"- timestamp: {source: x, format: x, action_on_failure: jump}",
                     "invalid action on failure (supported values are [skip fudge])"},
           ErrorCase{"- output:", "output source value is required if output is specified"},
           ErrorCase{"- labels:", "label stage config cannot be empty"},
           ErrorCase{"- labels: {x-y: }", "invalid label name: x-y"},
           ErrorCase{"- static_labels: {}", "static_labels stage config cannot be empty"},
           ErrorCase{"- labeldrop: []", "labeldrop stage config cannot be empty"},
           ErrorCase{"- labelallow:", "labelallow stage config cannot be empty"},
           ErrorCase{"- tenant: {}", "label, source or value config are required"},
           ErrorCase{"- tenant: {value: a, label: b}", "label, source and value are mutually exclusive"},
           ErrorCase{"- match: {stages: [{cri: }]}", "selector statement required for match stage"},
           ErrorCase{"- match: {selector: '{a=\"b\"}'}",
                     "match stage requires at least one additional stage to be defined in '- stages'"},
           ErrorCase{"- match: {selector: '{a=\"b\"}', action: drop, stages: [{cri: }]}",
                     "match stage configured to drop entries cannot contains stages"},
           ErrorCase{"- match: {selector: '{a=\"b\"}', action: jump}", "match stage action should be 'keep' or 'drop'"},
           ErrorCase{"- match: {selector: '{a=\"b\"}', pipeline_name: '', action: drop}",
                     "match stage pipeline name can be omitted but cannot be an empty string"},
           ErrorCase{"- match: {selector: '{a=', action: drop}",
                     "invalid selector syntax for match stage: parse error at line 1"},
           ErrorCase{"- match: {selector: '{}', action: drop}",
                     "invalid selector syntax for match stage: parse error at line 1"},
           ErrorCase{"- match: {selector: '{a=\"b\"} | json', action: drop}",
                     "invalid selector syntax for match stage: parse error"},
           ErrorCase{"- match:\n    selector: '{a=\"b\"}'\n    stages:\n      - cri:\n      - output:",
                     "pipeline_stages[0].match.stages[1] (line 5): invalid output stage config: output source"},
           ErrorCase{
               "- drop: {}",
               "drop stage config must contain at least one of `source`, `expression`, `older_than` or `longer_than`"},
           ErrorCase{"- drop: {older_than: tomorrow}",
                     "drop stage invalid duration, tomorrow cannot be converted to a duration: "},
           ErrorCase{"- drop: {source: a, value: b, expression: c}",
                     "`value` and `expression` cannot both be defined at the same time."},
           ErrorCase{"- drop: {value: b}", "drop stage config must contain `source` if `value` is specified"},
           ErrorCase{"- drop: {longer_than: big}", "drop stage failed to parse longer_than to bytes: "},
           ErrorCase{"- drop: {source: {a: b}}", "drop stage source invalid type should be string or list of strings"},
           ErrorCase{"- multiline: {}", "multiline stage config must define `firstline` regular expression"},
           ErrorCase{"- multiline: {firstline: a, max_wait_time: x}", "multiline stage `max_wait_time` parse error: "},
           ErrorCase{"- limit: {rate: 1}", "limit stage failed to parse rate or burst"},
           ErrorCase{"- limit: {rate: 1, burst: 1, by_label_name: a}", "When ratelimiting by label, drop must be true"},
           ErrorCase{"- sampling: {rate: 2}", "Sampling Rate must be between 0.0 and 1.0, received 2.000000"},
           ErrorCase{"- sampling: {}", "sampling stage failed to parse rate"},
           ErrorCase{"- geoip: {source: a, db_type: city}", "db path cannot be empty"},
           ErrorCase{"- geoip: {source: a, db: x}", "db type should be either city or asn"},
       }) {
    const TestingPipeline test(yaml);
    CHECK_MESSAGE(test.error.find(error) != std::string::npos, yaml << " gives " << test.error);
  }
  const TestingPipeline two("- output:\n- labels:");
  CHECK(two.diagnostics.errors.size() == 2);
  const TestingPipeline unclosed("- replace: {expression: '(a)', replace: '{{ .Value '}");
  CHECK(unclosed.error.find("unclosed action") != std::string::npos);
  const TestingPipeline typo("- json: {expresions: {a: }, Expressions: {a: }}");
  CHECK(typo.error.empty());
  REQUIRE(typo.diagnostics.warnings.size() == 1);
  CHECK(typo.diagnostics.warnings[0] ==
        "pipeline_stages[0] (line 1): json: option \"expresions\" is not known and has no effect, did you mean "
        "\"expressions\"?");
}

TEST_CASE("every problem of every stage is noted at its line") {
  const TestingPipeline test(R"(- drop:
    expression: '('
    older_than: soon
    longer_than: big
- metrics:
    a: {type: Counter}
    b:
      type: Histogram
      max_idle_duration: 1ms
      config: {buckets: [2, 1]}
    c: {type: Summary}
    d: {type: Gauge, match: 'level=', value_type: parsecs}
- match:
    selector: '{'
    stages:
    - json: {expressions: {a: 'b[', c: 'd('}}
    - replace: {expression: ')', replace: '{{'}
- labels:
    a-b:
    c: [1]
- timestamp: {location: Nowhere}
)");
  std::string noted;
  for (const StageProblem& problem : test.diagnostics.errors)
    noted += (noted.empty() ? "" : " ") + std::to_string(problem.line);
  CHECK(noted == "3 2 4 6 9 10 11 12 12 14 16 16 17 17 19 20 21 21 21");
  CHECK(test.error == test.diagnostics.errors.front().text());
  CHECK(test.diagnostics.errors.front().text().starts_with(
      "pipeline_stages[0] (line 3): invalid drop stage config: drop stage invalid duration, soon "));
}

TEST_CASE("huge and strange lines pass through every stage") {
  constexpr std::string_view kYaml = R"(
- docker:
- cri:
- json: {expressions: {a: , b: 'length(c)'}}
- logfmt: {mapping: {a: }}
- regex: {expression: '(?P<r>[a-z]+)'}
- replace: {expression: '(zz)', replace: y}
- decolorize:
- labels: {a: }
- trace:
- timestamp: {source: a, format: RFC3339}
- pack: {labels: [r]}
)";
  for (const std::string& line : {std::string(), std::string(1, '\0'), std::string(10 << 20, 'x'),
                                  std::string("\xff\xfe\r\n"), std::string(1 << 20, '{'), std::string(1 << 20, '"')}) {
    TestingPipeline test(kYaml);
    REQUIRE_MESSAGE(test.error.empty(), test.error);
    test.feed(line);
    CHECK(test.seen.size() == 1);
    CHECK(test.settled == test.offset);
  }
}

}  // namespace
}  // namespace kvasir::agent
