// What the wide and the plain kernels of the encoder give must be the same, up to the last byte of a segment; and
// whatever is in the rows must come back.
#include <doctest/doctest.h>

#include "chunks/segment_inspect.h"
#include "chunks/segment_reader.h"
#include "chunks/segment_writer.h"
#include "chunks/test_lines.h"
#include "chunks/tokenizer.h"
#include "chunks/trigrams.h"
#include "common/vector_level.h"

namespace kvasir::chunks {
namespace {

using namespace std::string_literals;

constexpr VectorLevel kLevels[] = {VectorLevel::kScalar, VectorLevel::kAvx2};

std::vector<std::string> lines_of_every_length() {
  std::mt19937_64 random(4);
  std::vector<std::string> lines;
  for (std::size_t length = 0; length < 140; ++length) {
    for (const std::string_view pieces : {"ab\"\\{:1}", "xyz \"", "{\"a\":\"b\\\"c\"}", "Aa19-z. =\xff"}) {
      std::string line = length % 2 == 0 ? "{\"" : "";
      while (line.size() < length) line += random() % 4 == 0 ? pieces[random() % pieces.size()] : 'k';
      lines.push_back(std::move(line));
    }
  }
  for (int i = 0; i < 600; ++i) lines.push_back(test_line(static_cast<TestKind>(i % kTestKinds), i, random));
  return lines;
}

TEST_CASE("tokens and trigrams are the same on every vector level") {
  std::vector<Token> tokens, wide_tokens;
  TrigramCollector collector;
  for (const std::string& line : lines_of_every_length()) {
    TrigramSet sets[2];
    for (const VectorLevel level : kLevels) {
      const ScopedVectorLevel scope(level);
      const bool is_wide = level == VectorLevel::kAvx2;
      tokenize(line, is_wide ? wide_tokens : tokens);
      collector.add(line);
      sets[is_wide ? 1 : 0] = collector.take();
    }
    REQUIRE(tokens.size() == wide_tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      REQUIRE(tokens[i].begin == wide_tokens[i].begin);
      REQUIRE(tokens[i].end == wide_tokens[i].end);
    }
    REQUIRE(sets[0] == sets[1]);
    for (std::size_t i = 0; i + 3 <= line.size(); ++i) {
      for (const std::uint16_t trigram : trigrams_of_needle(std::string_view(line).substr(i, 3)))
        REQUIRE(sets[1].test(trigram));
    }
  }
}

std::string segment_of(const std::vector<TestRows>& streams) {
  SegmentWriter writer;
  for (std::size_t s = 0; s < streams.size(); ++s)
    REQUIRE(writer.add(Labels{{"s", std::to_string(s)}}, streams[s].views));
  std::string bytes;
  REQUIRE(writer.finish(bytes));
  return bytes;
}

void check_comes_back(const std::vector<TestRows>& streams) {
  std::string files[2];
  for (const VectorLevel level : kLevels) {
    const ScopedVectorLevel scope(level);
    std::string& bytes = files[level == VectorLevel::kAvx2 ? 1 : 0];
    bytes = segment_of(streams);
    const auto reader = SegmentReader::open_bytes(bytes).value();
    CHECK(verify_segment(*reader));
    for (std::size_t s = 0; s < streams.size(); ++s) {
      std::span<const EntryView> left = streams[s].views;
      const auto [begin, end] = reader->blocks_of(s);
      for (std::size_t b = begin; b < end; ++b) {
        const auto block = reader->open_block(b).value();
        const std::size_t rows = block->rows();
        std::vector<std::uint64_t> all((rows + 63) / 64, ~std::uint64_t{0});
        if (rows % 64 != 0) all.back() >>= 64 - rows % 64;
        std::vector<std::string_view> lines(rows);
        REQUIRE(block->lines({all, rows}, lines));
        for (std::size_t i = 0; i < rows; ++i) {
          REQUIRE(lines[i] == left[i].line);
          REQUIRE(block->timestamps()[i] == left[i].timestamp.value);
        }
        left = left.subspan(rows);
      }
      CHECK(left.empty());
    }
  }
  CHECK(files[0] == files[1]);
}

TEST_CASE("segments of random rows are the same on every vector level") {
  std::mt19937_64 random(17);
  for (int round = 0; round < 15; ++round) {
    std::vector<TestRows> streams;
    for (int s = 0; s < 5; ++s) streams.push_back(random_rows(random));
    check_comes_back(streams);
  }
}

TEST_CASE("odd lines come back") {
  std::mt19937_64 random(23);
  TestRows rows;
  std::uint64_t n = 0;
  const auto add = [&](std::string line) { rows.add(static_cast<std::int64_t>(n), n, std::move(line)), ++n; };
  add("");
  add(std::string(3, '\0'));
  add("a\r\n");
  add("two\nlines\r\n");
  add("\xff\xfe broken \xc3");
  add("");
  std::string huge = "{\"msg\":\"";
  while (huge.size() < (10u << 20)) huge += "word" + std::to_string(random()) + " \\\" ";
  add(huge + "\"}");
  add(std::string(10u << 20, 'x'));
  add("{\"a\":\"\0\",\"b\":\"\r\"}"s);
  add("{\"unclosed\":\"");
  add("after");
  std::vector<TestRows> streams;
  streams.push_back(std::move(rows));
  check_comes_back(streams);
}

TEST_CASE("100,000 rows of one instant come back in order") {
  std::mt19937_64 random(29);
  TestRows rows;
  for (std::uint64_t i = 0; i < 100'000; ++i)
    rows.add(1'768'032'000'000'000'000, i, "n=" + std::to_string(i) + " id=" + std::to_string(random() % 10));
  std::vector<TestRows> streams;
  streams.push_back(std::move(rows));
  check_comes_back(streams);
}

}  // namespace
}  // namespace kvasir::chunks
