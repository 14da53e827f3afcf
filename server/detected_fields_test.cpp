#include "server/detected_fields.h"

#include <doctest/doctest.h>

#include "server/line_patterns.h"

using namespace kvasir;
using namespace kvasir::server;

TEST_CASE("types of values") {
  const auto f = [](const char* value, std::string_view want) {
    CHECK_MESSAGE(field_type_name(field_type_of(value)) == want, value);
  };
  f("200", "int");
  f("-1", "int");
  f("1.5", "float");
  f("NaN", "float");
  f("true", "boolean");
  f("12ms", "duration");
  f("1h2m", "duration");
  f("12kB", "bytes");
  f("3 MiB", "bytes");
  f("", "string");
  f("GET", "string");
}

TEST_CASE("humanised bytes") {
  const auto f = [](std::uint64_t bytes, const char* want) { CHECK(humanise_bytes(bytes) == want); };
  f(0, "0B");
  f(9, "9B");
  f(88, "88B");
  f(1000, "1.0kB");
  f(9000, "9.0kB");
  f(11264, "11kB");
  f(1100000, "1.1MB");
  f(700000, "700kB");
}

TEST_CASE("fields of JSON, logfmt and metadata") {
  logql::Streams streams;
  streams.streams.push_back(
      {Labels{{"app", "x"}},
       {{{1}, 1, R"({"http":{"status":200},"app":"y","msg":"a b"})", Labels{{"trace_id", "t1"}}, {}},
        {{2}, 2, "took=12ms size=1kB status=ok", Labels{{"trace_id", "t2"}}, {}},
        {{3}, 3, R"({"http":{"status":500}})", {}, {}}}});
  const auto collector = FieldCollector::create(100);
  REQUIRE(collector.has_value());
  (*collector)->add(streams);
  const auto& fields = (*collector)->fields();
  REQUIRE(fields.count("http_status") == 1);
  const auto& status = fields.at("http_status");
  CHECK(status.type == FieldType::kInt);
  CHECK(status.values.size() == 2);
  CHECK(status.parsers == std::vector<std::string>{"json"});
  CHECK(status.json_path == std::vector<std::string>{"http", "status"});
  CHECK(fields.at("app_extracted").json_path == std::vector<std::string>{"app"});
  CHECK(fields.at("took").type == FieldType::kDuration);
  CHECK(fields.at("took").parsers == std::vector<std::string>{"logfmt"});
  CHECK(fields.at("trace_id").parsers.empty());
  CHECK(fields.at("trace_id").values.size() == 2);
  CHECK(fields.count("app") == 0);
}

TEST_CASE("no more fields than asked for") {
  logql::Streams streams;
  streams.streams.push_back({Labels{}, {{{1}, 1, "a=1 b=2 c=3 d=4", {}, {}}}});
  const auto collector = FieldCollector::create(2);
  (*collector)->add(streams);
  CHECK((*collector)->fields().size() == 2);
}

TEST_CASE("tokens join to the line") {
  for (const char* line : {"", "a", " a  b=c, d ", "level=info msg=\"x y\""}) {
    std::string joined;
    for (const auto token : pattern_tokens(line)) joined += token;
    CHECK(joined == line);
  }
}

TEST_CASE("lines that differ in places share a pattern") {
  PatternMiner miner(std::chrono::seconds(10));
  const auto add = [&](const char* line, std::int64_t second) {
    miner.add_line(line, "info", {second * 1'000'000'000});
  };
  add("user ann logged in after 12 ms", 1);
  add("user bob logged in after 7 ms", 2);
  add("user eve logged in after 900 ms", 15);
  add("disk full", 3);
  const auto patterns = miner.patterns();
  REQUIRE(patterns.size() == 2);
  CHECK(patterns[0].text == "user <_> logged in after <_> ms");
  CHECK(patterns[0].total == 3);
  CHECK(patterns[0].samples == std::map<std::int64_t, std::uint64_t>{{0, 2}, {10, 1}});
  CHECK(patterns[1].text == "disk full");
}

TEST_CASE("levels and lengths keep patterns apart; long and short lines are left out") {
  PatternMiner miner(std::chrono::seconds(1));
  miner.add_line("a b c", "info", {0});
  miner.add_line("a b c", "warn", {0});
  miner.add_line("a b c d", "info", {0});
  miner.add_line("alone", "info", {0});
  miner.add_line(std::string(4000, 'x') + " y z", "info", {0});
  CHECK(miner.patterns().size() == 3);
}
