#include "logql/syntax/error_hint.h"

#include <doctest/doctest.h>

#include "logql/syntax/parser.h"

using namespace kvasir;
using namespace kvasir::logql;

namespace {

std::string hint(std::string_view query) {
  CAPTURE(query);
  const auto parsed = parse_query(query);
  REQUIRE_FALSE(parsed.has_value());
  return error_hint(query, parsed.error().message());
}

}  // namespace

TEST_CASE("hints for what people write") {
  const struct {
    std::string_view query;
    std::string_view part;  // of the hint
  } cases[] = {
      {R"({app=a})", R"(texts stand in quotes: "a")"},
      {R"({app='a'})", "double quotes or backticks"},
      {R"({app='web'})", "double quotes or backticks"},
      {R"({app="a"} |= 'error')", "double quotes or backticks"},
      {R"({app=="a"})", "a selector compares with ="},
      {R"({app="a"} |= error)", R"("error")"},
      {R"({app="a"} | = "x")", "did you mean `|=`?"},
      {R"({app="a"} | jsn)", "did you mean `| json`?"},
      {R"({app="a"} | logftm)", "did you mean `| logfmt`?"},
      {R"({app="a"} | json | line_fromat "x")", "did you mean `| line_format`?"},
      {R"({app="a"} | json | line_format {{.x}})", "a template is a text"},
      {R"({app="a"} | label_format x={{.y}})", "a template is a text"},
      {R"({app="a"} | json | status >= 500 and level = error)", R"("error")"},
      {R"({app="a"} | json | level == "error")", "a single ="},
      {R"({app="a"} | json | status => 500)", "did you mean `>=`?"},
      {R"({app="a"} | grep "x")", "`|= \"text\"` keeps the lines"},
      {R"({app="a"} | where status=500)", "no word in front"},
      {R"({app="a"} | head 10)", "`| limit 10`"},
      {R"({app="a"} | limit)", "`| limit 10`"},
      {R"({app="a"} | distinct level)", "| stats count() as n by level"},
      {R"({app="a"} | fields level)", "| keep level, status"},
      {R"({app="a"} | rename x y)", "label_format new=old"},
      {R"({app="a"} | sort -timestamp)", "| order by timestamp desc"},
      {R"({app="a"} | order by timestamp descending)", "did you mean `desc`?"},
      {R"({app="a"} | level)", "`level` is taken for a label here"},
      {R"(count_over_time({app="a"}))", "count_over_time({...} [5m])"},
      {R"(count_over_time({app="a"}[5]))", "[5m]"},
      {R"(count_over_time({app="a"}[5min]))", "units are"},
      {R"(sum(rate({app="a"}[5m])) by level)", "by (level)"},
      {R"(sum by level (rate({app="a"}[5m])))", "labels stand in parentheses"},
      {R"(sum_over_time({app="a"} | json [5m]))", "| unwrap took [5m]"},
      {R"(count_over_time({app="a"} | unwrap x [5m]))", "sum_over_time"},
      {R"(avg(count_over_time({app="a"}[5m]) by (x)))", "sum by (label) (count_over_time(...))"},
      {R"(quantile_over_time({app="a"} | unwrap x [5m]))", "quantile_over_time(0.99"},
      {R"(topk(rate({app="a"}[5m])))", "topk(10, ...)"},
      {R"q({app="a"} | regexp "(\d+)")q", "a backslash is written twice"},
      {R"({app!="a"})", "{app=\"web\"}"},
      {R"(increase({app="a"}[5m]))", "there is no increase; lines are counted by count_over_time"},
      {R"(histogram_quantile(0.9, {app="a"}))", "quantile_over_time(0.99"},
      {R"(cuont_over_time({app="a"}[5m]))", "did you mean `count_over_time`?"},
      {R"(sum(rat({app="a"}[5m])))", "did you mean `rate`?"},
      {R"(topk(5, {app="a"}))", "topk(5, count_over_time({...} [5m]))"},
      {R"x(topk(5, {app="a"} | regexp "\\)(?P<x>a)"))x", "topk(5, count_over_time({...} [5m]))"},
      {R"(sum({app="a"}))", "sum(count_over_time({...} [5m]))"},
      {R"(topk(rate({app="a"}[5m]), 5))", "the number stands first: topk(5, ...)"},
      {R"(quantile_over_time({app="a"} | unwrap x [5m], 0.9))", "quantile_over_time(0.9, ...)"},
      {R"(quantile_over_time(0.9, {app="a"} | unwrap x))", "(0.99, {...} | unwrap took [5m])"},
      {R"(quantile_over_time(0.9, {app="a"} [5m]))", "(0.99, {...} | unwrap took [5m])"},
      {R"(bytes_over_time({app="a"}))", "bytes_over_time({...} [5m])"},
      {R"(let a = 1; b)", "no let binds `b`"},
      {R"(let errors = rate({app="a"}[5m]); error * 60)", "no let binds `error`; did you mean `errors`?"},
      {R"(let a = 1; rat({app="a"}[5m]) / a)", "did you mean `rate`?"},
      {R"({app="a"} + 1)", "logs have no value"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.query);
    const std::string found = hint(c.query);
    CHECK_MESSAGE(found.find(c.part) != std::string::npos, found);
  }
}

TEST_CASE("no hint where nothing is near, nor where the text has one") {
  CHECK(hint(R"({app="a")").empty());
  CHECK(hint(R"({app="a"} | oder by x)").empty());
  CHECK(hint(R"({app="a"} | stats)").empty());
  CHECK(hint(R"(rate({app="a"}[5m]) > 5 and)").empty());
}

TEST_CASE("what a client adds around an error is not taken for a part of it") {
  const auto f = [](std::string_view message) { return error_hint("", message); };
  const std::string parameter = "Error response from server: parse error : parameter required for operation ";
  CHECK(f(parameter + "quantile_over_time (400)") == "quantile_over_time(0.99, {...} | unwrap took [5m])");
  CHECK(f(parameter + "topk (400)") == "topk(10, ...)");
  CHECK(f(parameter + "bottomk (400)\n") == "bottomk(10, ...)");
  CHECK(f("server: parse error : invalid aggregation sum_over_time without unwrap (400)") ==
        "name the field whose numbers are meant: sum_over_time({...} | unwrap took [5m])");
  CHECK(f("server: parse error : grouping not allowed for rate aggregation (400)") ==
        "group around it: sum by (label) (rate(...))");
}

TEST_CASE("a caret stands below the place") {
  CHECK(explain_query_error("{a=\"b\"} | jsn", "parse error at line 1, col 14: syntax error: unexpected $end\n") ==
        "parse error at line 1, col 14: syntax error: unexpected $end\n"
        "  {a=\"b\"} | jsn\n"
        "               ^\n"
        "hint: did you mean `| json`?");
  CHECK(explain_query_error("{a=\"\xc3\xa9\"}\n\t| jsn x", "server: parse error at line 2, col 8: x") ==
        "server: parse error at line 2, col 8: x\n  \t| jsn x\n  \t      ^\nhint: did you mean `| json`?");
  CHECK(explain_query_error("{}", "too many steps") == "too many steps");
  CHECK(explain_query_error("{}", "parse error at line 7, col 9: x") == "parse error at line 7, col 9: x");
  CHECK(explain_query_error("{a==\"b\"}", "parse error at line 0, col 3: y").find("\n    ^") != std::string::npos);
}
