#include "logql/syntax/printer.h"

#include <doctest/doctest.h>

#include "logql/syntax/parser.h"

using namespace kvasir;
using namespace kvasir::logql;

namespace {

void formats(std::string_view query, std::string_view expected) {
  CAPTURE(query);
  const auto parsed = parse_query(query);
  REQUIRE(parsed.has_value());
  CHECK(format_query(**parsed) == expected);
}

std::string stage_text(std::string_view query) {
  const auto parsed = parse_query(query);
  REQUIRE(parsed.has_value());
  return print_stage(std::get<LogQuery>((*parsed)->node).stages.at(0));
}

}  // namespace

TEST_CASE("short queries become one canonical line, long ones are broken") {
  formats(R"q({app="x"})q",
          R"q({app="x"})q");
  formats(R"q({ app = "x" , env=~"a|b" })q",
          R"q({app="x", env=~"a|b"})q");
  formats(R"q({app="x"}|="a"|json|b>5)q",
          R"q({app="x"} |= "a" | json | b>5)q");
  formats(R"q({app="x"} |= "a" != "b" |~ "c" !~ "d")q",
          R"q({app="x"} |= "a" != "b" |~ "c" !~ "d")q");
  formats(R"q({app="x"} | logfmt --strict --keep-empty a, b="c" | a="1" or b=~"2" and c!="3")q",
          R"q({app="x"} | logfmt --strict --keep-empty a="a",b="c" | ( a="1" or ( b=~"2" , c!="3" ) ))q");
  formats(R"q({app="x"} | a > 20e2000 | b < -1e999 | c = 0GiB)q",
          R"q({app="x"} | a>1e999 | b<-1e999 | c==0kB)q");
  formats(R"q(rate({app="x"}[5m]))q",
          R"q(rate({app="x"}[5m]))q");
  formats(R"q(sum by(app,env)(rate({app="x"}|="err"[5m])))q",
          R"q(sum by (app,env)(rate({app="x"} |= "err"[5m])))q");
  formats(R"q(sum(rate({app="x"}[5m]))by(app))q",
          R"q(sum by (app)(rate({app="x"}[5m])))q");
  formats(R"q(topk(10,sum by (a) (count_over_time({app="x"}|json|line_format "{{.a}}" [1h30m] offset 5m))))q",
          R"q(topk(10,sum by (a)(count_over_time({app="x"} | json | line_format "{{.a}}"[1h30m] offset 5m0s))))q");
  formats(R"q(quantile_over_time(0.99,{app="x"}|json|unwrap duration(lat)|__error__=""[5m])by(app))q",
          R"q(quantile_over_time(0.99,{app="x"} | json | unwrap duration(lat) | __error__=""[5m]) by (app))q");
  formats(R"q(rate({app="x"}[5m])/rate({app="y"}[5m])>0.5)q",
          R"q(((rate({app="x"}[5m]) / rate({app="y"}[5m])) > 0.5))q");
  formats("1+2*3",
          "7");
  formats("(1+2)*3",
          "9");
  formats("vector(1)",
          "vector(1.000000)");
  formats(R"q(label_replace(rate({app="x"}[1m]),"a","$1","b","(.*)"))q",
          R"q(label_replace(rate({app="x"}[1m]),"a","$1","b","(.*)"))q");
  formats(
      R"q({app="x"} | json a="b.c", d | drop a, b="1" | keep c | decolorize | unpack | regexp "(?P<z>.)" | pattern "<a> x" | label_format q=w,e="{{.r}}")q",
      R"q({app="x"}
  | json a="b.c",d="d"
  | drop a,b="1"
  | keep c
  | decolorize
  | unpack
  | regexp "(?P<z>.)"
  | pattern "<a> x"
  | label_format q=w,e="{{.r}}")q");
  formats(R"q(sum by (a) (rate({app="x"}[1m])) / on (a) group_left (c) sum by (a,b) (rate({app="y"}[1m])))q",
          R"q((sum by (a)(rate({app="x"}[1m])) / on (a) group_left (c) sum by (a,b)(rate({app="y"}[1m]))))q");
  formats(R"q({app="x"} |= "a" or "b" or "c")q",
          R"q({app="x"} |= "a" or "b" or "c")q");
  formats(R"q({app="x"} | a=ip("1.2.3.4") | b > 1KiB | c < 1m30s)q",
          R"q({app="x"} | a=ip("1.2.3.4") | b>1.0kB | c<1m30s)q");
  formats(R"q(absent_over_time({app="x"}[1d]))q",
          R"q(absent_over_time({app="x"}[1d]))q");
  formats(R"q(sort_desc(sum(rate({app="x"}[1w]))))q",
          R"q(sort_desc(sum(rate({app="x"}[1w]))))q");
  formats(R"q({app="x"} |> "<_>foo")q",
          R"q({app="x"} |> "<_>foo")q");
  formats(R"q(rate({app="x"}[5m]) > bool 5 and rate({app="y"}[5m]) unless on () vector(1))q",
          R"q((((rate({app="x"}[5m]) > bool 5) and rate({app="y"}[5m])) unless on ()  vector(1.000000)))q");
  formats(R"q({app="x"} |= `raw "q"` |= "esc\n")q",
          R"q({app="x"} |= "raw \"q\"" |= "esc\n")q");
  formats(R"q(sum without (a) (avg_over_time({app="x"}|unwrap b[5m])))q",
          R"q(sum without (a)(avg_over_time({app="x"} | unwrap b[5m])))q");
  formats(
      R"q({app="averyveryverylongvalue_number_one", environment="averyveryverylongvalue_number_two", cluster="averyveryverylongvalue_number_three"} |= "something long enough to need a break" | json | status >= 500)q",
      R"q({app="averyveryverylongvalue_number_one", environment="averyveryverylongvalue_number_two", cluster="averyveryverylongvalue_number_three"}
  |= "something long enough to need a break"
  | json
  | status>=500)q");
  formats(R"q({a="b"}|json)q",
          R"q({a="b"} | json)q");
}

TEST_CASE("long expressions are broken operand by operand") {
  formats(
      R"(sum by (service) (rate({cluster="eu-1", namespace="shop", container="gateway"} |= "error" | json | unwrap took [5m] offset 1h)) / 2)",
      R"((
  sum by (service)(
    rate(
      {cluster="eu-1", namespace="shop", container="gateway"}
        |= "error"
        | json
        | unwrap took [5m] offset 1h0m0s
    )
  )
/
  2
))");
}

TEST_CASE("stages print as errors quote them") {
  CHECK(stage_text(R"({a="b"} != "x" or "y")") == R"(!= "x" != "y")");
  CHECK(stage_text(R"({a="b"} |= ip("1.2.3.4"))") == R"(|= ip("1.2.3.4"))");
  CHECK(stage_text(R"({a="b"} | json x, y="z[0]")") == R"(| json x="x",y="z[0]")");
  CHECK(stage_text(R"({a="b"} | x=1 or y!=2s , z<=5.1KB)") == "| ( x==1 or ( y!=2s , z<=5.1kB ) )");
  CHECK(stage_text(R"({a="b"} | keep a, b=~"c.*")") == R"(| keep a,b=~"c.*")");
}
