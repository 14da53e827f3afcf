#include "chunks/code_marks.h"

#include <doctest/doctest.h>

#include <random>

#include "common/vector_level.h"

namespace kvasir::chunks {
namespace {

TEST_CASE("rows of wanted codes are marked, whatever the vectors") {
  std::mt19937_64 random(8);
  for (int round = 0; round < 600; ++round) {
    const std::size_t distinct = 1 + random() % 50;
    std::vector<std::uint8_t> wanted(distinct);
    for (std::size_t k = random() % 8; k > 0; --k) wanted[random() % distinct] = 1;
    std::vector<std::uint32_t> codes(random() % 300);
    for (auto& code : codes) code = static_cast<std::uint32_t>(random() % distinct);
    std::vector<std::uint64_t> before((codes.size() + 63) / 64);
    for (std::size_t i = 0; i < codes.size(); i += 1 + random() % 40) before[i / 64] |= std::uint64_t{1} << (i % 64);
    auto expected = before;
    for (std::size_t i = 0; i < codes.size(); ++i) {
      if (wanted[codes[i]] != 0) expected[i / 64] |= std::uint64_t{1} << (i % 64);
    }
    for (const VectorLevel level : {VectorLevel::kScalar, VectorLevel::kAvx2}) {
      const ScopedVectorLevel scope(level);
      auto words = before;
      mark_codes(codes, wanted, words);
      REQUIRE(words == expected);
    }
  }
}

}  // namespace
}  // namespace kvasir::chunks
