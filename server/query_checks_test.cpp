#include "server/query_checks.h"

#include <doctest/doctest.h>

#include "logql/syntax/parser.h"

using namespace kvasir;
using namespace kvasir::server;

namespace {

using Check = Result<void> (*)(const logql::Expr&, const QuerySettings&);

std::string error_of(Check check, const char* query, const QuerySettings& settings) {
  const auto expr = logql::parse_query(query);
  REQUIRE_MESSAGE(expr.has_value(), query);
  const auto got = check(**expr, settings);
  return got ? "" : got.error().message();
}

std::string blocked(const BlockedQuery& rule, const char* query, const char* tags = "") {
  QuerySettings settings;
  settings.blocked_queries = {rule};
  const auto expr = logql::parse_query(query);
  REQUIRE_MESSAGE(expr.has_value(), query);
  const auto got = check_blocked(**expr, query, tags, settings);
  return got ? "" : got.error().message();
}

constexpr const char* kBlocked = "query blocked by policy";

}  // namespace

TEST_CASE("kinds of queries") {
  const auto f = [](const char* query, std::string_view want) {
    CHECK(query_kind(**logql::parse_query(query)) == want);
  };
  f("{a=\"b\"}", "limited");
  f("{a=\"b\"} |= \"x\"", "filter");
  f("rate({a=\"b\"}[1m])", "metric");
  f("1 + 1", "metric");
}

TEST_CASE("blocked queries by text, regex, kind, hash and tags") {
  CHECK(blocked({"{app=\"s\"}", false, {}, {}, {}}, "{ app = \"s\" }") == kBlocked);
  CHECK(blocked({"{app=\"s\"}", false, {}, {}, {}}, "{app=\"s\"} |= \"x\"").empty());
  CHECK(blocked({".*forbidden.*", true, {}, {}, {}}, "{a=\"b\"} |= \"forbidden\"") == kBlocked);
  CHECK(blocked({".*x.*", true, {"metric"}, {}, {}}, "{a=\"x\"}").empty());
  CHECK(blocked({".*x.*", true, {"metric"}, {}, {}}, "rate({a=\"x\"}[1m])") == kBlocked);
  CHECK(blocked({"", false, {}, {}, {}}, "{a=\"x\"}") == kBlocked);
  CHECK(blocked({"", false, {}, {}, {{"user", "u"}}}, "{a=\"x\"}", "a=b, user=u") == kBlocked);
  CHECK(blocked({"", false, {}, {}, {{"user", "u"}}}, "{a=\"x\"}", "user=v").empty());
  CHECK(blocked({"", false, {}, 1u, {}}, "{a=\"x\"}").empty());
}

TEST_CASE("required labels, least matchers, most matchers") {
  QuerySettings settings;
  settings.required_labels = {"app"};
  settings.minimum_labels_number = 2;
  settings.max_streams_matchers_per_query = 3;
  CHECK(error_of(check_required_labels, "{app=\"a\", env=\"b\"}", settings).empty());
  CHECK(error_of(check_required_labels, "{job=\"a\", env=\"b\"}", settings) ==
        "stream selector is missing required matchers [app], labels present in the query were [job, env]");
  CHECK(error_of(check_required_labels, "sum(rate({app=\"a\", b=\"b\"}[1m])) + sum(rate({app=\"a\"}[1m]))", settings) ==
        "stream selector has less label matchers than required: (present: [app], number_present: 1, "
        "required_number_label_matchers: 2)");
  CHECK(error_of(check_matcher_count, "{a=\"1\", b=\"1\", c=\"1\", d=\"1\"}", settings) ==
        "max streams matchers per query exceeded, matchers-count > limit (4 > 3)");
}

TEST_CASE("the empty selector can be switched off") {
  QuerySettings settings;
  CHECK(error_of(check_empty_selectors, "{}", settings).empty());
  settings.allow_empty_selector = false;
  CHECK(error_of(check_empty_selectors, "{} |= \"x\"", settings)
            .starts_with("parse error : queries require at least one"));
  CHECK(error_of(check_empty_selectors, "{a=\"b\"}", settings).empty());
}

TEST_CASE("width of ranges") {
  QuerySettings settings;
  CHECK(error_of(check_range_width, "rate({a=\"b\"}[99h])", settings).empty());
  settings.max_query_range = std::chrono::minutes(10);
  CHECK(error_of(check_range_width, "rate({a=\"b\"}[10m])", settings).empty());
  CHECK(error_of(check_range_width, "rate({a=\"b\"}[1m]) + rate({a=\"b\"}[20m])", settings) ==
        "[interval] value exceeds limit: [20m] > [10m]");
}

TEST_CASE("the length of a query has the largest range and offset in it") {
  const auto hours = [](const char* query, int between) {
    const auto expr = logql::parse_query(query);
    REQUIRE_MESSAGE(expr.has_value(), query);
    return std::chrono::duration<double, std::ratio<3600>>(query_length(**expr, std::chrono::hours(between))).count();
  };
  CHECK(hours("{a=\"b\"}", 3) == 3);
  CHECK(hours("1 + 1", 3) == 3);
  CHECK(hours("count_over_time({a=\"b\"}[40d])", 0) == 960);
  CHECK(hours("rate({a=\"b\"}[1h] offset 2h)", 1) == 4);
  CHECK(hours("rate({a=\"b\"}[1h] offset -5h)", 1) == 2);
  CHECK(hours("sum(rate({a=\"b\"}[3h])) / max(rate({a=\"b\"}[1h] offset 90m))", 1) == 4);
  CHECK(hours("let x = rate({a=\"b\"}[6h]); x + rate({a=\"b\"}[1h])", 0) == 6);
  const auto vast = logql::parse_query("rate({a=\"b\"}[200y] offset 200y)");
  REQUIRE(vast.has_value());
  CHECK(query_length(**vast, std::chrono::hours(1)) == Duration::max());
}

TEST_CASE("entries") {
  QuerySettings settings;
  CHECK(check_entry_limit(5000, settings).has_value());
  CHECK(check_entry_limit(5001, settings).error().message() ==
        "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)");
  settings.max_entries_limit_per_query = 0;
  CHECK(check_entry_limit(1u << 30, settings).has_value());
}
