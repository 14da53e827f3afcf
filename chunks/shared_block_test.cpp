// Small streams that share stored blocks: every answer of a slice is compared with the rows themselves, or with the
// same stream alone in a segment.
#include <doctest/doctest.h>

#include <atomic>
#include <deque>
#include <thread>

#include "chunks/block_pruner.h"
#include "chunks/segment_inspect.h"
#include "chunks/segment_reader.h"
#include "chunks/segment_writer.h"
#include "chunks/stored_segment.h"
#include "chunks/test_lines.h"

namespace kvasir::chunks {
namespace {

std::vector<std::uint64_t> all_bits(std::size_t rows) {
  std::vector<std::uint64_t> words((rows + 63) / 64, ~std::uint64_t{0});
  if (rows % 64 != 0) words.back() >>= 64 - rows % 64;
  return words;
}

Labels labels_of(std::size_t stream) { return Labels{{"n", std::to_string(stream)}}; }

/// Many small streams, and their segment.
struct Shared {
  explicit Shared(std::uint64_t seed, std::size_t streams = 24) {
    std::mt19937_64 random(seed);
    SegmentWriter writer;
    for (std::size_t s = 0; s < streams; ++s) {
      rows.push_back(random_rows(random));
      REQUIRE(writer.add(labels_of(s), rows.back().views));
    }
    const auto summary = writer.finish(bytes);
    REQUIRE(summary);
    CHECK(summary->verify_failures == 0);
    reader = SegmentReader::open_bytes(bytes).value();
  }
  std::deque<TestRows> rows;  // of each stream
  std::string bytes;
  std::shared_ptr<const SegmentReader> reader;
};

std::shared_ptr<const SegmentReader> alone(const TestRows& rows, std::string& bytes) {
  SegmentWriter writer;
  REQUIRE(writer.add(Labels{{"n", "alone"}}, rows.views));
  REQUIRE(writer.finish(bytes));
  return SegmentReader::open_bytes(bytes).value();
}

void check_rows(Block& block, std::span<const EntryView> expected, std::mt19937_64& random) {
  REQUIRE(block.rows() == expected.size());
  const auto sequences = block.sequences();
  const auto lengths = block.line_lengths();
  REQUIRE(sequences);
  REQUIRE(lengths);
  std::vector<std::uint64_t> words = all_bits(expected.size());
  if (random() % 2 == 0) {
    for (auto& word : words) word &= random();
  }
  std::vector<std::string_view> lines(expected.size());
  REQUIRE(block.lines({words, expected.size()}, lines));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    REQUIRE(block.timestamps()[i] == expected[i].timestamp.value);
    REQUIRE((*sequences)[i] == expected[i].sequence);
    REQUIRE((*lengths)[i] == expected[i].line.size());
    if (words[i / 64] >> i % 64 & 1) REQUIRE(lines[i] == expected[i].line);
    const auto metadata = block.metadata(i);
    REQUIRE(metadata);
    REQUIRE(std::equal(metadata->begin(), metadata->end(), expected[i].metadata.begin(), expected[i].metadata.end()));
  }
  block.drop_lines();
}

std::string_view literal_from(std::span<const EntryView> rows, std::mt19937_64& random) {
  const std::string_view line = rows[random() % rows.size()].line;
  if (line.empty()) return "x";
  const std::size_t from = random() % line.size();
  return line.substr(from, 1 + random() % 12);
}

void check_literal(Block& block, std::span<const EntryView> expected, std::string_view literal, bool negated) {
  std::vector<std::uint64_t> words = all_bits(expected.size());
  if (!block.narrow_literal(literal, negated, {words, expected.size()})) return;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const bool holds = expected[i].line.find(literal) != std::string_view::npos;
    REQUIRE((words[i / 64] >> i % 64 & 1) == static_cast<unsigned>(holds != negated));
  }
}

bool is_unknown(const std::vector<std::uint64_t>& words, std::size_t row) {
  return !words.empty() && (words[row / 64] >> row % 64 & 1) != 0;
}

/// Where both are sure they agree.
void check_field(Block& slice, Block& own, FieldSyntax syntax, std::string_view name) {
  FieldValues a, b;
  if (slice.field(syntax, name, a) && own.field(syntax, name, b)) {
    for (std::size_t i = 0; i < own.rows(); ++i) {
      if (is_unknown(a.unknown, i) || is_unknown(b.unknown, i)) continue;
      const bool absent = a.row_value[i] == FieldValues::kAbsent;
      REQUIRE(absent == (b.row_value[i] == FieldValues::kAbsent));
      if (!absent) REQUIRE(a.values[a.row_value[i]] == b.values[b.row_value[i]]);
    }
  }
  FieldNumbers x, y;
  if (!slice.number_field(syntax, name, x) || !own.number_field(syntax, name, y)) return;
  for (std::size_t i = 0; i < own.rows(); ++i) {
    if (is_unknown(x.unknown, i) || is_unknown(y.unknown, i)) continue;
    REQUIRE(is_unknown(x.present, i) == is_unknown(y.present, i));
    REQUIRE(x.values[i] == y.values[i]);
  }
}

TEST_CASE("slices of shared blocks answer like blocks of their own") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    const Shared shared(seed);
    const auto& segment = static_cast<const StoredSegment&>(*shared.reader);
    CHECK(segment.parts() < segment.blocks().size());
    CHECK(verify_segment(*shared.reader));
    CHECK(describe_segment(*shared.reader));
    std::mt19937_64 random(seed);
    for (std::size_t s = 0; s < shared.rows.size(); ++s) {
      std::span<const EntryView> left = shared.rows[s].views;
      const auto [begin, end] = shared.reader->blocks_of(s);
      for (std::size_t b = begin; b < end; ++b) {
        const auto expected = left.first(shared.reader->blocks()[b].rows);
        left = left.subspan(expected.size());
        const auto block = shared.reader->open_block(b);
        REQUIRE(block);
        check_rows(**block, expected, random);
        for (int i = 0; i < 4; ++i) check_literal(**block, expected, literal_from(expected, random), i % 2 == 0);
        check_literal(**block, expected, literal_from(shared.rows[random() % shared.rows.size()].views, random), false);
      }
      CHECK(left.empty());
      if (end - begin != 1) continue;
      std::string bytes;
      const auto own = alone(shared.rows[s], bytes)->open_block(0);
      const auto slice = shared.reader->open_block(begin);
      for (const FieldSyntax syntax : {FieldSyntax::kJson, FieldSyntax::kLogfmt, FieldSyntax::kMetadata}) {
        for (const std::string_view name : {"level", "status", "duration", "detected_level", "msg"})
          check_field(**slice, **own, syntax, name);
      }
    }
  }
}

TEST_CASE("filters of shared blocks never deny a row") {
  const Shared shared(77, 60);
  std::mt19937_64 random(1);
  for (int i = 0; i < 300; ++i) {
    const std::size_t s = random() % shared.rows.size();
    const std::string literal(literal_from(shared.rows[s].views, random));
    const BlockPruner pruner(*shared.reader, {{TimestampNs::min(), TimestampNs::max()}, {literal}, {}});
    std::size_t row = 0;
    const auto [begin, end] = shared.reader->blocks_of(s);
    for (std::size_t b = begin; b < end; ++b) {
      for (std::size_t n = shared.reader->blocks()[b].rows; n > 0; --n, ++row) {
        const bool holds = shared.rows[s].views[row].line.find(literal) != std::string_view::npos;
        if (holds) REQUIRE_FALSE(pruner.cannot_match(b));
      }
    }
  }
}

TEST_CASE("slices of one block are read by several threads") {
  const Shared shared(5);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t round = 0; round < 3 * shared.rows.size(); ++round) {
        const std::size_t b = (round * 7 + t * 3) % shared.reader->blocks().size();
        const auto block = shared.reader->open_block(b);
        const std::size_t rows = (*block)->rows();
        std::vector<std::uint64_t> words = all_bits(rows), hits = all_bits(rows);
        std::vector<std::string_view> lines(rows);
        const std::string literal = t % 2 == 0 ? "error" : "1" + std::to_string(round % 6);
        const bool can = (*block)->narrow_literal(literal, false, {hits, rows});
        if (!(*block)->lines({words, rows}, lines)) ++wrong;
        for (std::size_t i = 0; can && i < rows; ++i) {
          if ((lines[i].find(literal) != std::string_view::npos) != ((hits[i / 64] >> i % 64 & 1) != 0)) ++wrong;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("a block keeps its segment open, a shared one too") {
  std::unique_ptr<Block> block;
  std::weak_ptr<const SegmentReader> watched;
  Shared shared(9, 3);
  {
    block = shared.reader->open_block(0).value();
    watched = shared.reader;
    shared.reader.reset();
  }
  CHECK_FALSE(watched.expired());
  CHECK(block->sequences());
  block.reset();
  CHECK(watched.expired());
}

TEST_CASE("a stream with enough rows keeps a block of its own") {
  std::mt19937_64 random(3);
  SegmentWriter writer;
  TestRows rows;
  for (int i = 0; i < 2000; ++i) rows.add(i, i, test_line(TestKind::kJson, i, random));
  REQUIRE(writer.add(labels_of(1), rows.views));
  std::string bytes;
  REQUIRE(writer.finish(bytes));
  const auto reader = SegmentReader::open_bytes(bytes);
  REQUIRE(reader);
  CHECK((*reader)->blocks().size() == 1);
  CHECK((*reader)->blocks()[0].part == 0);
}

}  // namespace
}  // namespace kvasir::chunks
