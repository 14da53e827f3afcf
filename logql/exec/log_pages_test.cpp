#include <doctest/doctest.h>

#include "logql/exec/testing_query.h"
#include "logql/log_pages.h"

using namespace kvasir;
using namespace kvasir::logql;

namespace {

QueryParams params_of(std::string query, Direction direction, std::uint32_t limit = 1000) {
  QueryParams params;
  params.query = std::move(query);
  params.start = {0};
  params.end = {100'000'000'000};
  params.direction = direction;
  params.limit = limit;
  return params;
}

/// The lines of all pages; `pages` counts them, `resume` is where the last one says to go on.
std::string read_all(TestingQueries& queries, const QueryParams& params, std::uint64_t page_bytes, int& pages,
                     std::optional<EntryPosition> after = {}, std::optional<EntryPosition>* resume = nullptr) {
  const SystemClock clock;
  MemoryBudget budget("test", 0);
  QueryContext context(clock, Duration::max(), {}, budget, {});
  auto pager = LogPager::open(params, page_bytes, after);
  REQUIRE(pager);
  std::string lines;
  for (pages = 0;; ) {
    auto page = (*pager)->next(queries.source(), context);
    REQUIRE(page);
    ++pages;
    for (const auto& row : page->rows) lines += row.entry.line + " ";
    if (resume != nullptr) *resume = page->resume;
    if (page->last) break;
  }
  CHECK(budget.used_bytes() == 0);
  return lines;
}

void add_equal_instants(TestingQueries& queries) {
  for (int i = 0; i < 6; ++i) queries.add({{"app", i % 2 == 0 ? "a" : "b"}}, 1, std::to_string(i));
  for (int i = 6; i < 9; ++i) queries.add({{"app", "a"}}, 2, std::to_string(i));
}

}  // namespace

TEST_CASE("pages of a log query hold every entry once, in order, also when an instant is in several") {
  TestingQueries queries({.rows_per_block = 2});
  add_equal_instants(queries);
  int pages = 0;
  CHECK(read_all(queries, params_of("{}", Direction::kForward), 0, pages) == "0 1 2 3 4 5 6 7 8 ");
  CHECK(pages == 1);
  CHECK(read_all(queries, params_of("{}", Direction::kForward), 1, pages) == "0 1 2 3 4 5 6 7 8 ");
  CHECK(pages >= 9);
  CHECK(read_all(queries, params_of("{}", Direction::kBackward), 1, pages) == "8 7 6 5 4 3 2 1 0 ");
  CHECK(read_all(queries, params_of("{}", Direction::kBackward), 600, pages) == "8 7 6 5 4 3 2 1 0 ");
  CHECK(pages > 2);
  CHECK(pages < 9);
}

TEST_CASE("the limit counts over all pages, and says where to go on") {
  TestingQueries queries({.rows_per_block = 2});
  add_equal_instants(queries);
  int pages = 0;
  std::optional<EntryPosition> resume;
  CHECK(read_all(queries, params_of("{}", Direction::kForward, 4), 1, pages, {}, &resume) == "0 1 2 3 ");
  REQUIRE(resume);
  CHECK(resume->timestamp.value == 1'000'000'000);
  CHECK(read_all(queries, params_of("{}", Direction::kForward, 4), 0, pages, resume, &resume) == "4 5 6 7 ");
  CHECK(read_all(queries, params_of("{}", Direction::kForward, 4), 0, pages, resume, &resume) == "8 ");
  CHECK_FALSE(resume);
}

TEST_CASE("the interval is kept over the border of pages") {
  TestingQueries queries({.rows_per_block = 3});
  for (int i = 1; i <= 9; ++i) queries.add({{"app", "a"}}, i, std::to_string(i));
  auto params = params_of("{}", Direction::kForward);
  params.interval = std::chrono::seconds(3);
  int pages = 0;
  CHECK(read_all(queries, params, 1, pages) == "1 4 7 ");
  CHECK(pages > 3);
}

TEST_CASE("a query that is ordered by a field has one page") {
  TestingQueries queries;
  for (int i = 1; i <= 9; ++i) queries.add({{"app", "a"}}, i, "n=" + std::to_string(i % 3));
  int pages = 0;
  CHECK(read_all(queries, params_of("{} | logfmt | order by n", Direction::kForward, 4), 1, pages) ==
        "n=0 n=0 n=0 n=1 ");
  CHECK(pages == 1);
}

TEST_CASE("cursors") {
  const EntryPosition position{{-12}, 7};
  CHECK(format_cursor(position) == "-12-7");
  CHECK(parse_cursor("-12-7").value() == position);
  CHECK(parse_cursor("18-446").value() == EntryPosition{{18}, 446});
  for (const auto* broken :
       {"", "1", "1-", "-", "a-1", "1-b", "1--1", "99999999999999999999-1", "1-99999999999999999999"}) {
    CAPTURE(broken);
    CHECK_FALSE(parse_cursor(broken));
  }
}
