#include "server/result_cache.h"

#include <doctest/doctest.h>

#include "logql/syntax/parser.h"
#include "server/cached_range.h"

using namespace kvasir;
using namespace kvasir::server;

namespace {

std::vector<logql::Series> series_of(std::size_t points) {
  logql::Series series{{{"app", "a"}}, {}};
  for (std::size_t i = 0; i < points; ++i) series.points.push_back({static_cast<std::int64_t>(i), 1.0});
  return {series};
}

}  // namespace

TEST_CASE("a part is found under its key and its origin only") {
  ResultCache cache(1 << 20, nullptr);
  cache.put("k", "segments 1 2", series_of(3));
  REQUIRE(cache.get("k", "segments 1 2") != nullptr);
  CHECK(cache.get("k", "segments 1 2")->front().points.size() == 3);
  CHECK(cache.get("k", "segments 1 3") == nullptr);
  CHECK(cache.get("x", "segments 1 2") == nullptr);
  cache.put("k", "segments 1 3", series_of(4));
  CHECK(cache.get("k", "segments 1 2") == nullptr);
  CHECK(cache.get("k", "segments 1 3")->front().points.size() == 4);
  CHECK(cache.counters().parts == 1);
}

TEST_CASE("parts are counted in bytes, and the longest untouched go first") {
  MemoryBudget budget("process", 0);
  {
    ResultCache cache(100'000, &budget);
    for (int i = 0; i < 100; ++i) {
      cache.put("k" + std::to_string(i), "o", series_of(200));
      CHECK(cache.get("k0", "o") != nullptr);
      CHECK(cache.counters().bytes <= 100'000);
    }
    CHECK(cache.counters().bytes == budget.used_bytes());
    CHECK(cache.counters().parts > 20);
    CHECK(cache.get("k1", "o") == nullptr);
    CHECK(cache.get("k99", "o") != nullptr);
    cache.put("huge", "o", series_of(100'000));
    CHECK(cache.get("huge", "o") == nullptr);
  }
  CHECK(budget.used_bytes() == 0);
}

TEST_CASE("a cache without memory keeps nothing") {
  MemoryBudget full("process", 100);
  ResultCache cache(1 << 20, &full);
  cache.put("k", "o", series_of(100));
  CHECK(cache.get("k", "o") == nullptr);
  CHECK_FALSE(ResultCache(0, nullptr).enabled());
}

TEST_CASE("which queries may be answered in parts") {
  logql::QueryParams params;
  params.step = std::chrono::seconds(15);
  const auto cacheable = [&](const char* query) { return is_cacheable(*logql::parse_query(query).value(), params); };
  CHECK(cacheable("rate({a=\"b\"}[5m])"));
  CHECK(cacheable("sum by (a) (count_over_time({a=\"b\"} |= \"x\" [5m] offset 1h)) / 2"));
  CHECK(cacheable("topk(3, sum by (a) (rate({a=\"b\"}[1m])))"));
  CHECK_FALSE(cacheable("{a=\"b\"}"));
  CHECK_FALSE(cacheable("vector(1)"));
  CHECK_FALSE(cacheable("approx_topk(3, sum by (a) (rate({a=\"b\"}[1m])))"));
  CHECK_FALSE(cacheable("{a=\"b\"} | stats count() by level"));
  params.instant = true;
  CHECK_FALSE(cacheable("rate({a=\"b\"}[5m])"));
  params.instant = false;
  params.step = std::chrono::nanoseconds(1500);
  CHECK_FALSE(cacheable("rate({a=\"b\"}[5m])"));
}
