#include "chunks/unpack_bits.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "chunks/bit_stream.h"
#include "common/vector_level.h"

namespace kvasir::chunks {
namespace {

void check_width(unsigned width, std::size_t count, std::uint64_t scale, std::mt19937_64& random) {
  CAPTURE(width);
  CAPTURE(count);
  std::string bytes;
  BitWriter writer(bytes);
  const std::uint64_t base = random();
  std::vector<std::int64_t> expected;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t value = width == 0 ? 0 : random() >> (64 - width);
    writer.put(value, width);
    expected.push_back(static_cast<std::int64_t>(value * scale + base));
  }
  writer.finish();
  for (const VectorLevel level : {VectorLevel::kScalar, VectorLevel::kAvx2}) {
    const ScopedVectorLevel scope(level);
    std::vector<std::int64_t> out(count);
    unpack_bits(bytes, {width, scale, base}, out);
    REQUIRE(out == expected);
  }
}

TEST_CASE("packed bits of every width come back, whatever the vectors") {
  std::mt19937_64 random(5);
  for (unsigned width = 0; width <= 64; ++width) {
    for (const std::size_t count : {0, 1, 3, 4, 5, 8, 31, 128, 1000}) {
      for (const std::uint64_t scale : {1, 1000, 1'000'000'000}) check_width(width, count, scale, random);
    }
  }
}

TEST_CASE("bits past the end are zero") {
  for (const VectorLevel level : {VectorLevel::kScalar, VectorLevel::kAvx2}) {
    const ScopedVectorLevel scope(level);
    std::vector<std::int64_t> out(40);
    unpack_bits("\x01\x01\x01", {8, 1, 0}, out);
    for (std::size_t i = 0; i < out.size(); ++i) CHECK(out[i] == (i < 3 ? 1 : 0));
  }
}

}  // namespace
}  // namespace kvasir::chunks
