#include "server/request_limits.h"

#include <doctest/doctest.h>

using namespace kvasir;
using namespace kvasir::server;

TEST_CASE("limits of a request only tighten those of the tenant") {
  QuerySettings settings;
  settings.max_query_length = std::chrono::hours(10);
  settings.max_entries_limit_per_query = 5000;
  REQUIRE(tighten(settings,
                  R"({"maxQueryLength":"1h","maxQueryInterval":"10m","maxQueryLookback":"1d","maxQueryTime":"10s",)"
                  R"("maxEntriesLimitPerQuery":100,"minimumLabelsNumber":2,"requiredLabels":["app"],)"
                  R"("maxQueryBytesRead":"1KB","other":[1]})"));
  CHECK(settings.max_query_length == std::chrono::hours(1));
  CHECK(settings.max_query_range == std::chrono::minutes(10));
  CHECK(settings.max_query_lookback == std::chrono::hours(24));
  CHECK(settings.query_timeout == std::chrono::seconds(10));
  CHECK(settings.max_entries_limit_per_query == 100);
  CHECK(settings.minimum_labels_number == 2);
  CHECK(settings.required_labels == std::vector<std::string>{"app"});
  CHECK(settings.max_query_bytes_read > 0);
  REQUIRE(tighten(
      settings, R"({"maxQueryLength":"5h","maxEntriesLimitPerQuery":0,"maxQueryTime":"1h","minimumLabelsNumber":1})"));
  CHECK(settings.max_query_length == std::chrono::hours(1));
  CHECK(settings.max_entries_limit_per_query == 100);
  CHECK(settings.query_timeout == std::chrono::seconds(10));
  CHECK(settings.minimum_labels_number == 2);
}

TEST_CASE("limits of a request that cannot be read") {
  for (const auto* json :
       {"", "x", "[]", R"({"maxQueryLength":1})", R"({"maxQueryLength":"x"})", R"({"requiredLabels":"app"})",
        R"({"maxEntriesLimitPerQuery":-1})", R"({"minimumLabelsNumber":"1"})"}) {
    CAPTURE(json);
    QuerySettings settings;
    CHECK_FALSE(tighten(settings, json));
  }
}
