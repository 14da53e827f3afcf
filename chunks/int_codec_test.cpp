#include "chunks/int_codec.h"

#include <doctest/doctest.h>

#include <limits>
#include <random>
#include <vector>

#include "chunks/rans.h"

namespace kvasir::chunks {
namespace {

using Ints = std::vector<std::int64_t>;

bool comes_back(const Ints& values, void (*encode)(std::span<const std::int64_t>, std::string&)) {
  std::string bytes;
  encode(values, bytes);
  bytes += "tail";
  Ints again(values.size(), 99);
  std::string_view rest = bytes;
  return decode_ints(rest, again) && again == values && rest == "tail";
}

std::size_t packed_bytes(const Ints& values) {
  std::string bytes;
  encode_ints(values, bytes);
  return bytes.size();
}

Ints run(std::size_t n, std::int64_t first, std::int64_t step) {
  Ints values;
  for (std::size_t i = 0; i < n; ++i) values.push_back(first + step * static_cast<std::int64_t>(i));
  return values;
}

constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
constexpr auto kMax = std::numeric_limits<std::int64_t>::max();

TEST_CASE("integers of every kind come back") {
  const std::vector<Ints> cases = {
      {},
      {0},
      {-1},
      {kMin},
      {kMax},
      {kMin, kMax},
      {kMax, kMin, kMax, 0},
      {0, 1000, 2000, 5000},
      {1'700'000'000'000'000'000, 1'700'000'000'001'000'000, 1'700'000'000'007'000'000},
      Ints(1000, 7),
      run(1000, 5, 3),
      run(70'000, kMin, 1),
      run(300, 0, kMax / 300),
  };
  for (const Ints& values : cases) {
    CHECK(comes_back(values, encode_ints));
    CHECK(comes_back(values, encode_ints_fast));
  }
}

TEST_CASE("random integers of every width come back") {
  std::mt19937_64 random(7);
  for (unsigned width = 0; width <= 64; ++width) {
    for (const std::size_t n : {1u, 2u, 3u, 65u, 1000u}) {
      Ints values(n);
      for (auto& v : values) v = width == 0 ? 0 : static_cast<std::int64_t>(random() >> (64 - width));
      CHECK(comes_back(values, encode_ints));
      CHECK(comes_back(values, encode_ints_fast));
    }
  }
}

TEST_CASE("regular runs cost next to nothing") {
  CHECK(packed_bytes(Ints(10'000, 12345)) < 8);
  CHECK(packed_bytes(run(10'000, 1'700'000'000'000'000'000, 1'000'000)) < 24);
}

TEST_CASE("skewed values come near their entropy") {
  std::mt19937_64 random(11);
  Ints values(20'000);
  for (auto& v : values) v = random() % 20 == 0 ? 1 : 0;  // 0.286 bits each
  CHECK(packed_bytes(values) < 20'000 * 0.30 / 8 + 64);
}

TEST_CASE("damaged integers are refused or give some values, never more") {
  std::mt19937_64 random(3);
  Ints values(500);
  for (auto& v : values) v = static_cast<std::int64_t>(random() % 5000);
  std::string bytes;
  encode_ints(values, bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    std::string_view cut = std::string_view(bytes).substr(0, size);
    Ints again(values.size());
    CHECK_FALSE(decode_ints(cut, again));
  }
  for (int i = 0; i < 5000; ++i) {
    std::string bad = bytes;
    for (int n = 0; n < 3; ++n) bad[random() % std::min<std::size_t>(bad.size(), 200)] = static_cast<char>(random());
    std::string_view view = bad;
    Ints again(values.size());
    (void)decode_ints(view, again);
  }
}

}  // namespace
}  // namespace kvasir::chunks
