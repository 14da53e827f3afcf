#include "cli/print.h"

#include <cstdlib>
#include <ctime>
#include <sstream>

#include <doctest/doctest.h>

#include "cli/answer.h"
#include "cli/commands.h"
#include "cli/line_stamp.h"
#include "cli/local.h"
#include "cli/query_shape.h"

using namespace kvasir;
using namespace kvasir::cli;

namespace {

constexpr std::string_view kTwoStreams = R"({"status":"success","data":{"resultType":"streams","result":[
  {"stream":{"app":"web","pod":"a"},"values":[["1768032000250000000","one"],["1768032002000000000","three"]]},
  {"stream":{"app":"web","pod":"bb"},"values":[["1768032001000000000","two \u001b"]]}],"stats":{}}})";

std::string printed(PrintOptions options, bool forward, std::string* messages = nullptr) {
  const auto answer = read_query_answer(kTwoStreams);
  REQUIRE(answer.has_value());
  const auto& streams = std::get<logql::Streams>(answer->result).streams;
  std::ostringstream out, err;
  EntryPrinter printer(std::move(options), out);
  printer.set_common_labels(streams, err);
  for (const auto& item : in_time_order(streams, forward)) printer.print(item);
  if (messages != nullptr) *messages = err.str();
  return out.str();
}

}  // namespace

TEST_CASE("entries of all streams come in time order, common labels once") {
  std::string messages;
  const auto text = printed({.utc = true}, true, &messages);
  CHECK(text ==
        "2026-01-10T08:00:00Z {pod=\"a\"}  one\n"
        "2026-01-10T08:00:01Z {pod=\"bb\"} two \x1b\n"
        "2026-01-10T08:00:02Z {pod=\"a\"}  three\n");
  CHECK(messages == "Common labels: {app=\"web\"}\n");
}

TEST_CASE("raw is the line and nothing else; jsonl escapes") {
  CHECK(printed({.mode = OutputMode::kRaw}, false) == "three\ntwo \x1b\none\n");
  const auto jsonl = printed({.mode = OutputMode::kJsonl}, true);
  CHECK(jsonl.find(R"({"labels":{"app":"web","pod":"bb"},"line":"two \u001b","timestamp":"2026-01-10T08:00:01Z"})") !=
        std::string::npos);
}

TEST_CASE("labels can be chosen and left out") {
  CHECK(printed({.utc = true, .no_labels = true}, true).starts_with("2026-01-10T08:00:00Z one\n"));
  CHECK(printed({.utc = true, .include_common_labels = true, .exclude_labels = {"pod"}}, true)
            .starts_with("2026-01-10T08:00:00Z {app=\"web\"} one\n"));
}

TEST_CASE("metrics print as a table or as one series a line") {
  const auto answer = read_query_answer(
      R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"x"},"value":[10.5,"3"]}]}})");
  REQUIRE(answer.has_value());
  std::ostringstream table, json;
  print_metric(answer->result, {.mode = OutputMode::kTable}, table);
  CHECK(table.str() == "a  value\nx  3\n");
  print_metric(answer->result, {}, json);
  CHECK(json.str() == "[\n  {\"metric\":{\"a\":\"x\"},\"value\":[10.5,\"3\"]}\n]\n");
}

TEST_CASE("answers that are not what they should be are refused by name") {
  for (const auto* bad : {"", "x", "[]", "{}", R"({"data":{"resultType":"streams"}})",
                          R"({"data":{"resultType":"streams","result":[{"stream":{"a":1},"values":[]}]}})",
                          R"({"data":{"resultType":"streams","result":[{"stream":{},"values":[["x","y"]]}]}})",
                          R"({"data":{"resultType":"odd","result":[]}})"}) {
    CAPTURE(bad);
    const auto answer = read_query_answer(bad);
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().message().starts_with("the server's answer is malformed: "));
  }
}

TEST_CASE("times: flags name themselves in errors") {
  const ManualClock clock({1768032000'000000000});
  CHECK(resolve_times({.since = "1h"}, clock)->begin == TimestampNs{1768028400'000000000});
  CHECK(resolve_times({.from = "2026-01-10T07:00:00Z"}, clock)->begin == TimestampNs{1768028400'000000000});
  CHECK(resolve_times({.from = "1768028400"}, clock)->begin == TimestampNs{1768028400'000000000});
  const auto bad = resolve_times({.from = "yesterday"}, clock);
  REQUIRE_FALSE(bad.has_value());
  CHECK(bad.error().message().starts_with("--from is not a time: \"yesterday\""));
  CHECK_FALSE(resolve_times({.since = "soon"}, clock).has_value());
  CHECK_FALSE(resolve_times({.from = "1768032001"}, clock).has_value());
}

TEST_CASE("a query says itself how its entries are ordered and how many are wanted") {
  const auto fitted = [](std::string query, std::uint32_t limit) {
    QueryFlags flags;
    flags.query = std::move(query);
    flags.limit = limit;
    return fitted_to_query(std::move(flags));
  };
  CHECK(fitted(R"({a="b"} | limit 2)", 30).limit == 2);
  CHECK(fitted(R"({a="b"} | limit 2)", 0).limit == 2);
  CHECK(fitted(R"({a="b"} | limit 200)", 30).limit == 30);
  CHECK(fitted(R"({a="b"} | order by timestamp asc)", 30).forward);
  CHECK_FALSE(fitted(R"({a="b"} | order by timestamp desc)", 30).forward);
  CHECK_FALSE(fitted(R"({a="b"} | order by timestamp asc)", 30).answer_order);
  CHECK(fitted(R"({a="b"} | logfmt | order by timestamp, n)", 30).answer_order);
  CHECK(fitted(R"({a="b"} | logfmt | order by n)", 30).answer_order);
  CHECK(fitted(R"({a="b"} | logfmt | order by n)", 0).batch == 5000);
  CHECK(fitted("{a=", 30).limit == 30);
}

TEST_CASE("stamps of the usual log formats are found") {
  setenv("TZ", "UTC", 1);
  tzset();
  const TimestampNs near = *parse_rfc3339("2026-03-01T00:00:00Z");
  const auto found = [&](std::string_view line) {
    const auto stamp = find_line_stamp(line, near);
    return stamp ? format_rfc3339(*stamp) : "none";
  };
  CHECK(found("2026-01-10T08:00:00.5+01:00 x") == "2026-01-10T07:00:00.5Z");
  CHECK(found(R"({"ts":"2026-01-10T08:00:00Z","a":1})") == "2026-01-10T08:00:00Z");
  CHECK(found("[2026-01-10 09:00:00] two") == "2026-01-10T09:00:00Z");
  CHECK(found("2026-01-10 09:00:00,123 INFO three") == "2026-01-10T09:00:00.123Z");
  CHECK(found("2026-01-10 09:00:00.000001 +0000") == "2026-01-10T09:00:00.000001Z");
  CHECK(found("2026/01/10 09:00:00 [error] 7#7: x") == "2026-01-10T09:00:00Z");
  CHECK(found(R"(::1 - - [10/Jan/2026:09:00:00 +0100] "GET / HTTP/1.1" 200)") == "2026-01-10T08:00:00Z");
  CHECK(found("Feb  3 04:05:06 host sshd[1]: x") == "2026-02-03T04:05:06Z");
  CHECK(found("<13>Dec 31 23:59:59 host x") == "2025-12-31T23:59:59Z");  // last year's: it would be ten months ahead
  CHECK(found("Mar  1 12:00:00 host clock a little ahead") == "2026-03-01T12:00:00Z");
  CHECK(found("2026-13-45 99:99:99 no time") == "none");
  CHECK(found("12026-01-10 09:00:00") == "none");
  CHECK(found("Foo 12 12:12:12") == "none");
  CHECK(found("") == "none");
}

TEST_CASE("lines of local files keep the times they carry") {
  logql::MemorySource source;
  TimeRange range;
  setenv("TZ", "UTC", 1);
  tzset();
  add_lines(source, Labels{{"filename", "x"}},
            "no stamp\n2026-01-10T08:00:00.5Z one\n  at somewhere()\r\n[2026-01-10 09:00:00] "
            "two\n1234567890123456789012345 three",
            TimestampNs{1'768'000'000'000'000'000}, range);
  CHECK(range.begin == TimestampNs{1'768'000'000'000'000'000});
  CHECK(range.end == *parse_rfc3339("2026-01-10T09:00:00Z") + Duration(2));  // the last line has the time before it
}
