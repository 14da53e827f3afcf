// The queries of the users' documents, as they stand there.
#include <doctest/doctest.h>

#include <algorithm>

#include "logql/exec/testing_query.h"

using namespace kvasir;
using namespace kvasir::logql;

namespace {

std::string json_line(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  std::string out = "{";
  for (const auto& [name, value] : fields) {
    out += (out.size() == 1 ? "\"" : ",\"") + std::string(name) + "\":\"" + std::string(value) + "\"";
  }
  return out + "}";
}

}  // namespace

TEST_CASE("all logs of a trace, oldest first") {
  TestingQueries queries;
  const char* id = "4bf92f3577b34da6a3ce929d0e0e4736";
  queries.add(
      {{"app", "x"}}, 2,
      json_line({{"service", "cart"}, {"span_id", "s2"}, {"level", "INFO"}, {"message", "two"}, {"trace_id", id}}));
  queries.add(
      {{"app", "y"}}, 1,
      json_line({{"service", "shop"}, {"span_id", "s1"}, {"level", "ERROR"}, {"message", "one"}, {"trace_id", id}}));
  queries.add({{"app", "y"}}, 3,
              json_line({{"service", "shop"}, {"message", "other"}, {"trace_id", "00000000000000000000000000000000"}}));
  const std::string answer = queries.logs(R"({trace_id="4bf92f3577b34da6a3ce929d0e0e4736"}
| json
| line_format "[{{ .service }}:{{ .span_id }}] {{ .level }}: {{ .message }}"
| order by timestamp asc
)", {.end = 10, .direction = Direction::kBackward});
  CHECK(answer.find("1:\"[shop:s1] ERROR: one\"") != std::string::npos);
  CHECK(answer.find("2:\"[cart:s2] INFO: two\"") != std::string::npos);
  CHECK(answer.find("other") == std::string::npos);
}

TEST_CASE("canary analysis sums over whatever pods there are") {
  TestingQueries queries;
  for (int i = 0; i < 10; ++i) {
    queries.add({{"service", "ryot"}, {"level", "error"}, {"version", "v1"}, {"pod", "a" + std::to_string(i % 3)}}, i,
                "x");
  }
  for (int i = 0; i < 15; ++i) {
    queries.add({{"service", "ryot"}, {"level", "error"}, {"version", "v2"}, {"pod", "b" + std::to_string(i % 4)}}, i,
                "x");
  }
  const char* query = R"(# Analyze error rate before/after deployment
let before = count_over_time({service="ryot", level="error", version="v1"} [1h]);
let after = count_over_time({service="ryot", level="error", version="v2"} [1h]);
(after - before) / before > 0.1
)";
  CHECK(queries.instant(query, 60) == "{level=\"error\", service=\"ryot\"} 60:0.5");
}

TEST_CASE("canary analysis over fields of JSON lines") {
  TestingQueries queries;
  for (int i = 0; i < 25; ++i) {
    queries.add({{"service", "ryot"}}, i,
                json_line({{"level", i % 2 == 0 ? "error" : "ERROR"}, {"version", i < 10 ? "v1" : "v2"}}));
  }
  const char* query = R"(let before = count_over_time({service="ryot", level="error", version="v1"} [1h]);
let after = count_over_time({service="ryot", level="error", version="v2"} [1h]);
(after - before) / before > 0.1)";
  CHECK(queries.instant(query, 60) == "{service=\"ryot\"} 60:0.5");
}

TEST_CASE("dependencies out of logs") {
  TestingQueries queries;
  for (int i = 0; i < 5; ++i) {
    queries.add(
        {{"app", "x"}}, i,
        json_line({{"component", "http_client"}, {"service", i < 3 ? "shop" : "cart"}, {"called_service", "db"}}));
  }
  queries.add({{"app", "x"}}, 9, json_line({{"component", "other"}, {"service", "a"}, {"called_service", "b"}}));
  const char* query = R"(# Extract service dependencies
{component="http_client"}
| json
| line_format "{{.service}} → {{.called_service}}"
| stats count() as count by line
| sort by count desc
)";
  CHECK(queries.table(query, {.end = 10}) == "line,count\nshop → db,3\ncart → db,2");
  CHECK(queries.instant(query, 10) == "{line=\"shop → db\"} 10:3\n{line=\"cart → db\"} 10:2");
}

TEST_CASE("neither too common nor too rare") {
  TestingQueries queries;
  const auto add = [&](int count, const char* message, const char* level) {
    for (int i = 0; i < count; ++i)
      queries.add({{"app", "x"}}, i * 0.001, json_line({{"level", level}, {"message", message}}));
  };
  add(1000, "common", "error");
  add(11, "unusual", "error");
  add(10, "rare", "error");
  add(500, "fine", "info");
  const char* query = R"(# Detect unusual error messages
{level="error"}
| json
| stats count() as count by message
| count > 10 and count < 1000  # Neither too common nor too rare
)";
  CHECK(queries.table(query, {.end = 10}) == "message,count\nunusual,11");
  CHECK(queries.instant(query, 10) == "{message=\"unusual\"} 10:11");
}

TEST_CASE("compliance with an objective") {
  TestingQueries queries;
  for (int i = 0; i < 200; ++i) {
    queries.add({{"service", "good"}}, i, json_line({{"status", i == 0 ? "500" : "200"}}));
    queries.add({{"service", "bad"}}, i, json_line({{"status", i % 2 == 0 ? "500" : "200"}}));
  }
  const char* query = R"(# Calculate request success rate for SLO
sum by (service) (count_over_time({status="200"} [1h])) /
sum by (service) (count_over_time({} [1h])) > 0.99
)";
  CHECK(queries.instant(query, 300) == "{service=\"good\"} 300:0.995");
}

TEST_CASE("log volume to compare with a metric") {
  TestingQueries queries;
  for (int i = 0; i < 7; ++i) queries.add({{"service", "ryot"}}, i, "x");
  const char* query = R"(# Verify log volume matches metric count
{service="ryot"} | stats count() as log_count
)";
  CHECK(queries.instant(query, 60) == "{} 60:7");
  CHECK(queries.table(query, {.end = 60}) == "log_count\n7");
  CHECK(queries.range(query, {.start = 3, .end = 6, .step = 3}) == "{} 3:3 6:3");
}

TEST_CASE("stats functions") {
  TestingQueries queries;
  const char* lines[] = {"took=10ms n=1 u=a", "took=30ms n=2 u=b", "took=20ms n=x u=a", "n=3"};
  for (int i = 0; i < 4; ++i) queries.add({{"app", "a"}, {"pod", i < 3 ? "p" : "q"}}, i, lines[i]);
  CHECK(queries.table(
            "{app=\"a\"} | logfmt | stats count(), count(u) as c, sum(n), avg(n), min(n), max(n), count_distinct(u), "
            "quantile(0.5, took) as p50 by (pod)",
            {.end = 10}) ==
        "pod,count(),c,sum(n),avg(n),min(n),max(n),count_distinct(u),p50\np,3,3,3,1.5,1,2,2,0.02\nq,1,0,3,3,3,3,0,");
  CHECK(queries.instant("{app=\"a\"} | logfmt | stats sum(n) as s, count() as c by pod", 10) ==
        "{column=\"c\", pod=\"p\"} 10:3\n{column=\"c\", pod=\"q\"} 10:1\n{column=\"s\", pod=\"p\"} "
        "10:3\n{column=\"s\", pod=\"q\"} 10:3");
  CHECK(queries.table("{app=\"a\"} | logfmt | stats sum(n) as s by pod | order by pod desc | limit 1", {.end = 10}) ==
        "pod,s\nq,3");
  CHECK(queries.table("{app=\"a\"} | logfmt | stats count() as c by pod, u | stats count() as kinds by pod",
                      {.end = 10}) == "pod,kinds\np,2\nq,1");
  CHECK(queries.table("{app=\"none\"} | stats count() as n, sum(x) as s", {.end = 10}) == "n,s\n0,");
  CHECK(queries.table("{app=\"none\"} | stats count() as n by pod", {.end = 10}) == "pod,n");
  CHECK(queries.range("{app=\"a\"} | stats count() as n", {.start = 2, .end = 8, .step = 2}) == "{} 2:2 4:1 6:0 8:0");
  CHECK(queries.instant("({app=\"a\"} | stats count() as c by pod) * 2", 10) == "{pod=\"p\"} 10:6\n{pod=\"q\"} 10:2");
}

TEST_CASE("durations in a filter behind stats are seconds where the column is a number") {
  TestingQueries queries;
  const char* lines[] = {"took=120s slow=2m", "took=1500ms slow=12ms", "took=200ms slow=12ms", "slow=5s"};
  for (int i = 0; i < 4; ++i) queries.add({{"app", "a"}, {"pod", i == 0 ? "p" : i == 3 ? "r" : "q"}}, i, lines[i]);
  const auto kept = [&](const std::string& by, const std::string& filter) {
    const std::string table = queries.table(
        "{app=\"a\"} | logfmt | stats sum(took) as t, count() as n by " + by + " | " + filter, {.end = 10});
    return table.substr(std::min(table.find('\n'), table.size()));
  };
  CHECK(kept("pod", "t > 1s") == "\np,120,1\nq,1.7,2");
  CHECK(kept("pod", "t > 1700ms") == "\np,120,1");
  CHECK(kept("pod", "t = 1.7s") == "\nq,1.7,2");
  CHECK(kept("pod", "t <= 2m and t != 1700ms") == "\np,120,1");
  CHECK(kept("pod", "t > 1m or n > 1") == "\np,120,1\nq,1.7,2");
  CHECK(kept("pod", "t > 1s and (t < 2s or n > 5)") == "\nq,1.7,2");
  CHECK(kept("slow", "slow < 1s") == "\n12ms,1.7,2");
  CHECK(kept("slow", "slow > 1s and t > 1s") == "\n2m,120,1");
  CHECK(queries.table("{app=\"a\"} | logfmt | stats max(took) as m by pod | stats max(m) as t | t >= 2m", {.end = 10}) ==
        "t\n120");
}
