#include "logql/pipeline/compare_numbers.h"

#include <doctest/doctest.h>

#include <limits>
#include <random>
#include <vector>

#include "common/vector_level.h"

namespace kvasir::logql {
namespace {

bool holds(double value, CompareOp op, double bound) {
  switch (op) {
    case CompareOp::kEqual: return value == bound;
    case CompareOp::kNotEqual: return value != bound;
    case CompareOp::kGreater: return value > bound;
    case CompareOp::kGreaterOrEqual: return value >= bound;
    case CompareOp::kLess: return value < bound;
    case CompareOp::kLessOrEqual: return value <= bound;
  }
  return false;
}

TEST_CASE("numbers are compared alike, whatever the vectors") {
  constexpr CompareOp kOps[] = {CompareOp::kEqual,          CompareOp::kNotEqual, CompareOp::kGreater,
                                CompareOp::kGreaterOrEqual, CompareOp::kLess,     CompareOp::kLessOrEqual};
  using Limits = std::numeric_limits<double>;
  constexpr double kOdd[] = {Limits::quiet_NaN(), Limits::infinity(), -0.0, 3};
  std::mt19937_64 random(4);
  for (int round = 0; round < 600; ++round) {
    std::vector<double> values(random() % 300);
    for (double& value : values) value = random() % 5 == 0 ? kOdd[random() % 4] : static_cast<double>(random() % 7);
    const double bound = random() % 9 == 0 ? kOdd[random() % 4] : 3;
    const CompareOp op = kOps[random() % 6];
    std::vector<std::uint64_t> before((values.size() + 63) / 64);
    std::vector<std::uint64_t> expected = before;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (random() % 3 == 0) continue;
      before[i / 64] |= std::uint64_t{1} << (i % 64);
      if (holds(values[i], op, bound)) expected[i / 64] |= std::uint64_t{1} << (i % 64);
    }
    for (const VectorLevel level : {VectorLevel::kScalar, VectorLevel::kAvx2}) {
      const ScopedVectorLevel scope(level);
      auto words = before;
      keep_compared(values, op, bound, words);
      REQUIRE(words == expected);
    }
  }
}

}  // namespace
}  // namespace kvasir::logql
