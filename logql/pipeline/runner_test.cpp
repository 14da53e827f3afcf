// What the engine reads from a runner: results by grouping, needed labels, unwrapped values.
#include <doctest/doctest.h>

#include "logql/pipeline/pipeline.h"
#include "logql/pipeline/step.h"
#include "logql/syntax/parser.h"

using namespace kvasir;
using namespace kvasir::logql;

namespace {

using Kind = ResultGrouping::Kind;

const Labels kStream{{"app", "web"}, {"env", "prod"}};
constexpr TimestampNs kTime{1768032060514000000};

PipelineRunner make_runner(const std::string& pipeline, PipelineOptions options, const Unwrap* unwrap = nullptr) {
  const auto query = parse_log_query("{app=\"web\"} " + pipeline);
  REQUIRE(query);
  auto compiled = Pipeline::compile(query->stages, unwrap, std::move(options));
  REQUIRE(compiled);
  PipelineRunner runner(std::move(*compiled));
  runner.bind(kStream);
  return runner;
}

PipelineOptions grouped(Kind kind, std::vector<std::string> labels, bool only_needed = false) {
  PipelineOptions options;
  options.grouping = {kind, std::move(labels)};
  options.only_needed_labels = only_needed;
  return options;
}

std::string result(PipelineRunner& runner, std::string_view line) {
  if (!runner.process(kTime, line, {})) return "dropped";
  const Labels labels = runner.result_labels();
  CHECK(runner.result_equals(labels));
  return labels.to_string();
}

// Label filters as the parser makes them, for behind an unwrap.
std::vector<LabelFilter> filters_of(const std::string& text) {
  const auto query = parse_log_query("{app=\"web\"} " + text);
  REQUIRE(query);
  std::vector<LabelFilter> filters;
  for (const Stage& stage : query->stages) filters.push_back(std::get<LabelFilter>(stage));
  return filters;
}

}  // namespace

TEST_CASE("the grouping decides the result labels") {
  constexpr std::string_view kLine = "a=1 b=2 env=x";
  const auto check = [&](Kind kind, std::vector<std::string> labels, std::string_view want) {
    auto runner = make_runner("| logfmt", grouped(kind, std::move(labels)));
    CHECK(result(runner, kLine) == want);
  };
  check(Kind::kAll, {}, R"({a="1", app="web", b="2", env="prod", env_extracted="x"})");
  check(Kind::kBy, {}, "{}");
  check(Kind::kBy, {"a", "env", "none"}, R"({a="1", env="prod"})");
  check(Kind::kWithout, {"a", "app"}, R"({b="2", env="prod", env_extracted="x"})");
  check(Kind::kStream, {}, R"({app="web", env="prod"})");
}

TEST_CASE("equal results have equal hashes, whatever the order of their labels") {
  auto runner = make_runner("| logfmt", {});
  REQUIRE(runner.process(kTime, "a=1 b=2", {}));
  const std::uint64_t hash = runner.result_hash();
  const Labels labels = runner.result_labels();
  REQUIRE(runner.process(kTime, "b=2 a=1", {}));
  CHECK(runner.result_hash() == hash);
  CHECK(runner.result_equals(labels));
  for (const std::string_view other : {"a=2 b=1", "a=1", "a=1 b=2 c=3", "ab=12", ""}) {
    REQUIRE(runner.process(kTime, other, {}));
    CHECK(runner.result_hash() != hash);
    CHECK_FALSE(runner.result_equals(labels));
  }
}

TEST_CASE("a runner moves between streams") {
  auto runner = make_runner("| logfmt", {});
  CHECK(result(runner, "app=x a=1") == R"({a="1", app="web", app_extracted="x", env="prod"})");
  const Labels other{{"host", "h"}};
  runner.bind(other);
  CHECK(result(runner, "app=x a=1") == R"({a="1", app="x", host="h"})");
  runner.bind(kStream);
  CHECK(result(runner, "app=x a=1") == R"({a="1", app="web", app_extracted="x", env="prod"})");
}

TEST_CASE("a grouped query reads only the labels it needs") {
  const auto check = [](const std::string& pipeline, std::vector<std::string> by, std::string_view line,
                        std::string_view want) {
    auto narrow = make_runner(pipeline, grouped(Kind::kBy, by, true));
    auto full = make_runner(pipeline, grouped(Kind::kBy, by, false));
    CHECK_MESSAGE(result(narrow, line) == want, pipeline);
    CHECK_MESSAGE(result(full, line) == want, pipeline);
  };
  constexpr std::string_view kJson = R"({"a":"1","b":{"c":"2","d":"3"},"env":"x","s":500})";
  check("| json", {"a"}, kJson, R"({a="1"})");
  check("| json", {"b_c"}, kJson, R"({b_c="2"})");
  check("| json", {"env_extracted", "app"}, kJson, R"({app="web", env_extracted="x"})");
  check("| json | s >= 500", {}, kJson, "{}");
  check("| json | s > 500", {}, kJson, "dropped");
  check("| json | label_format z=a", {"z"}, kJson, R"({z="1"})");
  check("| json | label_format z=`{{.b_d}}`", {"z"}, kJson, R"({z="3"})");
  check("| json | label_format z=`{{index . \"b_d\"}}`", {"z"}, kJson, R"({z="3"})");
  check("| json | line_format `{{.a}}` |= `1`", {"a"}, kJson, R"({a="1"})");
  check("| json | keep a, b_c=`2`", {"a", "b_c", "b_d"}, kJson, R"({a="1", b_c="2"})");
  check("| json | drop a=`1`", {"a", "b_c"}, kJson, R"({b_c="2"})");
  check("| logfmt", {"b"}, "a=1 b=2 c=3", R"({b="2"})");
  check("| logfmt | a=`1`", {}, "a=1 b=2 c=3", "{}");
  check("| pattern `<a> <b> <c>`", {"c"}, "1 2 3", R"({c="3"})");
  check("| regexp `(?P<a>.) (?P<b>.)`", {"b"}, "1 2", R"({b="2"})");
  check(R"(| unpack |= "inner")", {"k"}, R"({"k":"v","_entry":"inner"})", R"({k="v"})");
}

TEST_CASE("parsers nobody reads do not run, and so find no error") {
  auto runner = make_runner("| json", grouped(Kind::kBy, {}, true));
  REQUIRE(runner.process(kTime, "not json", {}));
  CHECK(runner.error().empty());
  auto asked = make_runner("| json", grouped(Kind::kBy, {"__error__"}, true));
  CHECK(result(asked, "not json") == R"({__error__="JSONParserErr"})");
  CHECK(asked.fails_query());
}

TEST_CASE("an error that is asked for does not fail the query") {
  PipelineOptions options = grouped(Kind::kBy, {"__error__"}, true);
  options.preserve_errors = true;
  auto runner = make_runner("| json", options);
  CHECK(result(runner, "not json") == R"({__error__="JSONParserErr"})");
  CHECK_FALSE(runner.fails_query());
  auto filtered = make_runner("| logfmt | a > 5", options);
  CHECK(result(filtered, "a=x") == R"({__error__="LabelFilterErr"})");
  CHECK(filtered.fails_query());
}

TEST_CASE("unwrap converts, marks and filters") {
  const auto check = [](const Unwrap& unwrap, std::string_view line, std::string_view want) {
    auto runner = make_runner("| logfmt", {}, &unwrap);
    std::string got = "none";
    if (runner.process(kTime, line, {})) {
      got = std::to_string(runner.value()) + " " + std::string(runner.error_details());
      CHECK(runner.result_labels().get("v") == std::nullopt);
    }
    CHECK_MESSAGE(got == want, line);
  };
  const Unwrap number{"v", UnwrapConversion::kNone, {}};
  check(number, "v=1.5", "1.500000 ");
  check(number, "v=1_000", "1000.000000 ");
  check(number, "w=1", "none");
  check(number, "v=\"\" w=1", "none");
  check(number, "v=x", R"(0.000000 strconv.ParseFloat: parsing "x": invalid syntax)");
  const Unwrap duration{"v", UnwrapConversion::kDuration, {}};
  check(duration, "v=1m30s", "90.000000 ");
  check(duration, "v=5", R"(0.000000 time: missing unit in duration "5")");
  check(duration, "v=1d", R"(0.000000 time: unknown unit "d" in duration "1d")");
  const Unwrap bytes{"v", UnwrapConversion::kBytes, {}};
  check(bytes, "v=1.5KiB", "1536.000000 ");
  check(bytes, "v=\"2 MB\"", "2000000.000000 ");
  check(bytes, "v=5xx", "0.000000 unhandled size name: xx");
  check(bytes, "v=x", R"(0.000000 strconv.ParseFloat: parsing "": invalid syntax)");
  const Unwrap filtered{"v", UnwrapConversion::kNone, filters_of(R"(| __error__="" | v > 5)")};
  check(filtered, "v=x", "none");
  check(filtered, "v=5", "none");
  check(filtered, "v=6", "6.000000 ");
}

TEST_CASE("the unwrapped label stays when it is asked for") {
  const Unwrap unwrap{"v", UnwrapConversion::kNone, {}};
  auto runner = make_runner("| logfmt", grouped(Kind::kBy, {"v"}, true), &unwrap);
  CHECK(result(runner, "v=3 w=4") == R"({v="3"})");
}

TEST_CASE("formats that nobody reads are left out") {
  PipelineOptions options;
  options.needs_line = false;
  auto runner = make_runner("| line_format `{{.a.b}}`", options);
  REQUIRE(runner.process(kTime, "x", {}));
  CHECK(runner.error().empty());
  auto read = make_runner("| line_format `{{.a.b}}` |= `x`", options);
  REQUIRE(read.process(kTime, "x", {}));
  CHECK(runner.line() == "x");
  CHECK(read.error() == "TemplateFormatErr");
}

TEST_CASE("a pipeline says what it must be given") {
  const auto compiled = [](const std::string& pipeline, PipelineOptions options) {
    const auto query = parse_log_query("{app=\"web\"} " + pipeline);
    REQUIRE(query);
    return *Pipeline::compile(query->stages, nullptr, std::move(options));
  };
  CHECK(compiled("", {})->empty());
  CHECK_FALSE(compiled("| a=`1`", {})->reads_line());
  CHECK(compiled("| json", {})->reads_line());
  CHECK_FALSE(compiled("| json", grouped(Kind::kBy, {}, true))->reads_line());
  CHECK(compiled("| line_format `{{__line__}}`", {})->reads_line());
  CHECK(compiled("| line_format `x`", {})->changes_line());
  CHECK_FALSE(compiled("", grouped(Kind::kBy, {}, true))->reads_metadata());
  CHECK(compiled("| a=`1`", grouped(Kind::kBy, {}, true))->reads_metadata());
}

TEST_CASE("millions of distinct keys do not pile up") {
  auto runner = make_runner("| json", {});
  for (int i = 0; i < 300000; ++i) {
    REQUIRE(runner.process(kTime, "{\"key" + std::to_string(i) + "\":1,\"a\":2}", {}));
  }
  CHECK(result(runner, R"({"a":"1"})") == R"({a="1", app="web", env="prod"})");
}
