#include <doctest/doctest.h>

#include "logql/syntax/parser.h"
#include "logql/syntax/printer.h"

using namespace kvasir;
using namespace kvasir::logql;

namespace {

ExprPtr parsed(std::string_view query) {
  CAPTURE(query);
  const auto result = parse_query(query);
  if (!result) FAIL(result.error().message());
  return *result;
}

/// Parses, and its print parses to the same print.
std::string printed(std::string_view query) {
  const std::string text = print(*parsed(query));
  CHECK(print(*parsed(text)) == text);
  CHECK(print(*parsed(format_query(*parsed(query)))) == text);
  return text;
}

void fails(std::string_view query, std::string_view part) {
  CAPTURE(query);
  const auto result = parse_query(query);
  REQUIRE_FALSE(result.has_value());
  CAPTURE(result.error().message());
  CHECK(result.error().message().find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("order by, sort by and limit") {
  CHECK(printed("{a=\"b\"} | json | order by timestamp asc") == "{a=\"b\"} | json | order by timestamp asc");
  CHECK(printed("{a=\"b\"} | sort by x desc, y | limit 3") == "{a=\"b\"} | order by x desc,y asc | limit 3");
  CHECK(printed("{a=\"b\"} | sort by (count, n) desc") == "{a=\"b\"} | order by count desc,n desc");
  CHECK(printed("{a=\"b\"} | sort by (count)") == "{a=\"b\"} | order by count asc");
  CHECK(printed("{a=\"b\"} | order by desc") == "{a=\"b\"} | order by desc asc");
  CHECK(printed("{a=\"b\"} | order by pod, desc") == "{a=\"b\"} | order by pod asc,desc asc");
  CHECK(printed("{a=\"b\"} | order by timestamp, desc asc") == "{a=\"b\"} | order by timestamp asc,desc asc");
  CHECK(printed("{a=\"b\"} | ORDER BY x DESC") == "{a=\"b\"} | order by x desc");
}

TEST_CASE("the words of pipes stay label names") {
  CHECK(printed("{a=\"b\"} | order=\"x\" | stats > 5 | limit >= 3 | sort=~\"y\"") ==
        "{a=\"b\"} | order=\"x\" | stats>5 | limit>=3 | sort=~\"y\"");
  CHECK(printed("{let=\"x\", stats=\"y\"}") == "{let=\"x\", stats=\"y\"}");
}

TEST_CASE("stats") {
  CHECK(printed("{} | stats count() as count by line") == "{} | stats count() as count by (line)");
  CHECK(printed("{} | stats count(), sum(bytes) as s, quantile(0.99, took) by (a, b) | s > 5 and a=\"x\"") ==
        "{} | stats count(),sum(bytes) as s,quantile(0.99, took) by (a,b) | ( s>5 , a=\"x\" )");
  CHECK(printed("{} | stats min(x), max(x), avg(x), count_distinct(y), count(z)") ==
        "{} | stats min(x),max(x),avg(x),count_distinct(y),count(z)");
  const auto expr = parsed("{} | stats quantile(0.5, x) as q by pattern, count");
  const auto& stats = std::get<Stats>(std::get<LogQuery>(expr->node).pipes.at(0));
  CHECK(stats.columns.at(0).quantile == 0.5);
  CHECK(stats.columns.at(0).name == "q");
  CHECK(stats.by == std::vector<std::string>{"pattern", "count"});
}

TEST_CASE("let") {
  CHECK(printed("let a = count_over_time({x=\"1\"}[1h]); let b = a * 2; (b - a) / a > 0.1") ==
        "let a = count_over_time({x=\"1\"}[1h]); let b = (a * 2); (((b - a) / a) > 0.1)");
}

TEST_CASE("names cannot multiply without bound") {
  std::string query = "let a0 = count_over_time({x=\"1\"}[1h]); ";
  for (int i = 1; i < 40; ++i) {
    const std::string before = "a" + std::to_string(i - 1);
    query += "let a" + std::to_string(i) + " = " + before + " + " + before + "; ";
  }
  fails(query + "a39", "expression is too large, limit 10000");
}

TEST_CASE("errors in our syntax say where, what was expected and what to write") {
  fails("{a=\"b\"} | order timestamp",
        "line 1, col 17: syntax error: unexpected IDENTIFIER 'timestamp', expecting by; write");
  fails("{a=\"b\"}\n| order by", "line 2, col 11: syntax error: unexpected $end, expecting a field name");
  fails("{a=\"b\"} | order by timestamp, desc",
        "line 1, col 31: syntax error: 'desc' is a field here; did you mean `timestamp desc`?");
  fails("{a=\"b\"} | sort by (timestamp, asc)", "did you mean `timestamp asc`?");
  fails("{a=\"b\"} | oder by x", "unexpected by 'by', expecting a comparison; did you mean `| order by`?");
  fails("{a=\"b\"} | stat count() by x", "unexpected COUNT 'count', expecting a comparison; did you mean `| stats`?");
  fails("{a=\"b\"} | statistics count()", "unexpected COUNT");
  fails("{a=\"b\"} | stats", "unexpected $end, expecting a function; write for example");
  fails("{a=\"b\"} | stats cnt() by x", "col 17: syntax error: unexpected IDENTIFIER 'cnt', expecting count, sum,");
  fails("{a=\"b\"} | stats quantile(2, x)", "quantile must be a number from 0 to 1: 2");
  fails("{a=\"b\"} | stats quantile(x)", "expecting a number from 0 to 1");
  fails("{a=\"b\"} | stats sum(x) as n, count() as n", "two columns named 'n'");
  fails("{a=\"b\"} | stats sum(x", "expecting )");
  fails("{a=\"b\"} | stats count() by (a b)", "expecting , or )");
  fails("{a=\"b\"} | stats count() | json", "only order by, sort by, stats, limit and label filters can follow");
  fails("{a=\"b\"} | limit 0", "limit must be a whole number above 0");
  fails("{a=\"b\"} | limit 5 | x=\"y\"", "limit must be the last step");
  fails("{a=\"b\"} | limit 1.5", "limit must be a whole number above 0");
  fails("rate({a=\"b\"} | stats count() [5m])", "cannot stand inside a range aggregation");
  fails("let a = {x=\"1\"}; a", "line 1, col 5: let needs a metric query or stats: 'a' is a log query");
  fails("let a = vector(1) a", "expecting ; at the end of let");
  fails("let = 1", "unexpected = '=', expecting a name");
  fails("let a 1; a", "expecting =");
  fails("let a = vector(1); let a = vector(2); a", "let binds 'a' twice");
  fails("let a = vector(1); b", "line 1, col 20: syntax error: unexpected IDENTIFIER");
}
