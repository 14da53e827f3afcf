#include <doctest/doctest.h>

#include "logql/exec/field_selector.h"
#include "logql/exec/log_scan.h"
#include "logql/exec/testing_query.h"

using namespace kvasir;
using namespace kvasir::logql;

namespace {

constexpr auto kBackward = Direction::kBackward;

void add_two_streams(TestingQueries& queries) {
  for (int i = 1; i <= 5; ++i) {
    queries.add({{"app", "a"}}, i, "a" + std::to_string(i));
    queries.add({{"app", "b"}}, i, "b" + std::to_string(i));
  }
}

}  // namespace

TEST_CASE("the first entries over all streams, in either direction") {
  TestingQueries queries({.rows_per_block = 2});
  add_two_streams(queries);
  CHECK(queries.logs("{app=~\".+\"}", {.end = 10, .limit = 3}) ==
        "{app=\"a\"} 1:\"a1\" 2:\"a2\"\n{app=\"b\"} 1:\"b1\"");
  CHECK(queries.logs("{app=~\".+\"}", {.end = 10, .limit = 3, .direction = kBackward}) ==
        "{app=\"a\"} 5:\"a5\"\n{app=\"b\"} 5:\"b5\" 4:\"b4\"");
  CHECK(queries.logs("{app=\"a\"}", {.start = 2, .end = 4}) == "{app=\"a\"} 2:\"a2\" 3:\"a3\"");
  CHECK(queries.logs("{app=\"a\"}", {.start = 2, .end = 2}) == "");
  CHECK(queries.logs("{}", {.end = 10, .limit = 1}) == "{app=\"a\"} 1:\"a1\"");
}

TEST_CASE("equal instants keep the order of arrival") {
  TestingQueries queries({.rows_per_block = 2});
  for (int i = 0; i < 5; ++i) queries.add({{"app", "a"}}, 1, std::to_string(i));
  CHECK(queries.logs("{app=\"a\"}", {.end = 10, .limit = 3}) == "{app=\"a\"} 1:\"0\" 1:\"1\" 1:\"2\"");
  CHECK(queries.logs("{app=\"a\"}", {.end = 10, .limit = 3, .direction = kBackward}) ==
        "{app=\"a\"} 1:\"4\" 1:\"3\" 1:\"2\"");
}

TEST_CASE("line filters, with and without help of the source") {
  for (const bool fast : {false, true}) {
    TestingQueries queries({.rows_per_block = 2, .fast_paths = fast});
    add_two_streams(queries);
    CHECK(queries.logs("{app=\"a\"} |= \"3\"", {.end = 10}) == "{app=\"a\"} 3:\"a3\"");
    CHECK(queries.logs("{app=\"a\"} != \"3\" |= \"a\" != \"4\" |~ \"[125]\"", {.end = 10}) ==
          "{app=\"a\"} 1:\"a1\" 2:\"a2\" 5:\"a5\"");
    CHECK(queries.logs("{app=\"a\"} | line_format \"x{{__line__}}\" |= \"xa3\"", {.end = 10}) ==
          "{app=\"a\"} 3:\"xa3\"");
  }
}

TEST_CASE("the interval is kept over all streams") {
  TestingQueries queries({.rows_per_block = 3});
  add_two_streams(queries);
  CHECK(queries.logs("{app=~\".+\"}", {.end = 10, .interval = 2}) == "{app=\"a\"} 1:\"a1\" 3:\"a3\" 5:\"a5\"");
  CHECK(queries.logs("{app=~\".+\"}", {.end = 10, .direction = kBackward, .interval = 3}) ==
        "{app=\"b\"} 5:\"b5\" 2:\"b2\"");
  // The limit counts what was looked at.
  CHECK(queries.logs("{app=\"a\"}", {.end = 10, .limit = 4, .interval = 2}) == "{app=\"a\"} 1:\"a1\" 3:\"a3\"");
}

TEST_CASE("categorised answers group by stream labels") {
  TestingQueries queries;
  queries.add({{"app", "a"}}, 1, "x=1", {{"trace", "t"}});
  CHECK(queries.logs("{app=\"a\"} | logfmt", {.end = 10}) == "{app=\"a\", trace=\"t\", x=\"1\"} 1:\"x=1\"");
  CHECK(queries.logs("{app=\"a\"} | logfmt", {.end = 10, .categorize = true}) ==
        "{app=\"a\"} 1:\"x=1\"/meta{trace=\"t\"}/parsed{x=\"1\"}");
}

TEST_CASE("order by time and by fields") {
  TestingQueries queries({.rows_per_block = 2});
  const char* took[] = {"9", "10", "abc", "", "2"};
  for (int i = 0; i < 5; ++i) queries.add({{"app", "a"}}, i + 1, std::string("took=") + took[i]);
  CHECK(queries.logs("{app=\"a\"} | order by timestamp asc", {.end = 10, .limit = 2, .direction = kBackward}) ==
        "{app=\"a\"} 1:\"took=9\" 2:\"took=10\"");
  CHECK(queries.logs("{app=\"a\"} | logfmt | sort by took", {.end = 10}) ==
        "{app=\"a\", took=\"2\"} 5:\"took=2\"\n{app=\"a\", took=\"9\"} 1:\"took=9\"\n{app=\"a\", took=\"10\"} "
        "2:\"took=10\"\n"
        "{app=\"a\", took=\"abc\"} 3:\"took=abc\"\n{app=\"a\"} 4:\"took=\"");
  CHECK(queries.logs("{app=\"a\"} | logfmt | sort by took desc | limit 2", {.end = 10}) ==
        "{app=\"a\", took=\"abc\"} 3:\"took=abc\"\n{app=\"a\", took=\"10\"} 2:\"took=10\"");
  CHECK(queries.logs("{app=\"a\"} | logfmt | sort by took desc | took < 10", {.end = 10, .limit = 1}) ==
        "{app=\"a\", took=\"9\"} 1:\"took=9\"");
  CHECK(compare_field_texts("9", "10") < 0);
  CHECK(compare_field_texts("9", "x") < 0);
  CHECK(compare_field_texts("1768032060000000001", "1768032060000000000") > 0);
  CHECK(compare_field_texts("007", "7") == 0);
  CHECK(compare_field_texts("9ms", "59ms") < 0);
  CHECK(compare_field_texts("2s", "59ms") > 0);
  CHECK(compare_field_texts("5KiB", "1MB") < 0);
  CHECK(compare_field_texts("b", "a") > 0);
  CHECK(compare_field_texts("1.0", "1") == 0);
}

TEST_CASE("selectors on fields, metadata and ids") {
  const std::string id = "4bf92f3577b34da6a3ce929d0e0e4736";
  for (const bool fast : {false, true}) {
    TestingQueries queries({.fast_paths = fast});
    queries.add({{"app", "a"}}, 1, "{\"trace_id\":\"" + id + "\",\"level\":\"error\",\"status\":200}");
    queries.add({{"app", "a"}}, 2, "plain text with " + id + " in it");
    queries.add({{"app", "a"}}, 3, "plain text with x" + id + " in it");
    queries.add({{"app", "a"}}, 4, "nothing here", {{"trace_id", id}});
    queries.add({{"app", "b"}}, 5, "level=ERROR status=500");
    const auto times = [&](std::string_view query) {
      const auto result = queries.run(query, {.end = 10}, false);
      REQUIRE(result.has_value());
      std::string out;
      for (int t = 1; t < 10; ++t) {
        for (const auto& stream : std::get<Streams>(*result).streams) {
          for (const auto& entry : stream.entries)
            out += entry.timestamp.value == t * 1'000'000'000LL ? std::to_string(t) : "";
        }
      }
      return out;
    };
    CHECK(times("{trace_id=\"" + id + "\"}") == "124");
    CHECK(times("{level=\"error\"}") == "15");
    CHECK(times("{status=\"200\"}") == "1");
    CHECK(times("{status=~\"2..|5..\"}") == "15");
    CHECK(times("{app=\"b\", status=~\"2..|5..\"}") == "5");
    CHECK(times("{status=\"20\"}") == "");
    CHECK(times("{app=\"a\", level!=\"error\"}") == "1234");
    CHECK(times("{level=~\"(?i)error\"}") == "15");
    CHECK(times("{level=~\".+\", status=~\"5.+\"}") == "5");
    CHECK(times("{trace_id=~\"4bf92.*\"}") == "14");
    const auto off = queries.logs("{level=\"error\"}", {.end = 10, .limits = {.field_selectors = false}});
    CHECK(off == "");
  }
  CHECK(looks_like_id(id));
  CHECK(looks_like_id("00f067aa0ba902b7"));
  CHECK(looks_like_id("123e4567-e89b-12d3-a456-426614174000"));
  CHECK(looks_like_id("01ARZ3NDEKTSV4RRFFQ69G5FAV"));
  CHECK_FALSE(looks_like_id("error"));
  CHECK_FALSE(looks_like_id("200"));
}

TEST_CASE("duplicates between blocks are returned once") {
  TestingQueries queries({.rows_per_block = 2, .exact = false});
  for (const double t : {1, 2, 2, 2, 2, 3}) queries.add({{"app", "a"}}, t, "x");
  CHECK(queries.logs("{app=\"a\"}", {.end = 10}) == "{app=\"a\"} 1:\"x\" 2:\"x\" 3:\"x\"");
}

TEST_CASE("a query says what is wrong with it") {
  TestingQueries queries;
  CHECK(queries.logs("{app=\"a\"} |~ \"(\"", {.end = 10}) ==
        "error: parse error : stage '|~ \"(\"' : error parsing regexp: missing closing ): `(`");
  CHECK(queries.logs("{app=\"a\"", {.end = 10}) ==
        "error: parse error at line 1, col 9: syntax error: unexpected $end, expecting } or ,");
}
