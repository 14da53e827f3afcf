#include <doctest/doctest.h>

#include <deque>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "chunks/block_pruner.h"
#include "chunks/id_tokens.h"
#include "chunks/segment_inspect.h"
#include "chunks/segment_reader.h"
#include "chunks/segment_writer.h"
#include "common/fault_filesystem.h"
#include "common/mem_filesystem.h"

namespace kvasir::chunks {
namespace {

/// Rows that own their text.
struct Rows {
  std::deque<std::string> texts;
  std::deque<std::vector<LabelView>> pairs;
  std::vector<EntryView> views;

  void add(std::int64_t ts, std::uint64_t sequence, std::string line, std::vector<Label> metadata = {}) {
    auto& mine = pairs.emplace_back();
    for (Label& label : metadata) {
      const std::string& name = texts.emplace_back(std::move(label.name));
      mine.push_back({name, texts.emplace_back(std::move(label.value))});
    }
    views.push_back({{ts}, sequence, texts.emplace_back(std::move(line)), mine});
  }
};

std::string hex(std::mt19937_64& random, std::size_t digits) {
  std::string text;
  for (std::size_t i = 0; i < digits; ++i) text += "0123456789abcdef"[random() % 16];
  return text;
}

constexpr std::int64_t kStart = 1'768'032'000'000'000'000;

Rows service_rows(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  Rows rows;
  std::int64_t ts = kStart;
  for (std::size_t i = 0; i < count; ++i) {
    ts += 1'000'000 * static_cast<std::int64_t>(random() % 50);
    const std::string id = hex(random, 32);
    std::string line = R"({"level":")" + std::string(random() % 9 == 0 ? "error" : "info") + R"(","trace_id":")" + id +
                       R"(","status":)" + std::to_string(random() % 7 == 0 ? 500 : 200) + R"(,"duration_ms":)" +
                       std::to_string(random() % 1000) + "." + std::to_string(random() % 9 + 1) + R"(,"msg":"took )" +
                       std::to_string(random() % 900) + R"(ms for user )" + std::to_string(random() % 50) + R"("})";
    if (random() % 50 == 0) line = "plain line number " + std::to_string(i) + std::string("\0\n\xff", 3);
    std::vector<Label> metadata;
    if (random() % 3 != 0) metadata = {{"detected_level", random() % 9 == 0 ? "error" : "info"}, {"trace_id", id}};
    rows.add(ts, 1000 + i * 3, std::move(line), std::move(metadata));
  }
  return rows;
}

std::string write(const std::vector<std::pair<Labels, const Rows*>>& streams, SegmentWriterOptions options = {}) {
  SegmentWriter writer(options);
  for (const auto& [labels, rows] : streams) REQUIRE(writer.add(labels, rows->views));
  std::string bytes;
  const auto summary = writer.finish(bytes);
  REQUIRE(summary);
  CHECK(summary->verify_failures == 0);
  CHECK(summary->file_bytes == bytes.size());
  return bytes;
}

void check_block(const SegmentReader& reader, std::size_t b, std::span<const EntryView> expected) {
  auto block = reader.open_block(b);
  REQUIRE(block);
  REQUIRE((*block)->rows() == expected.size());
  std::vector<std::uint64_t> words((expected.size() + 63) / 64, ~std::uint64_t{0});
  if (expected.size() % 64 != 0) words.back() >>= 64 - expected.size() % 64;
  std::vector<std::string_view> lines(expected.size());
  REQUIRE((*block)->lines({words, expected.size()}, lines));
  const auto sequences = (*block)->sequences();
  const auto lengths = (*block)->line_lengths();
  REQUIRE(sequences);
  REQUIRE(lengths);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    REQUIRE(lines[i] == expected[i].line);
    REQUIRE((*block)->timestamps()[i] == expected[i].timestamp.value);
    REQUIRE((*sequences)[i] == expected[i].sequence);
    REQUIRE((*lengths)[i] == expected[i].line.size());
    const auto metadata = (*block)->metadata(i);
    REQUIRE(metadata);
    REQUIRE(std::equal(metadata->begin(), metadata->end(), expected[i].metadata.begin(), expected[i].metadata.end()));
  }
}

void check_stream(const SegmentReader& reader, std::size_t stream, const Rows& rows) {
  const auto [begin, end] = reader.blocks_of(stream);
  std::span<const EntryView> left = rows.views;
  for (std::size_t b = begin; b < end; ++b) {
    const std::size_t n = reader.blocks()[b].rows;
    REQUIRE(n <= left.size());
    check_block(reader, b, left.first(n));
    left = left.subspan(n);
  }
  CHECK(left.empty());
}

TEST_CASE("rows come back from a segment of several streams and blocks") {
  const Rows a = service_rows(1, 3000), b = service_rows(2, 700);
  const Labels la{{"app", "a"}}, lb{{"app", "b"}};
  for (const bool pressure : {false, true}) {
    const std::string bytes = write({{la, &a}, {lb, &b}}, {.block_bytes = 128 << 10, .pressure = pressure});
    const auto reader = SegmentReader::open_bytes(bytes);
    REQUIRE(reader);
    REQUIRE((*reader)->streams().size() == 2);
    CHECK((*reader)->streams()[0].labels == la);
    CHECK((*reader)->blocks()[0].encoding == (pressure ? 0 : 1));
    check_stream(**reader, 0, a);
    check_stream(**reader, 1, b);
  }
}

TEST_CASE("odd lines are ordinary") {
  Rows rows;
  const std::vector<std::string> lines = {"",
                                          std::string("\0", 1),
                                          "\n",
                                          "\r\n",
                                          "\xff\xfe",
                                          std::string(300'000, 'x'),
                                          "{",
                                          R"({"a":)",
                                          "a=",
                                          "=",
                                          "\"",
                                          "\\",
                                          "{\"a\":\"\\",
                                          "-0",
                                          "007",
                                          "12345678901234567890",
                                          std::string("a\0b=1", 5)};
  for (int round = 0; round < 40; ++round) {
    for (const std::string& line : lines)
      rows.add(kStart + round, rows.views.size(), line, {{"k", line.substr(0, 20)}, {"k", "again"}, {"", ""}});
  }
  rows.add(kStart + 100, 99'999, "names", {{std::string("a\0b", 3), "x"}, {"", "y"}});
  const std::string bytes = write({{Labels{}, &rows}}, {.block_bytes = 1 << 20});
  const auto reader = SegmentReader::open_bytes(bytes);
  REQUIRE(reader);
  check_stream(**reader, 0, rows);
}

/// About 2.5 MiB that nothing packs, so that a file gets them in pieces.
Rows random_bytes() {
  std::mt19937_64 random(5);
  Rows rows;
  for (int i = 0; i < 40; ++i) {
    std::string line(64 << 10, '\0');
    for (char& c : line) c = static_cast<char>(random());
    rows.add(kStart + i, 1 + static_cast<std::uint64_t>(i), std::move(line));
  }
  return rows;
}

TEST_CASE("a file that is written while rows come has the bytes of a segment in memory") {
  const Rows rows = random_bytes();
  const std::string wanted = write({{Labels{{"a", "1"}}, &rows}});
  MemFilesystem fs;
  {
    SegmentWriter writer(fs, "new.seg", {});
    REQUIRE(writer.add(Labels{{"a", "1"}}, rows.views));
    CHECK(fs.status("new.seg.tmp").value()->size > (1 << 20));
    CHECK_FALSE(fs.status("new.seg").value().has_value());
    const auto summary = writer.finish_file();
    REQUIRE(summary);
    CHECK(summary->file_bytes == wanted.size());
  }
  CHECK(fs.list(".").value() == std::vector<std::string>{"new.seg"});
  CHECK((fs.read_all("new.seg", 1 << 30).value() == wanted));
}

TEST_CASE("a file of which a piece cannot be written never appears, nor does one that is given up") {
  const Rows rows = random_bytes();
  const auto attempt = [&](Filesystem& fs, bool finish) {
    SegmentWriter writer(fs, "new.seg", {});
    if (!writer.add(Labels{{"a", "1"}}, rows.views)) return false;
    return finish && writer.finish_file().has_value();
  };
  MemFilesystem given_up;
  CHECK_FALSE(attempt(given_up, false));
  CHECK(given_up.list(".").value().empty());
  std::uint64_t failed = 0;
  for (bool written = false; !written; ++failed) {
    MemFilesystem disk;
    FaultFilesystem fs(disk, {.first = failed});
    written = attempt(fs, true);
    const bool named = disk.status("new.seg").value().has_value();
    if (written) CHECK(named);
    CHECK_FALSE(disk.status("new.seg.tmp").value().has_value());
  }
  CHECK(failed > 7);  // create, three pieces and more, sync, close, rename, sync of the folder
}

TEST_CASE("rows must ascend") {
  SegmentWriter writer;
  Rows rows;
  rows.add(5, 1, "a");
  rows.add(5, 1, "b");
  CHECK_FALSE(writer.add(Labels{}, rows.views));
}

TEST_CASE("the index tells counts by level and byte sums") {
  Rows rows;
  rows.add(1, 1, "abc", {{"detected_level", "error"}});
  rows.add(2, 2, "de", {{"detected_level", "odd"}});
  rows.add(3, 3, "");
  const std::string bytes = write({{Labels{{"x", "y"}}, &rows}});
  const auto reader = SegmentReader::open_bytes(bytes);
  REQUIRE(reader);
  const BlockEntry& block = (*reader)->blocks()[0];
  CHECK(block.rows == 3);
  CHECK(block.line_bytes == 5);
  CHECK(block.levels[static_cast<std::size_t>(Level::kError)] == 1);
  CHECK(block.levels[static_cast<std::size_t>(Level::kOther)] == 1);
  CHECK(block.levels[static_cast<std::size_t>(Level::kNone)] == 1);
  CHECK(block.first == EntryPosition{{1}, 1});
  CHECK(block.last == EntryPosition{{3}, 3});
}

TEST_CASE("the index tells whether metadata is more than a level") {
  using Metadata = std::vector<Label>;
  const struct {
    Metadata first, second;
    bool only_levels;
  } cases[] = {
      {{{"detected_level", "error"}}, {{"detected_level", "odd"}}, true},
      {{{"detected_level", "error"}}, {}, true},
      {{}, {}, false},  // no metadata at all has a flag of its own
      {{{"detected_level", "error"}}, {{"trace_id", "1"}}, false},
      {{{"detected_level", "error"}, {"trace_id", "1"}}, {}, false},
      {{{"detected_level", "error"}, {"detected_level", "info"}}, {}, false},
  };
  for (const auto& c : cases) {
    Rows rows;
    rows.add(1, 1, "abc", c.first);
    rows.add(2, 2, "de", c.second);
    const auto reader = SegmentReader::open_bytes(write({{Labels{{"x", "y"}}, &rows}}));
    REQUIRE(reader);
    const bool found = ((*reader)->blocks()[0].flags & block_flags::kOnlyLevels) != 0;
    CHECK(found == c.only_levels);
  }
}

TEST_CASE("a damaged byte is noticed or harmless") {
  const Rows rows = service_rows(5, 400);
  const std::string good = write({{Labels{}, &rows}});
  std::mt19937_64 random(9);
  for (int i = 0; i < 400; ++i) {
    std::string bad = good;
    bad[random() % bad.size()] ^= static_cast<char>(1 << random() % 8);
    const auto reader = SegmentReader::open_bytes(bad);
    if (!reader) continue;
    auto block = (*reader)->open_block(0);
    if (!block) continue;
    std::vector<std::uint64_t> words((rows.views.size() + 63) / 64, ~std::uint64_t{0});
    if (rows.views.size() % 64 != 0) words.back() >>= 64 - rows.views.size() % 64;
    std::vector<std::string_view> lines(rows.views.size());
    if (!(*block)->lines({words, rows.views.size()}, lines)) continue;
    for (std::size_t r = 0; r < lines.size(); ++r) REQUIRE(lines[r] == rows.views[r].line);
  }
}

bool block_holds(std::span<const EntryView> rows, std::string_view needle) {
  for (const EntryView& row : rows) {
    if (row.line.find(needle) != std::string_view::npos) return true;
  }
  return false;
}

TEST_CASE("pruning never loses a line") {
  const Rows a = service_rows(1, 4000), b = service_rows(2, 2000);
  const std::string bytes = write({{Labels{{"app", "a"}}, &a}, {Labels{{"app", "b"}}, &b}}, {.block_bytes = 64 << 10});
  const auto reader = SegmentReader::open_bytes(bytes);
  REQUIRE(reader);
  std::mt19937_64 random(4);
  std::size_t pruned = 0, asked = 0;
  for (int i = 0; i < 300; ++i) {
    const Rows& source = random() % 2 == 0 ? a : b;
    const std::string_view line = source.views[random() % source.views.size()].line;
    std::string needle(line.substr(random() % line.size(), random() % 60));
    if (random() % 4 == 0) needle = hex(random, 32);
    const BlockPruner pruner(**reader, {{TimeRange{TimestampNs::min(), TimestampNs::max()}}, {needle}, {}});
    for (std::size_t stream = 0; stream < 2; ++stream) {
      std::span<const EntryView> left = stream == 0 ? a.views : b.views;
      const auto [begin, end] = (*reader)->blocks_of(stream);
      for (std::size_t blk = begin; blk < end; ++blk) {
        const auto rows = left.first((*reader)->blocks()[blk].rows);
        left = left.subspan(rows.size());
        ++asked;
        if (!pruner.cannot_match(blk)) continue;
        ++pruned;
        REQUIRE_FALSE(block_holds(rows, needle));
      }
    }
  }
  CHECK(pruned > asked / 10);
}

TEST_CASE("an id leads to its block") {
  const Rows a = service_rows(1, 4000), b = service_rows(1, 4000);  // the same ids in both
  const std::string bytes = write({{Labels{{"app", "a"}}, &a}, {Labels{{"app", "b"}}, &b}}, {.block_bytes = 64 << 10});
  const auto reader = SegmentReader::open_bytes(bytes);
  REQUIRE(reader);
  std::size_t holders = 0;
  for (std::size_t i = 0; i < a.views.size(); i += 97) {
    const std::size_t at = a.views[i].line.find("trace_id\":\"");
    if (at == std::string_view::npos) continue;
    const auto found = (*reader)->blocks_with_id(a.views[i].line.substr(at + 11, 32));
    REQUIRE(found);
    CHECK(found->size() >= 2);
    holders += found->size();
  }
  CHECK(holders < 42 * 4);
  CHECK((*reader)->blocks_with_id("00000000000000000000000000000001")->empty());
  CHECK_FALSE((*reader)->blocks_with_id("short"));
}

std::shared_ptr<const SegmentReader> open_or_fail(const std::string& bytes) {
  auto reader = SegmentReader::open_bytes(bytes);
  REQUIRE(reader);
  return *reader;
}

const Rows& rows_of(const Labels& labels, const std::vector<std::pair<Labels, const Rows*>>& all) {
  return *std::find_if(all.begin(), all.end(), [&](const auto& item) { return item.first == labels; })->second;
}

TEST_CASE("copied blocks give back what they were made of, also when a copy is copied") {
  const Rows large = service_rows(3, 3000), small = service_rows(2, 40), other = service_rows(5, 2000);
  const std::vector<std::pair<Labels, const Rows*>> streams = {
      {Labels{{"app", "a"}}, &large}, {Labels{{"app", "s"}}, &small}, {Labels{{"app", "t"}}, &small}};
  std::vector<std::pair<Labels, const Rows*>> all = streams;
  std::string bytes = write(streams);
  for (int generation = 0; generation < 3; ++generation) {
    const auto source = open_or_fail(bytes);
    SegmentWriter writer;
    const Labels labels{{"app", "0" + std::to_string(generation)}};  // so that slots get other numbers
    all.emplace_back(labels, &other);
    REQUIRE(writer.add(labels, other.views));
    std::set<std::uint32_t> parts;
    for (std::size_t b = 0; b < source->blocks().size(); ++b) {
      if (parts.insert(source->blocks()[b].part).second) CHECK(writer.copy(*source, b).value());
    }
    std::string merged;
    const auto summary = writer.finish(merged);
    REQUIRE(summary);
    CHECK(summary->verify_failures == 0);
    const auto reader = open_or_fail(merged);
    CHECK(verify_segment(*reader));
    CHECK(reader->streams().size() == all.size());
    for (std::size_t s = 0; s < reader->streams().size(); ++s)
      check_stream(*reader, s, rows_of(reader->streams()[s].labels, all));
    bytes = std::move(merged);
  }
  SegmentWriter twice;
  const auto source = open_or_fail(bytes);
  REQUIRE(twice.copy(*source, 0).value());
  CHECK(twice.copy(*source, 0).error().code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("a segment of copies and new blocks finds ids, words and counts as before") {
  const Rows early = service_rows(3, 3000), late = service_rows(5, 3000);
  const std::string first = write({{Labels{{"app", "a"}}, &early}});
  const auto source = open_or_fail(first);
  SegmentWriter writer;
  REQUIRE(writer.add(Labels{{"app", "0"}}, late.views));
  for (std::size_t b = 0; b < source->blocks().size(); ++b) REQUIRE(writer.copy(*source, b).value());
  std::string bytes;
  const auto summary = writer.finish(bytes);
  REQUIRE(summary);
  CHECK(summary->rows == early.views.size() + late.views.size());
  const auto reader = open_or_fail(bytes);
  CHECK(verify_segment(*reader));
  std::size_t stream = 0;
  while (reader->streams()[stream].labels != Labels{{"app", "a"}}) ++stream;
  check_stream(*reader, stream, early);
  const auto [begin, end] = reader->blocks_of(stream);
  REQUIRE(end - begin == source->blocks().size());
  for (std::size_t b = begin; b < end; ++b) {
    const BlockEntry &copy = reader->blocks()[b], &original = source->blocks()[b - begin];
    CHECK(bytes.substr(copy.offset, copy.stored_bytes) == first.substr(original.offset, original.stored_bytes));
    CHECK(copy.levels == original.levels);
    CHECK(copy.metadata_bytes == original.metadata_bytes);
    CHECK((copy.flags & block_flags::kOnlyLevels) == (original.flags & block_flags::kOnlyLevels));
  }
  std::size_t ids = 0;
  for (const EntryView& row : early.views) {
    for (const IdTokenPlace& place : locate_id_tokens(row.line)) {
      const std::string_view id = row.line.substr(place.begin, place.end - place.begin);
      if (++ids % 37 != 0) continue;
      const auto blocks = reader->blocks_with_id(id);
      REQUIRE(blocks);
      const bool inside = std::any_of(blocks->begin(), blocks->end(), [&](auto b) { return b >= begin && b < end; });
      CHECK(inside);
    }
    const std::string_view word = row.line.substr(0, std::min<std::size_t>(row.line.size(), 24));
    const BlockPruner pruner(*reader, {{TimestampNs::min(), TimestampNs::max()}, {std::string(word)}, {}});
    bool found = false;
    for (std::size_t b = begin; b < end; ++b) found = found || !pruner.cannot_match(b);
    CHECK(found);
  }
  CHECK(ids > 1000);
}

TEST_CASE("a segment describes itself") {
  const Rows rows = service_rows(1, 2000);
  const std::string bytes = write({{Labels{{"app", "a"}}, &rows}});
  const auto description = describe_segment(*open_or_fail(bytes));
  REQUIRE(description);
  CHECK(description->rows == 2000);
  CHECK(description->file_bytes == bytes.size());
  CHECK(description->block_bytes + description->id_bytes + description->filter_bytes + description->trigram_bytes +
            description->index_bytes ==
        bytes.size());
  REQUIRE(description->blocks.size() == 1);
  bool has_status = false;
  for (const ColumnDescription& column : description->blocks[0].columns)
    has_status = has_status || column.key == "\"status\":";
  CHECK(has_status);
}

TEST_CASE("the ids of a segment are spread over its blocks, whole") {
  const Rows one = service_rows(1, 2000), two = service_rows(2, 3000);
  const auto description =
      describe_segment(*open_or_fail(write({{Labels{{"app", "a"}}, &one}, {Labels{{"app", "b"}}, &two}})));
  REQUIRE(description);
  REQUIRE(description->blocks.size() == 2);
  REQUIRE(description->pooled_ids > 0);
  const std::uint64_t a = description->blocks[0].id_bytes, b = description->blocks[1].id_bytes;
  CHECK(a > 0);
  CHECK(a < b);
  CHECK(a + b <= description->id_bytes);
  CHECK(a + b + 16 >= description->id_bytes);  // fractions of bytes
}

}  // namespace
}  // namespace kvasir::chunks
