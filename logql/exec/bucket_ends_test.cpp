#include "logql/exec/bucket_ends.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

namespace kvasir::logql {
namespace {

void check_times(std::vector<std::int64_t> times, std::mt19937_64& random) {
  std::sort(times.begin(), times.end());
  std::vector<std::int64_t> coarse;
  for (std::size_t i = 0; i < times.size(); i += kTimesPerCoarse) coarse.push_back(times[i]);
  const BucketEnds ends(times, coarse);
  for (int round = 0; round < 200; ++round) {
    const std::size_t row = random() % times.size();
    const std::int64_t last = round % 3 == 0 ? times[row + random() % (times.size() - row)]
                                             : times[row] + static_cast<std::int64_t>(random() % 3000);
    const auto expected = std::upper_bound(times.begin() + static_cast<std::ptrdiff_t>(row), times.end(), last);
    REQUIRE(ends.first_after(row, last) == static_cast<std::size_t>(expected - times.begin()));
  }
}

TEST_CASE("the end of a bucket is found among even, odd and equal times") {
  std::mt19937_64 random(6);
  for (const std::size_t count : {1, 2, 63, 64, 65, 128, 1000}) {
    std::vector<std::int64_t> even, bursts, equal(count, 7);
    for (std::size_t i = 0; i < count; ++i) {
      even.push_back(static_cast<std::int64_t>(i * 10));
      bursts.push_back(static_cast<std::int64_t>(random() % 5 * 1'000'000 + random() % 7));
    }
    check_times(even, random);
    check_times(bursts, random);
    check_times(equal, random);
  }
}

TEST_CASE("the ends of time do not overflow") {
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min(), kMost = std::numeric_limits<std::int64_t>::max();
  const std::vector<std::int64_t> times{kLeast, 0, kMost}, coarse{kLeast};
  const BucketEnds ends(times, coarse);
  CHECK(ends.first_after(0, kLeast) == 1);
  CHECK(ends.first_after(0, 0) == 2);
  CHECK(ends.first_after(0, kMost) == 3);
}

}  // namespace
}  // namespace kvasir::logql
