#include "common/find_bytes.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "common/vector_level.h"

namespace kvasir {
namespace {

TEST_CASE("a needle is found where it stands first, whatever the vectors") {
  for (const VectorLevel level : {VectorLevel::kScalar, VectorLevel::kAvx2}) {
    const ScopedVectorLevel scope(level);
    std::mt19937_64 random(3);
    for (int round = 0; round < 20000; ++round) {
      // Few different bytes, so that parts of the needle are everywhere.
      std::string text(random() % 200, 'a'), needle(random() % 40, 'a');
      for (char& c : text) c = static_cast<char>("ab\0\xff"[random() % 4]);
      for (char& c : needle) c = static_cast<char>("ab\0\xff"[random() % 4]);
      if (round % 2 == 0 && !text.empty()) {
        const std::size_t at = random() % text.size();
        needle = text.substr(at, random() % 70);
      }
      // The end of the text is the end of its memory: reading past it would be noticed.
      const std::string exact(text);
      REQUIRE(find_bytes(exact, needle) == exact.find(needle));
    }
  }
}

}  // namespace
}  // namespace kvasir
