#include <doctest/doctest.h>

#include "logql/exec/testing_query.h"

using namespace kvasir;
using namespace kvasir::logql;

namespace {

/// One series; value 1 at 0 s, then 2, 3, 4 at 10, 20, 30 s.
void add_numbers(TestingQueries& queries) {
  for (int i = 0; i < 4; ++i) queries.add({{"app", "a"}}, i * 10, "v=" + std::to_string(i + 1));
}

void check_value(TestingQueries& queries, const std::string& call, std::string_view value) {
  CAPTURE(call);
  CHECK(queries.instant(call, 60) == "{app=\"a\"} 60:" + std::string(value));
}

std::string over(std::string_view function, std::string_view range = "1m") {
  const auto open = function.find('(');
  const std::string parameter = open == std::string_view::npos ? "" : std::string(function.substr(open + 1)) + ", ";
  return std::string(function.substr(0, open)) + "(" + parameter + "{app=\"a\"} | logfmt | unwrap v [" +
         std::string(range) + "])";
}

}  // namespace

TEST_CASE("range functions give the documented values") {
  TestingQueries queries;
  add_numbers(queries);
  check_value(queries, over("sum_over_time"), "9");
  check_value(queries, over("avg_over_time"), "3");
  check_value(queries, over("min_over_time"), "2");
  check_value(queries, over("max_over_time"), "4");
  check_value(queries, over("first_over_time"), "2");
  check_value(queries, over("last_over_time"), "4");
  check_value(queries, over("stddev_over_time"), "0.816496580927726");
  check_value(queries, over("stdvar_over_time"), "0.6666666666666666");
  check_value(queries, over("quantile_over_time(0.5"), "3");
  check_value(queries, over("quantile_over_time(0.9"), "3.8");
  check_value(queries, over("quantile_over_time(1.5"), "+Inf");
  check_value(queries, over("rate_counter"), "0.033333433333333336");
  check_value(queries, over("rate"), "0.15");
  CHECK(queries.instant("count_over_time({app=\"a\"}[1m])", 60) == "{app=\"a\"} 60:3");
  CHECK(queries.instant("rate({app=\"a\"}[1m])", 60) == "{app=\"a\"} 60:0.05");
  CHECK(queries.instant("bytes_over_time({app=\"a\"}[1m])", 60) == "{app=\"a\"} 60:9");
  CHECK(queries.instant("bytes_rate({app=\"a\"}[1m])", 60) == "{app=\"a\"} 60:0.15");
  CHECK(queries.instant("count_over_time({app=\"a\"}[0s])", 60) == "");
}

TEST_CASE("a counter that falls starts again") {
  TestingQueries queries;
  const double values[] = {10, 20, 5, 15};
  for (int i = 0; i < 4; ++i) queries.add({{"app", "a"}}, 5 + i * 10, "v=" + std::to_string(values[i]));
  CHECK(queries.instant(over("rate_counter"), 60) == "{app=\"a\"} 60:0.4166675");
}

TEST_CASE("quantiles put NaN first") {
  TestingQueries queries;
  int second = 1;
  for (const char* value : {"10", "20", "5", "15", "NaN", "+Inf"}) {
    queries.add({{"app", "a"}}, second++, std::string("v=") + value);
  }
  CHECK(queries.instant(over("quantile_over_time(0.5"), 60) == "{app=\"a\"} 60:12.5");
}

TEST_CASE("windows exclude their start and include their end") {
  TestingQueries queries;
  for (const double t : {0, 10, 20, 30, 40}) queries.add({{"app", "a"}}, t, "x");
  const TestingOptions options{.start = 0, .end = 40, .step = 10};
  CHECK(queries.range("count_over_time({app=\"a\"}[10s])", options) == "{app=\"a\"} 0:1 10:1 20:1 30:1 40:1");
  CHECK(queries.range("count_over_time({app=\"a\"}[25s])", options) == "{app=\"a\"} 0:1 10:2 20:3 30:3 40:3");
  CHECK(queries.range("count_over_time({app=\"a\"}[3s])", options) == "{app=\"a\"} 0:1 10:1 20:1 30:1 40:1");
}

TEST_CASE("offset shifts the window") {
  TestingQueries queries;
  for (const double t : {10, 20}) queries.add({{"app", "a"}}, t, "x");
  const TestingOptions options{.start = 0, .end = 40, .step = 10};
  CHECK(queries.range("count_over_time({app=\"a\"}[10s] offset 10s)", options) == "{app=\"a\"} 20:1 30:1");
  CHECK(queries.range("count_over_time({app=\"a\"}[10s] offset -10s)", options) == "{app=\"a\"} 0:1 10:1");
  CHECK(queries.range("count_over_time({app=\"a\"}[5s] offset 3s)", options) == "");
}

TEST_CASE("steps stand on multiples of the step") {
  TestingQueries queries;
  queries.add({{"app", "a"}}, 1000005, "x");
  const TestingOptions options{.start = 1000003, .end = 1000061, .step = 10};
  CHECK(queries.range("count_over_time({app=\"a\"}[1m])", options) ==
        "{app=\"a\"} 1000010:1 1000020:1 1000030:1 1000040:1 1000050:1 1000060:1");
  CHECK(queries.range("vector(1)", options) ==
        "{} 1000000:1 1000010:1 1000020:1 1000030:1 1000040:1 1000050:1 1000060:1 1000070:1");
}

TEST_CASE("wide windows over many buckets agree with narrow ones") {
  TestingQueries queries;
  for (int i = 0; i < 400; ++i) queries.add({{"app", "a"}}, i, "v=" + std::to_string((i * 37) % 101));
  const TestingOptions options{.start = 0, .end = 399, .step = 7};
  for (const char* range : {"1m", "63s", "70s", "100s", "3m20s", "6s"}) {
    CAPTURE(range);
    const std::string query = over("max_over_time", range);
    const auto result = queries.run(query, options, false);
    REQUIRE(result.has_value());
    for (const auto& point : std::get<Matrix>(*result).series.at(0).points) {
      const double t = static_cast<double>(point.timestamp_ms) / 1000;
      const std::string one = queries.instant(query, t);
      CHECK(one == "{app=\"a\"} " + std::to_string(point.timestamp_ms / 1000) + ":" +
                       std::to_string(static_cast<int>(point.value)));
    }
  }
}

TEST_CASE("absent_over_time") {
  TestingQueries queries;
  queries.add({{"app", "a"}}, 15, "x");
  const TestingOptions options{.start = 0, .end = 40, .step = 10};
  CHECK(queries.range("absent_over_time({app=\"a\", env=~\"p.*|\"}[10s])", options) ==
        "{app=\"a\"} 0:1 10:1 30:1 40:1");
  CHECK(queries.range("absent_over_time({app=\"b\", app=\"b\"}[10s])", {.end = 10, .step = 10}) == "{} 0:1 10:1");
}

TEST_CASE("grouping while reading and after it") {
  TestingQueries queries;
  for (int i = 0; i < 6; ++i) {
    queries.add({{"app", "a"}, {"pod", std::to_string(i % 3)}}, 1 + i,
                i % 2 == 0 ? "level=info n=1" : "level=warn n=2");
  }
  CHECK(queries.instant("sum by (app) (count_over_time({app=\"a\"}[1m]))", 60) == "{app=\"a\"} 60:6");
  CHECK(queries.instant("sum(count_over_time({app=\"a\"}[1m]))", 60) == "{} 60:6");
  CHECK(queries.instant("sum without (pod, n) (count_over_time({app=\"a\"} | logfmt [1m]))", 60) ==
        "{app=\"a\", level=\"info\"} 60:3\n{app=\"a\", level=\"warn\"} 60:3");
  CHECK(queries.instant("sum by (level) (sum_over_time({app=\"a\"} | logfmt | unwrap n [1m]))", 60) ==
        "{level=\"info\"} 60:3\n{level=\"warn\"} 60:6");
  CHECK(queries.instant("max_over_time({app=\"a\"} | logfmt | unwrap n [1m]) by (level)", 60) ==
        "{level=\"info\"} 60:1\n{level=\"warn\"} 60:2");
  CHECK(queries.instant("avg(count_over_time({app=\"a\"}[1m]))", 60) == "{} 60:2");
  CHECK(queries.instant("count(count_over_time({app=\"a\"}[1m]))", 60) == "{} 60:3");
  CHECK(queries.instant("topk(1, count_over_time({app=\"a\", pod!=\"0\"}[1m]))", 60) == "{app=\"a\", pod=\"1\"} 60:2");
  CHECK(queries.instant("sort_desc(sum by (pod) (sum_over_time({app=\"a\"} | logfmt | unwrap n | pod=~\"0|1\" [1m])))",
                        60) == "{pod=\"0\"} 60:3\n{pod=\"1\"} 60:3");
}

TEST_CASE("errors of lines fail a metric query unless they are asked for") {
  TestingQueries queries;
  queries.add({{"app", "a"}}, 1, "not json");
  queries.add({{"app", "a"}}, 2, "{\"x\":\"1\"}");
  CHECK(queries.instant("count_over_time({app=\"a\"} | json [1m])", 60)
            .starts_with("error: pipeline error: 'JSONParserErr' for series: '{__error__=\"JSONParserErr\", "));
  CHECK(queries.instant("sum(count_over_time({app=\"a\"} | json [1m]))", 60) == "{} 60:2");
  CHECK(queries.instant("sum by (__error__) (count_over_time({app=\"a\"} | json [1m]))", 60) ==
        "{} 60:1\n{__error__=\"JSONParserErr\"} 60:1");
  CHECK(queries.instant("count_over_time({app=\"a\"} | json | __error__=\"\" [1m])", 60) ==
        "{app=\"a\", x=\"1\"} 60:1");
}

TEST_CASE("duplicates count once") {
  TestingQueries queries({.exact = false});
  for (int i = 0; i < 3; ++i) queries.add({{"app", "a"}}, 1, "same");
  queries.add({{"app", "a"}}, 1, "other");
  queries.add({{"app", "b"}}, 1, "same");
  CHECK(queries.instant("sum by (app) (count_over_time({app=~\".+\"}[1m]))", 60) ==
        "{app=\"a\"} 60:2\n{app=\"b\"} 60:1");
  CHECK(queries.logs("{app=\"a\"}", {.end = 10}) == "{app=\"a\"} 1:\"same\" 1:\"other\"");
}

TEST_CASE("operators") {
  TestingQueries queries;
  for (int i = 0; i < 4; ++i) queries.add({{"app", "a"}, {"pod", std::to_string(i % 2)}}, 1 + i, "x");
  queries.add({{"app", "b"}, {"pod", "0"}, {"rack", "r1"}}, 1, "x");
  const std::string a = "count_over_time({app=\"a\"}[1m])";
  const std::string b = "count_over_time({app=\"b\"}[1m])";
  CHECK(queries.instant(a + " * 2", 60) == "{app=\"a\", pod=\"0\"} 60:4\n{app=\"a\", pod=\"1\"} 60:4");
  CHECK(queries.instant("10 - " + a + " > bool 8", 60) == "{app=\"a\", pod=\"0\"} 60:0\n{app=\"a\", pod=\"1\"} 60:0");
  CHECK(queries.instant("1 < " + a, 60) == "{app=\"a\", pod=\"0\"} 60:2\n{app=\"a\", pod=\"1\"} 60:2");
  CHECK(queries.instant(a + " / on (pod) " + b, 60) == "{pod=\"0\"} 60:2");
  CHECK(queries.instant(a + " + on (pod) group_left (rack) " + b, 60) == "{app=\"a\", pod=\"0\", rack=\"r1\"} 60:3");
  CHECK(queries.instant(a + " + on () " + b, 60) ==
        "error: multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
  CHECK(queries.instant(b + " + on () " + a, 60)
            .starts_with("error: found duplicate series on the right hand-side;many-to-many"));
  CHECK(queries.instant(a + " and on (pod) " + b, 60) == "{app=\"a\", pod=\"0\"} 60:2");
  CHECK(queries.instant(a + " unless on (pod) " + b, 60) == "{app=\"a\", pod=\"1\"} 60:2");
  CHECK(queries.instant("sum(" + b + ") or " + b, 60) == "{} 60:1\n{app=\"b\", pod=\"0\", rack=\"r1\"} 60:1");
  CHECK(queries.instant("vector(3) + vector(4)", 60) == "{} 60:7");
  CHECK(queries.instant("1 + 2", 60) == "scalar 3");
  CHECK(queries.instant("sum(1)", 60).starts_with("error: unexpected expr type (*syntax.LiteralExpr)"));
  CHECK(queries.instant("label_replace(" + b + ", \"rack\", \"${1}-$n\", \"rack\", \"(?P<n>r)(1)\")", 60) ==
        "{app=\"b\", pod=\"0\", rack=\"r-r\"} 60:1");
  CHECK(queries.instant("label_replace(" + b + ", \"rack\", \"\", \"rack\", \".*\")", 60) ==
        "{app=\"b\", pod=\"0\"} 60:1");
}

TEST_CASE("windows beyond the end of time hold nothing") {
  TestingQueries queries;
  queries.add({{"app", "a"}}, 1, "x");
  CHECK(queries.instant("count_over_time({app=\"a\"}[292y] offset 292y)", 2e9) == "");
  CHECK(queries.instant("count_over_time({app=\"a\"}[1h] offset -2500000h)", 2e9) == "");
  CHECK(queries.instant("absent_over_time({app=\"a\"}[1h] offset -2500000h)", 2e9) == "{app=\"a\"} 2000000000:1");
}

TEST_CASE("a query over its memory budget ends") {
  TestingQueries queries;
  for (int i = 0; i < 5000; ++i)
    queries.add({{"app", "a"}, {"pod", std::to_string(i % 100)}}, i * 0.01, "v=" + std::to_string(i));
  CHECK(queries.instant(over("quantile_over_time(0.5"), 60, {.memory = 4096}).find("memory limit of test reached") !=
        std::string::npos);
}

TEST_CASE("groups, kept rows and answers count too") {
  TestingQueries queries({.rows_per_block = 64});
  for (int i = 0; i < 5000; ++i)
    queries.add({{"app", "a"}}, i * 0.01, "id=" + std::to_string(i) + " v=" + std::to_string(i));
  const auto refused = [](const std::string& answer) {
    return answer.find("memory limit of test reached") != std::string::npos;
  };
  const TestingOptions small{.end = 60, .limits = {.series_max = 0}, .memory = 100'000};
  CHECK(refused(queries.table("{app=\"a\"} | logfmt | stats count() as n by id", small)));
  CHECK(refused(queries.table("{app=\"a\"} | logfmt | stats count_distinct(id) as n", small)));
  CHECK(refused(queries.table("{app=\"a\"} | logfmt | stats quantile(0.5, v) as n", {.end = 60, .memory = 10'000})));
  CHECK(refused(queries.instant("count by (id) (count_over_time({app=\"a\"} | logfmt [1m]))", 60, small)));
  CHECK(refused(queries.logs("{app=\"a\"} | order by line", {.end = 60, .limit = 5000, .memory = 100'000})));
  CHECK_FALSE(refused(queries.logs("{app=\"a\"} | order by line", {.end = 60, .limit = 10, .memory = 100'000})));
  CHECK_FALSE(refused(queries.instant("count(count_over_time({app=\"a\"}[1m]))", 60, small)));
}

TEST_CASE("limits") {
  TestingQueries queries;
  for (int i = 0; i < 20; ++i) queries.add({{"app", "a"}, {"pod", std::to_string(i)}}, 1, "x");
  CHECK(queries.instant("count_over_time({app=\"a\"}[1m])", 60, {.limits = {.series_max = 10}})
            .starts_with("error: maximum number of series (10) reached for a single query;"));
  CHECK(queries.instant("sum(count_over_time({app=\"a\"}[1m]))", 60, {.limits = {.series_max = 10}}) == "{} 60:20");
  CHECK(queries.instant("variants(count_over_time({app=\"a\"}[1m])) of ({app=\"a\"}[1m])", 60) ==
        "error: multi variant queries are disabled for this instance");
  CHECK(
      queries.instant(
          "variants(sum(count_over_time({app=\"a\"}[1m])), sum by (app) (rate({app=\"a\"}[1m]))) of ({app=\"a\"}[20s])",
          10, {.limits = {.multi_variant_queries = true}}) ==
      "{__variant__=\"0\"} 10:20\n{__variant__=\"1\", app=\"a\"} 10:1");
  CHECK(
      queries.instant("{app=\"a\"}", 60).starts_with("error: log queries are not supported as an instant query type"));
}
