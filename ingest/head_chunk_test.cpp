#include "ingest/head_chunk.h"

#include <doctest/doctest.h>

#include <functional>
#include <random>
#include <set>

#include <string>

namespace kvasir::ingest {
namespace {

bool add(HeadChunk& chunk, std::int64_t t, std::uint64_t sequence, std::string_view line,
         std::span<const LabelView> metadata = {}) {
  return chunk.append({t}, sequence, chunk.keep(line), chunk.keep(metadata));
}

}  // namespace

TEST_CASE("rows come back as they were, over many slabs") {
  HeadChunk chunk;
  for (std::uint32_t i = 0; i < kChunkRowsMax; ++i) {
    REQUIRE(chunk.room(10 + i * 3) > 0);
    REQUIRE(add(chunk, i, 10 + i * 3, "line " + std::to_string(i)));
  }
  CHECK(chunk.room(UINT32_MAX) == 0);
  for (std::uint32_t i = 0; i < kChunkRowsMax; ++i) {
    const EntryView row = chunk.row(i);
    CHECK(row.timestamp.value == i);
    CHECK(row.sequence == 10 + i * 3);
    CHECK(row.line == "line " + std::to_string(i));
  }
  CHECK(chunk.summary().in_order);
  CHECK(chunk.summary().first.value == 0);
  CHECK(chunk.summary().last.value == kChunkRowsMax - 1);
  CHECK(chunk.summary().last_sequence == 10 + (kChunkRowsMax - 1) * 3);
}

TEST_CASE("a sequence too far from the first needs another chunk") {
  HeadChunk chunk;
  CHECK(chunk.room(1) == kChunkRowsMax);
  add(chunk, 1, 1, "a");
  CHECK(chunk.room(UINT32_MAX - 1) > 0);
  CHECK(chunk.room(std::uint64_t{UINT32_MAX} + 2) == 0);
}

TEST_CASE("the same timestamp, line and metadata is taken once") {
  const std::vector<LabelView> one{{"k", "1"}};
  const std::vector<LabelView> two{{"k", "2"}};
  HeadChunk chunk;
  std::uint64_t sequence = 0;
  CHECK(add(chunk, 5, ++sequence, "a"));
  CHECK_FALSE(add(chunk, 5, ++sequence, "a"));
  CHECK(add(chunk, 5, ++sequence, "b"));
  CHECK(add(chunk, 5, ++sequence, "a", one));
  CHECK(add(chunk, 5, ++sequence, "a", two));
  CHECK_FALSE(add(chunk, 5, ++sequence, "a", two));
  CHECK(add(chunk, 6, ++sequence, "a"));
  CHECK(add(chunk, 4, ++sequence, "a"));
  CHECK_FALSE(add(chunk, 4, ++sequence, "a"));
  CHECK_FALSE(add(chunk, 6, ++sequence, "a"));
  CHECK(chunk.summary().rows == 6);
  CHECK_FALSE(chunk.summary().in_order);
  CHECK(chunk.summary().line_bytes == 6);
  CHECK(chunk.summary().metadata_bytes == 4);
}

TEST_CASE("repeats are found among many rows, of one instant or of many") {
  for (const std::int64_t step : {0, 1}) {
    HeadChunk chunk;
    add(chunk, 1'000'000, 1, "newest");
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 5000; ++i) {
        const bool is_new = add(chunk, i * step, static_cast<std::uint64_t>(round * 5000 + i + 2), std::to_string(i));
        REQUIRE(is_new == (round == 0));
      }
    }
    CHECK(chunk.summary().rows == 5001);
  }
}

TEST_CASE("a repeat is a repeat in whatever order rows come") {
  std::mt19937_64 random(5);
  const auto shuffled = [&](int) { return static_cast<std::int64_t>(random() % 3000); };
  // Four runs at once; then runs that change places with their neighbours.
  const auto interleaved = [](int i) { return std::int64_t{i % 40 / 10 * 1000 + i / 40 * 10 + i % 10}; };
  const auto bodies = [](int i) { return std::int64_t{(i / 50 ^ 1) * 50 + i % 50}; };
  const auto falling = [](int i) { return std::int64_t{10000 - i}; };
  const auto again = [](int i) { return std::int64_t{i % 700}; };
  const std::function<std::int64_t(int)> orders[] = {shuffled, interleaved, bodies, falling, again};
  for (const auto& order : orders) {
    HeadChunk chunk;
    std::set<std::pair<std::int64_t, std::string>> known;
    for (int i = 0; i < 4000; ++i) {
      const std::int64_t time = order(i);
      const std::string line = std::to_string(random() % 2);
      REQUIRE(add(chunk, time, static_cast<std::uint64_t>(i + 1), line) == known.emplace(time, line).second);
    }
    CHECK(chunk.summary().rows == known.size());
    bool in_order = true;
    for (std::uint32_t i = 1; i < chunk.summary().rows; ++i)
      in_order = in_order && chunk.timestamp(i - 1) <= chunk.timestamp(i);
    CHECK(chunk.summary().in_order == in_order);
  }
}

TEST_CASE("a view sorts by time, equal times by arrival") {
  auto chunk = std::make_shared<HeadChunk>();
  const std::vector<std::int64_t> times{5, 3, 5, 1, 3};
  for (std::size_t i = 0; i < times.size(); ++i) add(*chunk, times[i], i + 1, std::to_string(i));
  const ChunkView view{chunk, chunk->summary()};
  add(*chunk, 0, 9, "later");
  CHECK(sorted_rows(view) == std::vector<std::uint32_t>{3, 1, 4, 0, 2});
}

TEST_CASE("metadata sets are shared while they are recent, and right when they are not") {
  HeadChunk chunk;
  for (int i = 0; i < 200; ++i) {
    const std::string value = std::to_string(i % 40);
    const std::vector<LabelView> set{{"id", value}, {"empty", ""}};
    add(chunk, i, static_cast<std::uint64_t>(i + 1), "", set);
  }
  for (std::uint32_t i = 0; i < 200; ++i) {
    CHECK(chunk.row(i).metadata[0].value == std::to_string(i % 40));
    CHECK(chunk.row(i).metadata[1].value.empty());
  }
  const std::vector<LabelView> set{{"x", "y"}};
  CHECK(chunk.keep(set) == chunk.keep(set));
  CHECK(chunk.keep(std::span<const LabelView>()) == nullptr);
}

TEST_CASE("the charge is given back with the chunk") {
  std::uint64_t released = 0;
  {
    HeadChunk chunk([&](std::uint64_t charge) { released = charge; });
    chunk.add_charge(7);
    chunk.add_charge(5);
  }
  CHECK(released == 12);
}

}  // namespace kvasir::ingest
