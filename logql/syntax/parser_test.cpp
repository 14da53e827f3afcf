#include "logql/syntax/parser.h"

#include <doctest/doctest.h>

#include "logql/syntax/printer.h"

// The queries and messages below are the examples of the language reference and requests that were recorded from the
// reference system. A query that fails only when its stages are compiled counts as parsed here.

using namespace kvasir;
using namespace kvasir::logql;

namespace {

std::string error_of(std::string_view query) {
  const auto parsed = parse_query(query);
  return parsed ? "(parsed)" : parsed.error().message();
}

void fails(std::string_view query, std::string_view message) {
  CAPTURE(query);
  std::string actual = error_of(query);
  while (actual.ends_with(' ')) actual.pop_back();
  CHECK(actual == message);
}

void parses(std::string_view query) {
  CAPTURE(query);
  const auto parsed = parse_query(query);
  if (!parsed) {
    FAIL_CHECK(parsed.error().message());
    return;
  }
  const std::string printed = print(**parsed);
  CAPTURE(printed);
  const auto again = parse_query(printed);
  REQUIRE(again.has_value());
  CHECK(print(**again) == printed);
  const auto formatted = parse_query(format_query(**parsed));
  REQUIRE(formatted.has_value());
  CHECK(print(**formatted) == printed);
}

constexpr std::string_view kSelectorRule =
    "parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible "
    "value. For "
    "instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will";

}  // namespace

TEST_CASE("queries that parse and print stably, 1") {
  parses(R"q({app="web"})q");
  parses(R"q({app="web", env!="dev", host=~"db-[0-9]+", zone!~"eu.*"})q");
  parses(R"q({ app = "web" , env = "x" })q");
  parses(R"q({app=~".+"})q");
  parses(R"q({app="a", app=~"a|b"})q");
  parses(R"q({app=`we"b`})q");
  parses(R"q({app="\x77\145\u0062"})q");
  parses(R"q({rate="x", sum="y", ip="z", bytes="q", vector="t", label_replace="l"})q");
  parses(R"q(({app="web"}))q");
  parses(R"q({app="web"} # trailing comment)q");
  parses(R"q({app="web"} |= "x # y")q");
  parses(R"q({app="web"} // c
| json)q");
  parses(R"q({app="web"} |= "error")q");
  parses(R"q({app="web"} != "debug")q");
  parses(R"q({app="web"} |~ "err(or)?")q");
  parses(R"q({app="web"} !~ "(?i)health")q");
  parses(R"q({app="web"}|="a"|="b"!="c")q");
  parses(R"q({app="web"} |= "a" or "b" or "c")q");
  parses(R"q({app="web"} != "a" or "b")q");
  parses(R"q({app="web"} |~ "a+" or "b+" |= "c")q");
  parses(R"q({app="web"} |= "")q");
  parses(R"q({app="web"} != "")q");
  parses(R"q({app="web"} |> "<_> level=error <_>")q");
  parses(R"q({app="web"} !> "<_>GET<_>" or "<_>HEAD<_>")q");
  parses(R"q({app="web"} |> "")q");
  parses(R"q({app="web"} |= ip("10.0.0.0/8"))q");
  parses(R"q({app="web"} != ip("10.0.0.1-10.0.0.9"))q");
  parses(R"q({app="web"} | json |= "x")q");
  parses(R"q({app="web"} |~ "(")q");
  parses(R"q({app="web"} !~ "*a")q");
  parses(R"q({app="web"} |~ ip("1.2.3.4"))q");
  parses(R"q({app="web"} |= ip("1.2.3"))q");
  parses(R"q({app="web"} |> "<name> x")q");
  parses(R"q({app="web"} |> "<_><_>")q");
  parses(R"q({app="web"} | json)q");
  parses(R"q({app="web"} | json status, path="request.url")q");
  parses(R"q({app="web"} | json first="items[0].id", ua="headers[\"User-Agent\"]")q");
  parses(R"q({app="web"} | json x="[0]")q");
  parses(R"q({app="web"} | logfmt)q");
  parses(R"q({app="web"} | logfmt --strict --keep-empty)q");
  parses(R"q({app="web"} | logfmt --strict lvl="level", msg)q");
  parses(R"q({app="web"} | regexp "(?P<method>[A-Z]+) (?P<path>[^ ]+)")q");
  parses(R"q({app="web"} | pattern "<ip> - <_> [<ts>] <rest>")q");
  parses(R"q({app="web"} | unpack)q");
  parses(R"q({app="web"} | json | line_format "{{.msg}}" | logfmt)q");
  parses(R"q({app="web"} | JSON | Line_Format "{{.a}}")q");
  parses(R"q({app="web"} | json a="b[")q");
  parses(R"q({app="web"} | json a="b..c")q");
  parses(R"q({app="web"} | json a="b-c")q");
  parses(R"q({app="web"} | logfmt a="1")q");
  parses(R"q({app="web"} | level="error")q");
  parses(R"q({app="web"} | json | status >= 500)q");
  parses(R"q({app="web"} | logfmt | took > 1m30s)q");
  parses(R"q({app="web"} | logfmt | size <= 1.5MiB)q");
  parses(R"q({app="web"} | json | status == 200)q");
}

TEST_CASE("queries that parse and print stably, 2") {
  parses(R"q({app="web"} | json | status = 200)q");
  parses(R"q({app="web"} | json | status = "200")q");
  parses(R"q({app="web"} | json | delta > -5)q");
  parses(R"q({app="web"} | logfmt | took >= 1w)q");
  parses(R"q({app="web"} | json | a="1" and b="2" or c="3")q");
  parses(R"q({app="web"} | json | a="1" or b="2" and c="3")q");
  parses(R"q({app="web"} | json | a="1" , b="2" or c="3")q");
  parses(R"q({app="web"} | json | a="1" b="2")q");
  parses(R"q({app="web"} | json | a="1" or b="2" , c="3")q");
  parses(R"q({app="web"} | json | a="1" and b="2" , c="3" or d="4")q");
  parses(R"q({app="web"} | json | (a="1" or b=2) and (c>3s, d<=4KB))q");
  parses(R"q({app="web"} | json | a="1" | b="2")q");
  parses(R"q({app="web"} | logfmt | addr = ip("192.168.0.0/16"))q");
  parses(R"q({app="web"} | logfmt | addr != ip("::1-::ff") or x="1")q");
  parses(R"q({app="web"} | json | __error__="")q");
  parses(R"q({app="web"} | json | __error__=~"JSON.+")q");
  parses(R"q({app="web"} | level=~"warn|error" !~ "noise")q");
  parses(R"q({app="web"} | a = ip("nope"))q");
  parses(R"q({app="web"} | json | line_format "{{.ts}} {{.msg | upper}}")q");
  parses(R"q({app="web"} | line_format `{{ __timestamp__ | unixEpoch }} {{ __line__ }}`)q");
  parses(R"q({app="web"} | json | label_format lvl=level)q");
  parses(R"q({app="web"} | json | label_format full="{{.a}}/{{.b}}", a="x")q");
  parses(R"q({app="web"} | decolorize)q");
  parses(R"q({app="web"} | json | drop a, b="x", c=~"y.*")q");
  parses(R"q({app="web"} | json | keep level, status="500")q");
  parses(R"q({app="web"} | json | drop __error__, __error_details__)q");
  parses(R"q({app="web"} | line_format "{{.a")q");
  parses(R"q({app="web"} | line_format "{{ nope .a }}")q");
  parses(R"q({app="web"} | label_format x="{{ nope .a }}")q");
  parses(R"q({app="web"} | label_format a=b,a="c")q");
  parses(R"q({app="web"} | label_format __error__=b)q");
  parses(R"q(rate({app="web"}[5m]))q");
  parses(R"q(count_over_time({app="web"} |= "x" | json [1h30m]))q");
  parses(R"q(bytes_over_time({app="web"} | line_format "{{.m}}" [1m]))q");
  parses(R"q(bytes_rate({app="web"}[1m]))q");
  parses(R"q(count_over_time({app="web"}[5m] |= "x" | json))q");
  parses(R"q(count_over_time(({app="web"} |= "x")[5m]))q");
  parses(R"q(count_over_time(({app="web"} |= "x" [5m])))q");
  parses(R"q(rate({app="web"}[5m] offset 1h))q");
  parses(R"q(rate({app="web"}[5m] offset -30m))q");
  parses(R"q(rate({app="web"}[5m] offset 1h | json))q");
  parses(R"q(rate({app="web"} | json [5m] offset 1w))q");
  parses(R"q(absent_over_time({app="web", env=~"p.*"}[5m]))q");
  parses(R"q(RATE({app="web"}[1w2d3h4m5s6ms]))q");
  parses(R"q(rate({app="web"}[0s]))q");
  parses(R"q(sum_over_time({app="web"} | logfmt | unwrap bytes_sent [5m]))q");
  parses(R"q(sum_over_time({app="web"} | json | unwrap duration(took) [5m]))q");
  parses(R"q(max_over_time({app="web"} | json | unwrap bytes(size) [5m]) by (host))q");
  parses(R"q(avg_over_time({app="web"} | json | unwrap v | __error__="" [5m]) without (pod))q");
  parses(R"q(quantile_over_time(0.99, {app="web"} | json | unwrap v [5m]) by (route))q");
  parses(R"q(first_over_time({app="web"} | json | unwrap v [5m]) by ())q");
  parses(R"q(rate({app="web"} | json | unwrap v [5m]))q");
  parses(R"q(rate_counter({app="web"} | json | unwrap v [5m]))q");
  parses(R"q(sum_over_time({app="web"}[5m] offset 1h | logfmt | unwrap v | v > 5))q");
  parses(R"q(stddev_over_time(({app="web"} | json | unwrap v)[5m]))q");
}

TEST_CASE("queries that parse and print stably, 3") {
  parses(R"q(absent_over_time({app="web"} | json | unwrap v [5m]))q");
  parses(R"q(sum(rate({app="web"}[5m])))q");
  parses(R"q(sum by (host) (rate({app="web"}[5m])))q");
  parses(R"q(sum(rate({app="web"}[5m])) by (host))q");
  parses(R"q(avg without (pod) (rate({app="web"}[5m])))q");
  parses(R"q(Count BY (a) (rate({app="web"}[5m])))q");
  parses(R"q(topk(3, rate({app="web"}[5m])))q");
  parses(R"q(bottomk by (zone) (2, rate({app="web"}[5m])))q");
  parses(R"q(topk(2, rate({app="web"}[5m])) without (pod))q");
  parses(R"q(sort_desc(sum by (a) (rate({app="web"}[5m]))))q");
  parses(R"q(max(min by (a) (rate({app="web"}[5m]))))q");
  parses(R"q(sum by () (rate({app="web"}[5m])))q");
  parses(R"q(sum without () (rate({app="web"}[5m])))q");
  parses("1 + 2 * 3");
  parses("2 ^ 3 ^ 2");
  parses("-2 ^ 2");
  parses("10 % 4");
  parses("1 / 0");
  parses("3 > 2");
  parses("1 == bool 2");
  parses(R"q(rate({app="a"}[5m]) / rate({app="b"}[5m]))q");
  parses(R"q(sum(rate({app="a"}[5m])) * 100)q");
  parses(R"q(100 * sum(rate({app="a"}[5m])))q");
  parses(R"q(rate({app="a"}[5m]) > 5)q");
  parses(R"q(5 < rate({app="a"}[5m]))q");
  parses(R"q(rate({app="a"}[5m]) > bool 5)q");
  parses(R"q(sum by (a)(rate({app="x"}[5m])) / on(a) sum by (a,b)(rate({app="y"}[5m])))q");
  parses(R"q(rate({app="a"}[5m]) * on(host) group_left(rack) rate({app="b"}[5m]))q");
  parses(R"q(rate({app="a"}[5m]) / ignoring(pod) group_right rate({app="b"}[5m]))q");
  parses(R"q(rate({app="a"}[5m]) and on(host) rate({app="b"}[5m]))q");
  parses(R"q(rate({app="a"}[5m]) or vector(0))q");
  parses(R"q(rate({app="a"}[5m]) unless rate({app="b"}[5m]))q");
  parses("vector(1) or vector(2) and vector(3)");
  parses("vector(1) == vector(2) + vector(3)");
  parses(R"q(label_replace(rate({app="a"}[5m]), "svc", "$1", "host", "(.*)-[0-9]+"))q");
  parses("vector(1.5)");
  parses(R"q({app="x"} | logfmt a="")q");
  parses(R"q({app="x"} |= ip("nope"))q");
  parses(R"q({app="x"} |~ ip("1.2.3.4"))q");
  parses(R"q({app="x"} !~ ip("1.2.3.4"))q");
  parses(R"q({app="x"} | a = ip("999.1.1.1"))q");
  parses(R"q({app="x"} |~ "(")q");
  parses(R"q({app="x"} |~ "a{2,1}")q");
  parses(R"q({app="x"} !~ "[z-a]")q");
  parses(R"q({app="x"} |~ "\\")q");
  parses(R"q({app="x"} # comment |= "y)q");
  parses(R"q({app="x"} | json a="b[")q");
  parses(R"q({app="x"} | json a="b.[0]")q");
  parses(R"q({app="x"} | json a="[x]")q");
  parses(R"q({app="x"} | json a="b..c")q");
  parses(R"q({app="x"} | json a="b[-1]")q");
  parses(R"q(count_over_time({app="x"}[5m] | json))q");
  parses("sort(1)");
  parses(R"q(variants(rate({app="x"}[5m])) of ({app="x"}[5m]))q");
  parses(R"q({app="x"} !> "a")q");
}

TEST_CASE("queries that parse and print stably, 4") {
  parses(R"q({app=~".*", env!=""})q");
  parses(R"q(rate({app="x"}[5m]) and on (a) group_left rate({app="x"}[5m]))q");
  parses(R"q(rate({app="x"}[5m]) or on (a) group_right () rate({app="x"}[5m]))q");
  parses(R"q(rate({app="x"}[5m]) + on (a) group_left (a) rate({app="x"}[5m]))q");
  parses(R"q(rate({app="x"}[5m]) == on (a) group_left 5)q");
  parses("1 + on (a) 2");
  parses(R"q(label_replace(rate({app="x"}[5m]), "", "$1", "b", ""))q");
  parses(R"q({app="x"} | label_format __error__="x")q");
  parses(R"q({app="x"} | label_format a="1", a="2")q");
  parses(R"q({app="x"} | line_format "{{")q");
  parses(R"q({app="x"} | label_format a="{{.b | nope}}")q");
  parses(R"q({app="x"} | pattern "<a>")q");
  parses(R"q({app="x"} | json a="b.c[")q");
  parses(R"q({app="x"} | logfmt a="b.c")q");
  parses(R"q({app="x"} |= ip("1.2.3.4/99"))q");
  parses(R"q({app="x"} |= ip("5.0.0.0-4.0.0.0"))q");
  parses(R"q({app="x"} | a = ip("1.2.3.4-"))q");
  parses(R"q({app="x"} | a != ip("x"))q");
  parses(R"q(rate({app="x"}[0s]))q");
  parses(R"q(rate({app="x"}[0m]))q");
  parses(R"q({app="x"} |> "")q");
  parses(R"q({app="x"} | json | __error__ > 5)q");
  parses(R"q({app="x"})q");
  parses(R"q({app="x"} | json)q");
  parses(R"q(({app="x"}))q");
  parses(R"q({app="x"} |= "y")q");
  parses(R"q(max_over_time({app="worker", queue="mail"} | logfmt | unwrap duration(took) [10m]))q");
  parses(
      R"q(sum by (rack, az) (count_over_time({app="fleet"}[10m])) + on (rack) sum by (rack) (count_over_time({app="fleet"}[10m])))q");
  parses(R"q(count_over_time({app="weird", kind="badjson"} != "mine" | json [1h]))q");
  parses(R"q(sum(count_over_time({app="worker", queue="mail"} | logfmt | took > 1s [1h])))q");
  parses(R"q(sum(sum_over_time({app="worker"} | logfmt | unwrap bytes(size) [1h])))q");
}

TEST_CASE("selectors must select something, 1") {
  fails(R"q({app=""})q", kSelectorRule);
  fails(R"q({app!="web"})q", kSelectorRule);
  fails(R"q({app=~".*"})q", kSelectorRule);
  fails(R"q({app=~"a|"})q", kSelectorRule);
  fails(R"q(rate({app!="web"}[5m]))q", kSelectorRule);
  fails(R"q(rate({app="a"}[5m]) + rate({app!="b"}[5m]))q", kSelectorRule);
  fails(R"q({app!="x"})q", kSelectorRule);
  fails(R"q({app!~"x"})q", kSelectorRule);
  fails(R"q({app=~""})q", kSelectorRule);
  fails(R"q({app=~"x|"})q", kSelectorRule);
  fails(R"q({app!="x", env!~"y"})q", kSelectorRule);
  fails(R"q(rate({app=~".*"}[5m]))q", kSelectorRule);
  fails(R"q(sum(rate({app!="x"}[5m])))q", kSelectorRule);
  fails(R"q(rate({app="x"}[5m]) + rate({app=~".*"}[5m]))q", kSelectorRule);
}

TEST_CASE("syntax and semantic errors, 1") {
  fails(R"q({app="web")q",
        "parse error at line 1, col 11: syntax error: unexpected $end, expecting } or ,");
  fails(R"q({app="web",})q",
        "parse error at line 1, col 12: syntax error: unexpected }, expecting IDENTIFIER");
  fails(R"q({app="web" env="x"})q",
        "parse error at line 1, col 12: syntax error: unexpected IDENTIFIER, expecting } or ,");
  fails(R"q({app=="web"})q",
        "parse error at line 0, col 5: syntax error: unexpected ==, expecting = or =~ or !~ or !=");
  fails("{app='web'}",
        "parse error at line 1, col 6: invalid char literal");
  fails("{app='w'}",
        "parse error at line 1, col 6: syntax error: unexpected IDENTIFIER, expecting STRING");
  fails(R"q({"app"="web"})q",
        "parse error at line 1, col 2: syntax error: unexpected STRING, expecting IDENTIFIER or }");
  fails(R"q({k8s.pod="x"})q",
        "parse error at line 1, col 5: syntax error: unexpected ., expecting = or =~ or !~ or !=");
  fails(R"q({json="x"})q",
        "parse error at line 1, col 2: syntax error: unexpected json, expecting IDENTIFIER or }");
  fails(R"q({of="x"})q",
        "parse error at line 1, col 2: syntax error: unexpected of, expecting IDENTIFIER or }");
  fails(R"q({app=~"["})q",
        "parse error : error parsing regexp: missing closing ]: `[`");
  fails(R"q({app="web"} {app="db"})q",
        "parse error at line 1, col 13: syntax error: unexpected {");
  fails(R"q(({app="web"}) |= "x")q",
        "parse error at line 0, col 15: syntax error: unexpected |=");
  fails(R"q({app="web"} |= "a
b")q",
        "parse error at line 1, col 16: literal not terminated");
  fails(R"q({app="web"} |= "\q")q",
        "parse error at line 1, col 16: invalid char escape");
  fails("",
        "parse error : syntax error: unexpected $end");
  fails("# nothing",
        "parse error at line 1, col 10: syntax error: unexpected $end");
  fails(R"q({app="web"} |=)q",
        "parse error at line 1, col 15: syntax error: unexpected $end, expecting STRING or ip");
  fails(R"q({app="web"} |= error)q",
        "parse error at line 1, col 16: syntax error: unexpected IDENTIFIER, expecting STRING or ip");
  fails(R"q({app="web"} |= ("a"))q",
        "parse error at line 1, col 16: syntax error: unexpected (, expecting STRING or ip");
  fails(R"q({app="web"} |= "a" or |= "b")q",
        "parse error at line 0, col 23: syntax error: unexpected |=, expecting STRING or ip");
  fails(R"q({app="web"} |= "a" and "b")q",
        "parse error at line 1, col 24: syntax error: unexpected STRING");
  fails(R"q({app="web"} | |= "a")q",
        "parse error at line 0, col 15: syntax error: unexpected |=");
  fails(R"q({app="web"} == "a")q",
        "parse error at line 1, col 16: syntax error: unexpected STRING");
  fails(R"q({app="web"} "a")q",
        "parse error at line 1, col 13: syntax error: unexpected STRING");
  fails(R"q({app="web"} or "a")q",
        "parse error at line 1, col 16: syntax error: unexpected STRING");
  fails(R"q({app="web"} |)q",
        "parse error at line 1, col 14: syntax error: unexpected $end");
  fails(R"q({app="web"} | json "a")q",
        "parse error at line 1, col 20: syntax error: unexpected STRING");
  fails(R"q({app="web"} | json a=b)q",
        "parse error at line 1, col 22: syntax error: unexpected IDENTIFIER, expecting STRING");
  fails(R"q({app="web"} | json a,)q",
        "parse error at line 1, col 22: syntax error: unexpected $end, expecting IDENTIFIER");
  fails(R"q({app="web"} | logfmt a --strict)q",
        "parse error at line 0, col 24: syntax error: unexpected FUNCTION_FLAG");
  fails(R"q({app="web"} | logfmt --Strict)q",
        "parse error at line 1, col 24: syntax error: unexpected IDENTIFIER, expecting NUMBER");
  fails(R"q({app="web"} | regexp "abc")q",
        "parse error : invalid regexp parser: at least one named capture must be supplied");
  fails(R"q({app="web"} | regexp "(?P<a>x)(?P<a>y)")q",
        "parse error : invalid regexp parser: duplicate extracted label name 'a'");
  fails(R"q({app="web"} | regexp "(")q",
        "parse error : invalid regexp parser: error parsing regexp: missing closing ): `(`");
  fails(R"q({app="web"} | pattern "abc")q",
        "parse error : invalid pattern parser: at least one capture is required");
  fails(R"q({app="web"} | pattern "<_>")q",
        "parse error : invalid pattern parser: at least one capture is required");
  fails(R"q({app="web"} | pattern "<a><b>")q",
        "parse error : invalid pattern parser: found consecutive capture '<a><b>': invalid expression");
  fails(R"q({app="web"} | pattern "<a> <a>")q",
        "parse error : invalid pattern parser: duplicate capture name (a): invalid expression");
  fails(R"q({app="web"} | pattern "")q",
        "parse error : invalid pattern parser: parse error at line 1, col 1: syntax error: unexpected $end, expecting "
        "IDENTIFIER or LITERAL");
  fails(R"q({app="web"} | unpack x)q",
        "parse error at line 1, col 22: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="web"} | foo)q",
        "parse error at line 1, col 18: syntax error: unexpected $end");
  fails(R"q({app="web"} | distinct id)q",
        "parse error at line 1, col 24: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="web"} | status >)q",
        "parse error at line 1, col 23: syntax error: unexpected $end");
  fails(R"q({app="web"} | status > "5")q",
        "parse error at line 1, col 24: syntax error: unexpected STRING");
  fails(R"q({app="web"} | status == "5")q",
        "parse error at line 1, col 25: syntax error: unexpected STRING");
  fails(R"q({app="web"} | a > b)q",
        "parse error at line 1, col 19: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="web"} | 5 < a)q",
        "parse error at line 1, col 15: syntax error: unexpected NUMBER");
  fails(R"q({app="web"} | not a="1")q",
        "parse error at line 1, col 19: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="web"} | a="1" and)q",
        "parse error at line 1, col 24: syntax error: unexpected $end, expecting IDENTIFIER or (");
  fails(R"q({app="web"} | took > 1.5d)q",
        "parse error at line 1, col 26: syntax error: unexpected $end");
  fails(R"q({app="web"} | size > 5kb)q",
        "parse error at line 1, col 25: syntax error: unexpected $end");
  fails(R"q({app="web"} | size > 5EB)q",
        "parse error at line 1, col 22: exponent has no digits");
  fails(R"q({app="web"} | a > 08)q",
        "parse error at line 1, col 19: invalid digit '8' in octal literal");
  fails(R"q({app="web"} | a == ip("1.1.1.1"))q",
        "parse error at line 1, col 20: syntax error: unexpected ip");
}

TEST_CASE("syntax and semantic errors, 2") {
  fails(R"q({app="web"} | a=~"(")q",
        "parse error : error parsing regexp: missing closing ): `(`");
  fails(R"q({app="web"} | line_format)q",
        "parse error at line 1, col 26: syntax error: unexpected $end, expecting STRING");
  fails(R"q({app="web"} | line_format '{{.x}}')q",
        "parse error at line 1, col 27: invalid char literal");
  fails(R"q({app="web"} | line_format {{.x}})q",
        "parse error at line 1, col 27: syntax error: unexpected {, expecting STRING");
  fails(R"q({app="web"} | label_format a=)q",
        "parse error at line 1, col 30: syntax error: unexpected $end, expecting IDENTIFIER or STRING");
  fails(R"q({app="web"} | label_format a=b,)q",
        "parse error at line 1, col 32: syntax error: unexpected $end, expecting IDENTIFIER");
  fails(R"q({app="web"} | label_format "a"="b")q",
        "parse error at line 1, col 28: syntax error: unexpected STRING, expecting IDENTIFIER");
  fails(R"q({app="web"} | drop)q",
        "parse error at line 1, col 19: syntax error: unexpected $end, expecting IDENTIFIER");
  fails(R"q({app="web"} | drop a=b)q",
        "parse error at line 1, col 22: syntax error: unexpected IDENTIFIER, expecting STRING");
  fails(R"q({app="web"} | decolorize x)q",
        "parse error at line 1, col 26: syntax error: unexpected IDENTIFIER");
  fails(R"q(rate({app="web"}))q",
        "parse error at line 1, col 17: syntax error: unexpected )");
  fails(R"q(rate({app="web"}[5]))q",
        R"q(parse error at line 0, col 17: not a valid duration string: "5")q");
  fails(R"q(rate({app="web"}[ 5m]))q",
        R"q(parse error at line 0, col 17: not a valid duration string: " 5m")q");
  fails(R"q(rate({app="web"}[1.5h]))q",
        R"q(parse error at line 0, col 17: unknown unit "." in duration "1.5h")q");
  fails(R"q(rate({app="web"}[1m1h]))q",
        R"q(parse error at line 0, col 17: not a valid duration string: "1m1h")q");
  fails(R"q(rate({app="web"}[5us]))q",
        R"q(parse error at line 0, col 17: unknown unit "us" in duration "5us")q");
  fails(R"q(rate({app="web"}[]))q",
        "parse error at line 0, col 17: empty duration string");
  fails(R"q(rate({app="web"}[5m)q",
        "parse error at line 0, col 17: missing closing ']' in duration");
  fails(R"q(rate({app="web"}[5m:1m]))q",
        R"q(parse error at line 0, col 17: unknown unit "m:" in duration "5m:1m")q");
  fails(R"q(rate({app="web"}[5m]) offset 1m)q",
        "parse error at line 1, col 23: syntax error: unexpected offset");
  fails(R"q(rate({app="web"} offset 1m [5m]))q",
        "parse error at line 1, col 18: syntax error: unexpected offset");
  fails(R"q(rate({app="web"}[5m] offset 5))q",
        "parse error at line 1, col 29: syntax error: unexpected NUMBER, expecting DURATION");
  fails(R"q(rate({app="web"}[5m] offset -1d))q",
        "parse error at line 1, col 29: syntax error: unexpected -, expecting DURATION");
  fails(R"q(rate({app="web"} | json [5m] | logfmt))q",
        "parse error at line 1, col 30: syntax error: unexpected |, expecting )");
  fails(R"q(rate(({app="web"})[5m] | json))q",
        "parse error at line 1, col 26: syntax error: unexpected json, expecting unwrap");
  fails(R"q(rate({app="web"}[5m]) by (a))q",
        "parse error : grouping not allowed for rate aggregation");
  fails(R"q(absent_over_time({app="web"}[5m]) by (a))q",
        "parse error : grouping not allowed for absent_over_time aggregation");
  fails(R"q(rate(2, {app="web"}[5m]))q",
        "parse error : parameter 2 not supported for operation rate");
  fails(R"q(rate(sum({app="web"}[5m])))q",
        "parse error at line 1, col 6: syntax error: unexpected SUM, expecting NUMBER or { or (");
  fails(R"q(rate {app="web"}[5m])q",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails(R"q(increase({app="web"}[5m]))q",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="web"}[5m])q",
        "parse error at line 0, col 12: syntax error: unexpected RANGE");
  fails(R"q(sum_over_time({app="web"}[5m]))q",
        "parse error : invalid aggregation sum_over_time without unwrap");
  fails(R"q(avg_over_time({app="web"} | json [5m]))q",
        "parse error : invalid aggregation avg_over_time without unwrap");
  fails(R"q(count_over_time({app="web"} | unwrap v [5m]))q",
        "parse error : invalid aggregation count_over_time with unwrap");
  fails(R"q(sum_over_time({app="web"} | unwrap v [5m]) by (a))q",
        "parse error : grouping not allowed for sum_over_time aggregation");
  fails(R"q(rate_counter({app="web"} | unwrap v [5m]) by (a))q",
        "parse error : grouping not allowed for rate_counter aggregation");
  fails(R"q(quantile_over_time({app="web"} | unwrap v [5m]))q",
        "parse error : parameter required for operation quantile_over_time");
  fails(R"q(quantile_over_time(0.5, {app="web"}[5m]))q",
        "parse error : invalid aggregation quantile_over_time without unwrap");
  fails(R"q(quantile_over_time(-1, {app="web"} | unwrap v [5m]))q",
        "parse error at line 1, col 20: syntax error: unexpected -, expecting NUMBER or { or (");
  fails(R"q(sum_over_time({app="web"} | unwrap v))q",
        "parse error at line 1, col 37: syntax error: unexpected ), expecting RANGE or |");
  fails(R"q(sum_over_time({app="web"} | unwrap v | json [5m]))q",
        "parse error at line 1, col 40: syntax error: unexpected json, expecting IDENTIFIER or (");
  fails(R"q(sum_over_time({app="web"} | unwrap v |= "x" [5m]))q",
        "parse error at line 0, col 38: syntax error: unexpected |=, expecting RANGE or |");
  fails(R"q(sum_over_time({app="web"} | unwrap foo(v) [5m]))q",
        "parse error at line 1, col 39: syntax error: unexpected (, expecting RANGE or |");
  fails(R"q(sum_over_time({app="web"} | unwrap [5m]))q",
        "parse error at line 0, col 36: syntax error: unexpected RANGE, expecting IDENTIFIER or BYTES_CONV or "
        "DURATION_CONV or DURATION_SECONDS_CONV");
  fails(R"q({app="web"} | unwrap v)q",
        "parse error at line 1, col 15: syntax error: unexpected unwrap");
  fails(R"q(sum({app="web"}))q",
        "parse error at line 1, col 16: syntax error: unexpected )");
  fails(R"q(sum by (a) (rate({app="web"}[5m])) by (b))q",
        "parse error at line 1, col 36: syntax error: unexpected by");
  fails(R"q(sum by a (rate({app="web"}[5m])))q",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails(R"q(sum by ("a") (rate({app="web"}[5m])))q",
        "parse error at line 1, col 9: syntax error: unexpected STRING, expecting IDENTIFIER or )");
  fails(R"q(sum(rate({app="web"}[5m]) by (a)))q",
        "parse error : grouping not allowed for rate aggregation");
  fails(R"q(sum(2, rate({app="web"}[5m])))q",
        "parse error : unsupported parameter for operation sum(2,");
  fails(R"q(topk(rate({app="web"}[5m])))q",
        "parse error : parameter required for operation topk");
  fails(R"q(topk(0, rate({app="web"}[5m])))q",
        "parse error : invalid parameter (must be greater than 0) topk(0");
  fails(R"q(topk(1.5, rate({app="web"}[5m])))q",
        "parse error : invalid parameter topk(1.5,");
}

TEST_CASE("syntax and semantic errors, 3") {
  fails(R"q(topk(-1, rate({app="web"}[5m])))q",
        "parse error at line 1, col 8: syntax error: unexpected ,");
  fails(R"q(sort by (a) (rate({app="web"}[5m])))q",
        "parse error : sort and sort_desc doesn't allow grouping by");
  fails(R"q(approx_topk(2, rate({app="web"}[5m])) by (a))q",
        "parse error : grouping not allowed for approx_topk aggregation");
  fails(R"q(count_values("a", rate({app="web"}[5m])))q",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="a"} + 1)q",
        "parse error : unexpected type for left leg of binary operation (+): *syntax.MatchersExpr");
  fails(R"q(1 + {app="a"})q",
        "parse error : unexpected type for right leg of binary operation (+): *syntax.MatchersExpr");
  fails(R"q({app="a"} and {app="b"})q",
        "parse error : unexpected type for left leg of binary operation (and): *syntax.MatchersExpr");
  fails("1 and vector(1)",
        "parse error : unexpected literal for left leg of logical/set binary operation (and): 1.000000");
  fails("vector(1) or 2",
        "parse error : unexpected literal for right leg of logical/set binary operation (or): 2.000000");
  fails(R"q(rate({app="a"}[5m]) +)q",
        "parse error at line 1, col 22: syntax error: unexpected $end");
  fails(R"q(-rate({app="a"}[5m]))q",
        "parse error at line 1, col 2: syntax error: unexpected RATE, expecting NUMBER");
  fails(R"q(rate({app="a"}[5m]) = 1)q",
        "parse error at line 1, col 21: syntax error: unexpected =");
  fails(R"q(rate({app="a"}[5m]) on(a) rate({app="b"}[5m]))q",
        "parse error at line 1, col 21: syntax error: unexpected on");
  fails(R"q(rate({app="a"}[5m]) > on(a) bool rate({app="b"}[5m]))q",
        "parse error at line 1, col 29: syntax error: unexpected bool");
  fails(R"q(rate({app="a"}[5m]) * group_left rate({app="b"}[5m]))q",
        "parse error at line 1, col 23: syntax error: unexpected group_left");
  fails(R"q(rate({app="a"}[5m]) * on(a) group_left (rate({app="b"}[5m])))q",
        "parse error at line 1, col 41: syntax error: unexpected RATE, expecting IDENTIFIER or )");
  fails(R"q(vector("1"))q",
        "parse error at line 1, col 8: syntax error: unexpected STRING, expecting NUMBER");
  fails("vector(-1)",
        "parse error at line 1, col 8: syntax error: unexpected -, expecting NUMBER");
  fails("vector(0x10)",
        R"q(parse error : unable to parse vectorExpr as a float: strconv.ParseFloat: parsing "0x10": invalid syntax)q");
  fails(R"q(label_replace(rate({app="a"}[5m]), "a", "b", "c"))q",
        "parse error at line 1, col 49: syntax error: unexpected ), expecting ,");
  fails(R"q(label_replace(rate({app="a"}[5m]), "a", "b", "c", "("))q",
        "parse error : invalid regex in label_replace: error parsing regexp: missing closing ): `^(?:()$`");
  fails(R"q(label_replace({app="a"}, "a", "b", "c", "d"))q",
        "parse error at line 1, col 24: syntax error: unexpected ,");
  fails("3m",
        "parse error at line 0, col 1: syntax error: unexpected DURATION");
  fails("foo",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails("time()",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails(" ",
        "parse error at line 1, col 2: syntax error: unexpected $end");
  fails("{",
        "parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }");
  fails("}",
        "parse error at line 1, col 1: syntax error: unexpected }");
  fails("{app}",
        "parse error at line 1, col 5: syntax error: unexpected }, expecting = or =~ or !~ or !=");
  fails("{app=}",
        "parse error at line 1, col 6: syntax error: unexpected }, expecting STRING");
  fails(R"q({app="x")q",
        "parse error at line 1, col 9: syntax error: unexpected $end, expecting } or ,");
  fails(R"q({app="x})q",
        "parse error at line 1, col 6: literal not terminated");
  fails("{app=x}",
        "parse error at line 1, col 6: syntax error: unexpected IDENTIFIER, expecting STRING");
  fails("{app='x'}",
        "parse error at line 1, col 6: syntax error: unexpected IDENTIFIER, expecting STRING");
  fails(R"q({app=="x"})q",
        "parse error at line 0, col 5: syntax error: unexpected ==, expecting = or =~ or !~ or !=");
  fails(R"q({app="x",})q",
        "parse error at line 1, col 10: syntax error: unexpected }, expecting IDENTIFIER");
  fails(R"q({,app="x"})q",
        "parse error at line 1, col 2: syntax error: unexpected ,, expecting IDENTIFIER or }");
  fails(R"q({app="x" env="y"})q",
        "parse error at line 1, col 10: syntax error: unexpected IDENTIFIER, expecting } or ,");
  fails(R"q({app="x"}})q",
        "parse error at line 1, col 10: syntax error: unexpected }");
  fails(R"q({{app="x"}})q",
        "parse error at line 1, col 2: syntax error: unexpected {, expecting IDENTIFIER or }");
  fails(R"q({"app"="x"})q",
        "parse error at line 1, col 2: syntax error: unexpected STRING, expecting IDENTIFIER or }");
  fails(R"q({app="x"} |)q",
        "parse error at line 1, col 12: syntax error: unexpected $end");
  fails(R"q({app="x"} | |)q",
        "parse error at line 1, col 13: syntax error: unexpected |");
  fails(R"q({app="x"} |= )q",
        "parse error at line 1, col 14: syntax error: unexpected $end, expecting STRING or ip");
  fails(R"q({app="x"} |= x)q",
        "parse error at line 1, col 14: syntax error: unexpected IDENTIFIER, expecting STRING or ip");
  fails(R"q({app="x"} |= 5)q",
        "parse error at line 1, col 14: syntax error: unexpected NUMBER, expecting STRING or ip");
  fails(R"q({app="x"} "foo")q",
        "parse error at line 1, col 11: syntax error: unexpected STRING");
  fails(R"q({app="x"} foo)q",
        "parse error at line 1, col 11: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="x"} =~ "y")q",
        "parse error at line 0, col 11: syntax error: unexpected =~");
  fails(R"q({app="x"} |! "y")q",
        "parse error at line 1, col 14: syntax error: unexpected STRING");
  fails(R"q({app="x"} || json)q",
        "parse error at line 1, col 12: syntax error: unexpected |");
  fails(R"q({app="x"} | jsonx)q",
        "parse error at line 1, col 18: syntax error: unexpected $end");
  fails(R"q({app="x"} | json |)q",
        "parse error at line 1, col 19: syntax error: unexpected $end");
  fails(R"q({app="x"} | json a=)q",
        "parse error at line 1, col 20: syntax error: unexpected $end, expecting STRING");
  fails(R"q({app="x"} | json a="b" c="d")q",
        "parse error at line 1, col 24: syntax error: unexpected IDENTIFIER");
}

TEST_CASE("syntax and semantic errors, 4") {
  fails(R"q({app="x"} | json a=b)q",
        "parse error at line 1, col 20: syntax error: unexpected IDENTIFIER, expecting STRING");
  fails(R"q({app="x"} | json "a")q",
        "parse error at line 1, col 18: syntax error: unexpected STRING");
  fails(R"q({app="x"} | logfmt --nope)q",
        "parse error at line 1, col 22: syntax error: unexpected IDENTIFIER, expecting NUMBER");
  fails(R"q({app="x"} | logfmt -strict)q",
        "parse error at line 1, col 21: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="x"} | regexp)q",
        "parse error at line 1, col 19: syntax error: unexpected $end, expecting STRING");
  fails(R"q({app="x"} | regexp x)q",
        "parse error at line 1, col 20: syntax error: unexpected IDENTIFIER, expecting STRING");
  fails(R"q({app="x"} | pattern)q",
        "parse error at line 1, col 20: syntax error: unexpected $end, expecting STRING");
  fails(R"q({app="x"} | unpack x)q",
        "parse error at line 1, col 20: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="x"} | line_format)q",
        "parse error at line 1, col 24: syntax error: unexpected $end, expecting STRING");
  fails(R"q({app="x"} | line_format x)q",
        "parse error at line 1, col 25: syntax error: unexpected IDENTIFIER, expecting STRING");
  fails(R"q({app="x"} | label_format)q",
        "parse error at line 1, col 25: syntax error: unexpected $end, expecting IDENTIFIER");
  fails(R"q({app="x"} | label_format a)q",
        "parse error at line 1, col 27: syntax error: unexpected $end, expecting =");
  fails(R"q({app="x"} | label_format a=)q",
        "parse error at line 1, col 28: syntax error: unexpected $end, expecting IDENTIFIER or STRING");
  fails(R"q({app="x"} | label_format a="b" c="d")q",
        "parse error at line 1, col 32: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="x"} | label_format a="b",)q",
        "parse error at line 1, col 32: syntax error: unexpected $end, expecting IDENTIFIER");
  fails(R"q({app="x"} | drop)q",
        "parse error at line 1, col 17: syntax error: unexpected $end, expecting IDENTIFIER");
  fails(R"q({app="x"} | drop "a")q",
        "parse error at line 1, col 18: syntax error: unexpected STRING, expecting IDENTIFIER");
  fails(R"q({app="x"} | keep)q",
        "parse error at line 1, col 17: syntax error: unexpected $end, expecting IDENTIFIER");
  fails(R"q({app="x"} | keep a b)q",
        "parse error at line 1, col 20: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="x"} | decolorize x)q",
        "parse error at line 1, col 24: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="x"} | unwrap a)q",
        "parse error at line 1, col 13: syntax error: unexpected unwrap");
  fails(R"q({app="x"} | a)q",
        "parse error at line 1, col 14: syntax error: unexpected $end");
  fails(R"q({app="x"} | a >)q",
        "parse error at line 1, col 16: syntax error: unexpected $end");
  fails(R"q({app="x"} | a > b)q",
        "parse error at line 1, col 17: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="x"} | a > "5")q",
        "parse error at line 1, col 17: syntax error: unexpected STRING");
  fails(R"q({app="x"} | a =~ 5)q",
        "parse error at line 1, col 18: syntax error: unexpected NUMBER, expecting STRING");
  fails(R"q({app="x"} | a > 5x)q",
        "parse error at line 1, col 19: syntax error: unexpected $end");
  fails(R"q({app="x"} | a = 5m3)q",
        "parse error at line 1, col 20: syntax error: unexpected $end");
  fails(R"q({app="x"} | a > 1s and)q",
        "parse error at line 1, col 23: syntax error: unexpected $end, expecting IDENTIFIER or (");
  fails(R"q({app="x"} | and a > 1)q",
        "parse error at line 1, col 13: syntax error: unexpected and");
  fails(R"q({app="x"} | (a > 1)q",
        "parse error at line 1, col 19: syntax error: unexpected $end");
  fails(R"q({app="x"} | a > 1))q",
        "parse error at line 1, col 18: syntax error: unexpected )");
  fails(R"q({app="x"} | a > 1 or)q",
        "parse error at line 1, col 21: syntax error: unexpected $end, expecting IDENTIFIER or (");
  fails(R"q({app="x"} | a =~ "(")q",
        "parse error : error parsing regexp: missing closing ): `(`");
  fails(R"q({app="x"} | a == "x")q",
        "parse error at line 1, col 18: syntax error: unexpected STRING");
  fails(R"q({app="x"} | a = ip(1))q",
        "parse error at line 1, col 20: syntax error: unexpected NUMBER, expecting STRING");
  fails(R"q({app="x"} | a = ip("1.2.3.4")q",
        "parse error at line 1, col 29: syntax error: unexpected $end, expecting )");
  fails(R"q({app="x"} | a > ip("1.2.3.4"))q",
        "parse error at line 1, col 17: syntax error: unexpected ip");
  fails(R"q({app="x"} |= ip())q",
        "parse error at line 1, col 17: syntax error: unexpected ), expecting STRING");
  fails(R"q({app="x"} |= "\q")q",
        "parse error at line 1, col 14: invalid char escape");
  fails(R"q({app="x"} |= "unterminated)q",
        "parse error at line 1, col 14: literal not terminated");
  fails(R"q({app="x"} |= `unterminated)q",
        "parse error at line 1, col 14: literal not terminated");
  fails(R"q({app=~"("})q",
        "parse error : error parsing regexp: missing closing ): `(`");
  fails(R"q({app=~"*"})q",
        "parse error : error parsing regexp: missing argument to repetition operator: `*`");
  fails(R"q({app!~"[x"})q",
        "parse error : error parsing regexp: missing closing ]: `[x`");
  fails(R"q({app="\x"})q",
        "parse error at line 1, col 6: invalid char escape");
  fails("#only a comment",
        "parse error at line 1, col 16: syntax error: unexpected $end");
  fails(R"q({app="x"} | json 1a="b")q",
        "parse error at line 1, col 18: syntax error: unexpected NUMBER");
  fails("rate",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails("rate(",
        "parse error at line 1, col 6: syntax error: unexpected $end, expecting NUMBER or { or (");
  fails("rate()",
        "parse error at line 1, col 6: syntax error: unexpected ), expecting NUMBER or { or (");
  fails(R"q(rate({app="x"}))q",
        "parse error at line 1, col 15: syntax error: unexpected )");
  fails(R"q(rate({app="x"}[5m])q",
        "parse error at line 1, col 19: syntax error: unexpected $end, expecting )");
  fails(R"q(rate({app="x"}[5m])))q",
        "parse error at line 1, col 20: syntax error: unexpected )");
  fails(R"q(rate({app="x"}[]))q",
        "parse error at line 0, col 15: empty duration string");
}

TEST_CASE("syntax and semantic errors, 5") {
  fails(R"q(rate({app="x"}[5]))q",
        R"q(parse error at line 0, col 15: not a valid duration string: "5")q");
  fails(R"q(rate({app="x"}[5 m]))q",
        R"q(parse error at line 0, col 15: unknown unit " m" in duration "5 m")q");
  fails(R"q(rate({app="x"}[5minutes]))q",
        R"q(parse error at line 0, col 15: unknown unit "minutes" in duration "5minutes")q");
  fails(R"q(rate({app="x"}[m5]))q",
        R"q(parse error at line 0, col 15: not a valid duration string: "m5")q");
  fails(R"q(rate({app="x"}[-5m]))q",
        R"q(parse error at line 0, col 15: not a valid duration string: "-5m")q");
  fails(R"q(rate({app="x"}[5m) )q",
        "parse error at line 0, col 15: missing closing ']' in duration");
  fails(R"q(rate({app="x"} [5m] [5m]))q",
        "parse error at line 0, col 21: syntax error: unexpected RANGE, expecting )");
  fails(R"q(rate[5m]({app="x"}))q",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails(R"q(rate({app="x"}[5m]) by)q",
        "parse error at line 1, col 23: syntax error: unexpected $end, expecting (");
  fails(R"q(rate({app="x"}[5m] offset))q",
        "parse error at line 1, col 26: syntax error: unexpected ), expecting DURATION");
  fails(R"q(rate({app="x"}[5m] offset 5))q",
        "parse error at line 1, col 27: syntax error: unexpected NUMBER, expecting DURATION");
  fails(R"q(rate({app="x"} offset 5m [5m]))q",
        "parse error at line 1, col 16: syntax error: unexpected offset");
  fails(R"q(rate({app="x"}[5m]) offset 5m)q",
        "parse error at line 1, col 21: syntax error: unexpected offset");
  fails(R"q(count_over_time({app="x"} | unwrap [5m]))q",
        "parse error at line 0, col 36: syntax error: unexpected RANGE, expecting IDENTIFIER or BYTES_CONV or "
        "DURATION_CONV or DURATION_SECONDS_CONV");
  fails(R"q(unknown_fn({app="x"}[5m]))q",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails(R"q(increase({app="x"}[5m]))q",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails("sum",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails("sum(",
        "parse error at line 1, col 5: syntax error: unexpected $end");
  fails("sum()",
        "parse error at line 1, col 5: syntax error: unexpected )");
  fails(R"q(sum({app="x"}))q",
        "parse error at line 1, col 14: syntax error: unexpected )");
  fails(R"q(sum({app="x"}[5m]))q",
        "parse error at line 0, col 14: syntax error: unexpected RANGE");
  fails(R"q(sum by app (rate({app="x"}[5m])))q",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails(R"q(sum by ("app") (rate({app="x"}[5m])))q",
        "parse error at line 1, col 9: syntax error: unexpected STRING, expecting IDENTIFIER or )");
  fails(R"q(sum by (app) rate({app="x"}[5m]))q",
        "parse error at line 1, col 14: syntax error: unexpected RATE, expecting (");
  fails(R"q(sum(rate({app="x"}[5m])) by (app) by (env))q",
        "parse error at line 1, col 35: syntax error: unexpected by");
  fails(R"q(sum by (app) (rate({app="x"}[5m])) by (env))q",
        "parse error at line 1, col 36: syntax error: unexpected by");
  fails(R"q(topk(rate({app="x"}[5m])))q",
        "parse error : parameter required for operation topk");
  fails(R"q(topk(a, rate({app="x"}[5m])))q",
        "parse error at line 1, col 6: syntax error: unexpected IDENTIFIER");
  fails(R"q(topk("1", rate({app="x"}[5m])))q",
        "parse error at line 1, col 6: syntax error: unexpected STRING");
  fails(R"q(topk(1.5, rate({app="x"}[5m])))q",
        "parse error : invalid parameter topk(1.5,");
  fails(R"q(quantile_over_time({app="x"} | unwrap a [5m]))q",
        "parse error : parameter required for operation quantile_over_time");
  fails(R"q(quantile_over_time("0.5", {app="x"} | unwrap a [5m]))q",
        "parse error at line 1, col 20: syntax error: unexpected STRING, expecting NUMBER or { or (");
  fails(R"q(quantile_over_time(0.5 {app="x"} | unwrap a [5m]))q",
        "parse error at line 1, col 24: syntax error: unexpected {, expecting ,");
  fails(R"q(label_replace(rate({app="x"}[5m]), "a", "b"))q",
        "parse error at line 1, col 44: syntax error: unexpected ), expecting ,");
  fails(R"q(label_replace("a", "b", "c", "d"))q",
        "parse error at line 1, col 15: syntax error: unexpected STRING");
  fails(R"q(label_replace({app="x"}, "a", "b", "c", "d"))q",
        "parse error at line 1, col 24: syntax error: unexpected ,");
  fails("1 +",
        "parse error at line 1, col 4: syntax error: unexpected $end");
  fails("+ 1 +",
        "parse error at line 1, col 6: syntax error: unexpected $end");
  fails("* 2",
        "parse error at line 1, col 1: syntax error: unexpected *");
  fails("1 1",
        "parse error at line 1, col 3: syntax error: unexpected NUMBER");
  fails("1 2 3",
        "parse error at line 1, col 3: syntax error: unexpected NUMBER");
  fails("(1",
        "parse error at line 1, col 3: syntax error: unexpected $end");
  fails("1)",
        "parse error at line 1, col 2: syntax error: unexpected )");
  fails("()",
        "parse error at line 1, col 2: syntax error: unexpected )");
  fails(R"q(rate({app="x"}[5m]) +)q",
        "parse error at line 1, col 22: syntax error: unexpected $end");
  fails(R"q(rate({app="x"}[5m]) rate({app="x"}[5m]))q",
        "parse error at line 1, col 21: syntax error: unexpected RATE");
  fails(R"q(rate({app="x"}[5m]) + on rate({app="x"}[5m]))q",
        "parse error at line 1, col 26: syntax error: unexpected RATE, expecting (");
  fails(R"q(rate({app="x"}[5m]) + on (a) bool rate({app="x"}[5m]))q",
        "parse error at line 1, col 30: syntax error: unexpected bool");
  fails(R"q(rate({app="x"}[5m]) + group_left rate({app="x"}[5m]))q",
        "parse error at line 1, col 23: syntax error: unexpected group_left");
  fails(R"q(rate({app="x"}[5m]) + on (a) group_left (b rate({app="x"}[5m]))q",
        "parse error at line 1, col 44: syntax error: unexpected RATE, expecting , or )");
  fails("bool 1 > 2",
        "parse error at line 1, col 1: syntax error: unexpected bool");
  fails("vector()",
        "parse error at line 1, col 8: syntax error: unexpected ), expecting NUMBER");
  fails("vector(a)",
        "parse error at line 1, col 8: syntax error: unexpected IDENTIFIER, expecting NUMBER");
  fails("vector(1",
        "parse error at line 1, col 9: syntax error: unexpected $end, expecting )");
  fails(R"q(vector(rate({app="x"}[1m])))q",
        "parse error at line 1, col 8: syntax error: unexpected RATE, expecting NUMBER");
}

TEST_CASE("syntax and semantic errors, 6") {
  fails("vector(1+1)",
        "parse error at line 1, col 9: syntax error: unexpected +, expecting )");
  fails("sort",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails("by (a)",
        "parse error at line 1, col 1: syntax error: unexpected by");
  fails("and",
        "parse error at line 1, col 1: syntax error: unexpected and");
  fails("or 1",
        "parse error at line 1, col 1: syntax error: unexpected or");
  fails("1 and",
        "parse error at line 1, col 6: syntax error: unexpected $end");
  fails(R"q({app="x"} and {app="y"})q",
        "parse error : unexpected type for left leg of binary operation (and): *syntax.MatchersExpr");
  fails(R"q({app="x"} | json and)q",
        "parse error at line 1, col 21: syntax error: unexpected $end");
  fails(".",
        "parse error at line 1, col 1: syntax error: unexpected .");
  fails(",",
        "parse error at line 1, col 1: syntax error: unexpected ,");
  fails(R"q("just a string")q",
        "parse error at line 1, col 1: syntax error: unexpected STRING");
  fails("é",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="x"} →)q",
        "parse error at line 1, col 11: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="x"} @ 5)q",
        "parse error at line 1, col 11: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="x"};)q",
        "parse error at line 1, col 10: syntax error: unexpected IDENTIFIER");
  fails("a",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails(R"q(a{b="c"})q",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails("up",
        "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
  fails(R"q({app="x"} | json != 5)q",
        "parse error at line 1, col 21: syntax error: unexpected NUMBER, expecting STRING or ip");
  fails(R"q({ùapp="x"})q",
        "parse error at line 1, col 2: syntax error: unexpected STRING, expecting IDENTIFIER or }");
  fails(R"q({app="x"} | logfmt | a!>5)q",
        "parse error at line 0, col 23: syntax error: unexpected !>");
  fails(R"q({app="x"} |= "a" or)q",
        "parse error at line 1, col 20: syntax error: unexpected $end, expecting STRING or ip");
  fails(R"q({app="x"} |= "a" or |= "b")q",
        "parse error at line 0, col 21: syntax error: unexpected |=, expecting STRING or ip");
  fails(R"q({app="x"} |= "a" and "b")q",
        "parse error at line 1, col 22: syntax error: unexpected STRING");
  fails(R"q({app="x"} |= ("a" or "b"))q",
        "parse error at line 1, col 14: syntax error: unexpected (, expecting STRING or ip");
  fails(R"q(rate({app="x"} | json | unwrap duration(a, b) [5m]))q",
        "parse error at line 1, col 42: syntax error: unexpected ,, expecting )");
  fails(R"q(rate({app="x"} | json | unwrap seconds(a) [5m]))q",
        "parse error at line 1, col 39: syntax error: unexpected (, expecting RANGE or |");
  fails(R"q(rate({app="x"} | json | unwrap bytes(a [5m]))q",
        "parse error at line 0, col 40: syntax error: unexpected RANGE, expecting )");
  fails(R"q(rate({app="x"} | unwrap "a" [5m]))q",
        "parse error at line 1, col 25: syntax error: unexpected STRING, expecting IDENTIFIER or BYTES_CONV or "
        "DURATION_CONV or DURATION_SECONDS_CONV");
  fails(R"q(sum_over_time({app="x"} | unwrap a | json [5m]))q",
        "parse error at line 1, col 38: syntax error: unexpected json, expecting IDENTIFIER or (");
  fails(R"q({app="x"} | drop a=)q",
        "parse error at line 1, col 20: syntax error: unexpected $end, expecting STRING");
  fails(R"q({app="x"} | keep a>5)q",
        "parse error : unexpected type for left leg of binary operation (>): *syntax.PipelineExpr");
  fails(R"q(topk(0, rate({app="x"}[5m])))q",
        "parse error : invalid parameter (must be greater than 0) topk(0");
  fails(R"q(sum_over_time({app="x"}[5m]))q",
        "parse error : invalid aggregation sum_over_time without unwrap");
  fails(R"q(avg_over_time({app="x"} | json [5m]))q",
        "parse error : invalid aggregation avg_over_time without unwrap");
  fails(R"q(quantile_over_time(0.5, {app="x"}[5m]))q",
        "parse error : invalid aggregation quantile_over_time without unwrap");
  fails(R"q(max_over_time({app="x"}[5m]))q",
        "parse error : invalid aggregation max_over_time without unwrap");
  fails(R"q(first_over_time({app="x"}[5m]))q",
        "parse error : invalid aggregation first_over_time without unwrap");
  fails(R"q(stddev_over_time({app="x"}[5m]))q",
        "parse error : invalid aggregation stddev_over_time without unwrap");
  fails(R"q(rate_counter({app="x"}[5m]))q",
        "parse error : invalid aggregation rate_counter without unwrap");
  fails(R"q(count_over_time({app="x"} | unwrap a [5m]))q",
        "parse error : invalid aggregation count_over_time with unwrap");
  fails(R"q(bytes_rate({app="x"} | unwrap a [5m]))q",
        "parse error : invalid aggregation bytes_rate with unwrap");
  fails(R"q(bytes_over_time({app="x"} | unwrap a [5m]))q",
        "parse error : invalid aggregation bytes_over_time with unwrap");
  fails(R"q(rate({app="x"}[5m]) by (app))q",
        "parse error : grouping not allowed for rate aggregation");
  fails(R"q(count_over_time({app="x"}[5m]) by (app))q",
        "parse error : grouping not allowed for count_over_time aggregation");
  fails(R"q(sum_over_time({app="x"} | unwrap a [5m]) by (app))q",
        "parse error : grouping not allowed for sum_over_time aggregation");
  fails(R"q(sum_over_time({app="x"} | unwrap a [5m]) without (app))q",
        "parse error : grouping not allowed for sum_over_time aggregation");
  fails(R"q(rate({app="x"} | unwrap a [5m]) by (app))q",
        "parse error : grouping not allowed for rate aggregation");
  fails(R"q(absent_over_time({app="x"}[5m]) by (app))q",
        "parse error : grouping not allowed for absent_over_time aggregation");
  fails(R"q(rate_counter({app="x"} | unwrap a [5m]) by (a))q",
        "parse error : grouping not allowed for rate_counter aggregation");
  fails(R"q(sum_over_time(5, {app="x"} | unwrap a [5m]))q",
        "parse error : parameter 5 not supported for operation sum_over_time");
  fails(R"q(rate(5, {app="x"}[5m]))q",
        "parse error : parameter 5 not supported for operation rate");
  fails(R"q(sum(5, rate({app="x"}[5m])))q",
        "parse error : unsupported parameter for operation sum(5,");
  fails(R"q(topk(-1, rate({app="x"}[5m])))q",
        "parse error at line 1, col 8: syntax error: unexpected ,");
  fails(R"q(bottomk(0, rate({app="x"}[5m])))q",
        "parse error : invalid parameter (must be greater than 0) bottomk(0");
}

TEST_CASE("syntax and semantic errors, 7") {
  fails(R"q(sort(rate({app="x"}[5m])) by (app))q",
        "parse error : sort and sort_desc doesn't allow grouping by");
  fails(R"q(sort by (app) (rate({app="x"}[5m])))q",
        "parse error : sort and sort_desc doesn't allow grouping by");
  fails(R"q(sort_desc(2, rate({app="x"}[5m])))q",
        "parse error : unsupported parameter for operation sort_desc(2,");
  fails(R"q(approx_topk(2, rate({app="x"}[5m])) by (app))q",
        "parse error : grouping not allowed for approx_topk aggregation");
  fails(R"q({app="x"} + 1)q",
        "parse error : unexpected type for left leg of binary operation (+): *syntax.MatchersExpr");
  fails(R"q(1 + {app="x"})q",
        "parse error : unexpected type for right leg of binary operation (+): *syntax.MatchersExpr");
  fails(R"q(rate({app="x"}[5m]) > {app="x"})q",
        "parse error : unexpected type for right leg of binary operation (>): *syntax.MatchersExpr");
  fails(R"q(rate({app="x"}[5m]) or 1)q",
        "parse error : unexpected literal for right leg of logical/set binary operation (or): 1.000000");
  fails(R"q(1 and rate({app="x"}[5m]))q",
        "parse error : unexpected literal for left leg of logical/set binary operation (and): 1.000000");
  fails("1 unless 2",
        "parse error : unexpected literal for left leg of logical/set binary operation (unless): 1.000000");
  fails(R"q(rate({app="x"}[5m]) and 2 or 3)q",
        "parse error : unexpected literal for right leg of logical/set binary operation (or): 3.000000");
  fails(R"q(label_replace(rate({app="x"}[5m]), "a", "$1", "b", "("))q",
        "parse error : invalid regex in label_replace: error parsing regexp: missing closing ): `^(?:()$`");
  fails(R"q({app="x"} | regexp "a")q",
        "parse error : invalid regexp parser: at least one named capture must be supplied");
  fails(R"q({app="x"} | regexp "(?P<a>.)(?P<a>.)")q",
        "parse error : invalid regexp parser: duplicate extracted label name 'a'");
  fails(R"q({app="x"} | pattern "a")q",
        "parse error : invalid pattern parser: at least one capture is required");
  fails(R"q(min_over_time({app="x"} | unwrap a [5m]) by ()q",
        "parse error at line 1, col 46: syntax error: unexpected $end, expecting IDENTIFIER or )");
  fails(R"q(count_over_time({app="x"}[5m] offset 1000000000d))q",
        "parse error at line 1, col 38: syntax error: unexpected NUMBER, expecting DURATION");
  fails(R"q(topk(99999999999999999999, rate({app="x"}[5m])))q",
        "parse error : invalid parameter topk(99999999999999999999,");
  fails(R"q(quantile_over_time(a, {app="x"} | unwrap a [5m]))q",
        "parse error at line 1, col 20: syntax error: unexpected IDENTIFIER, expecting NUMBER or { or (");
  fails(R"q(sum(count_over_time({app="x"} | json | unwrap bytes(a) [5m])))q",
        "parse error : invalid aggregation count_over_time with unwrap");
}

TEST_CASE("sizes and depths are bounded") {
  const std::string head = R"({a="b"} |= ")";
  fails(head + std::string(131072 - head.size() - 1, 'x') + "\"",
        "parse error : input size too long (131072 > 131072)");
  CHECK(parse_query(head + std::string(131071 - head.size() - 1, 'x') + "\"").has_value());
  CHECK(error_of(std::string(100000, '(')).find("nested too deeply") != std::string::npos);
  std::string sums = "vector(1)";
  for (int i = 0; i < 10000; ++i) sums += "+vector(1)";
  CHECK(error_of(sums).find("nested too deeply") != std::string::npos);
  std::string filters = R"({a="b"} | a="1")";
  for (int i = 0; i < 10000; ++i) filters += R"( or a="1")";
  CHECK(error_of(filters).find("nested too deeply") != std::string::npos);
  std::string powers = "2";
  for (int i = 0; i < 60000; ++i) powers += "^2";
  CHECK(error_of(powers).find("nested too deeply") != std::string::npos);
  std::string matchers = "{";
  for (int i = 0; i < 1001; ++i) matchers += (i == 0 ? "" : ",") + std::string("a=\"b\"");
  fails(matchers + "}", "max streams matchers per query exceeded, matchers-count > limit (1001 > 1000)");
}

TEST_CASE("bytes that are no text are refused") {
  CHECK(error_of("{a=\"\xff\"}").find("invalid UTF-8 encoding") != std::string::npos);
  CHECK(error_of(std::string_view("{a=\"b\"} \0", 9)).find("invalid character NUL") != std::string::npos);
  parses("\xef\xbb\xbf{a=\"b\"}");
  fails("{a=\"b\"} /* c", "parse error at line 1, col 9: comment not terminated");
  fails(R"({a="\400"})", "parse error at line 1, col 4: invalid syntax");
}

TEST_CASE("names of groups are ASCII") {
  fails("{a=\"b\"} | regexp \"(?P<\xc3\xa9>x)\"",
        "parse error : invalid regexp parser: error parsing regexp: invalid named capture: `(?P<\xc3\xa9>`");
}

TEST_CASE("a selector alone") {
  CHECK(parse_selector(R"({a="b"})").has_value());
  for (const char* query : {R"({a="b"} |= "x")", R"(rate({a="b"}[1m]))", R"({a="b"} | json)"}) {
    const auto selector = parse_selector(query);
    REQUIRE_FALSE(selector.has_value());
    CHECK(selector.error().message() == "only label matchers are supported");
  }
}

TEST_CASE("numbers, durations and sizes keep their values") {
  const auto filter = [](std::string_view query) {
    const auto parsed = parse_query(query);
    REQUIRE(parsed.has_value());
    return std::get<LabelFilter>(std::get<LogQuery>((*parsed)->node).stages.at(0)).node;
  };
  CHECK(std::get<NumberPredicate>(filter(R"({a="b"} | x > 1_000)")).value == 1000);
  CHECK(std::get<NumberPredicate>(filter(R"({a="b"} | x > 010)")).value == 10);
  CHECK(std::get<NumberPredicate>(filter(R"({a="b"} | x > 0x10)")).value == 16);
  CHECK(std::get<NumberPredicate>(filter(R"({a="b"} | x = -.5e1)")).value == -5);
  CHECK(std::get<DurationPredicate>(filter(R"({a="b"} | x > 1d12h)")).value == std::chrono::hours(36));
  CHECK(std::get<DurationPredicate>(filter(R"({a="b"} | x > -1.5s)")).value == std::chrono::milliseconds(-1500));
  CHECK(std::get<BytesPredicate>(filter(R"({a="b"} | x > 1.5KiB)")).value == 1536);
  CHECK(std::get<BytesPredicate>(filter(R"({a="b"} | x > 4k)")).value == 4000);
}
