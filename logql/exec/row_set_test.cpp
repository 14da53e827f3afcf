#include <doctest/doctest.h>

#include <random>

#include "logql/log_source.h"

namespace kvasir::logql {
namespace {

TEST_CASE("rows of a part are counted and found") {
  std::mt19937_64 random(2);
  for (int round = 0; round < 500; ++round) {
    RowSet rows(random() % 300, false);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (random() % (1 + static_cast<std::size_t>(round) % 40) == 0) rows.set(row);
    }
    const std::size_t begin = random() % (rows.size() + 1), end = begin + random() % (rows.size() - begin + 1);
    std::size_t count = 0, next = rows.size();
    for (std::size_t row = rows.size(); row-- > begin;) {
      count += row < end && rows.test(row) ? 1 : 0;
      if (rows.test(row)) next = row;
    }
    REQUIRE(rows.count(begin, end) == count);
    REQUIRE(rows.next(begin) == next);
  }
}

}  // namespace
}  // namespace kvasir::logql
