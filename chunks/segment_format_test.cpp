// The bytes on disk: the example of docs/formats/segment-v1.md and the golden file must stay readable for ever.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "chunks/segment_inspect.h"
#include "chunks/segment_reader.h"
#include "chunks/segment_writer.h"
#include "chunks/test_lines.h"

namespace kvasir::chunks {
namespace {

std::string source_file(const std::string& path) {
  std::ifstream file(std::string(KVASIR_SOURCE_DIR "/") + path, std::ios::binary);
  REQUIRE(file);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The first one behind the heading.
std::string hex_block(const std::string& page, std::string_view heading) {
  const std::size_t place = page.find(heading);
  REQUIRE(place != page.npos);
  const std::size_t begin = page.find("```hex\n", place);
  REQUIRE(begin != page.npos);
  std::string bytes;
  int high = -1;
  for (std::size_t i = begin + 7; page[i] != '`'; ++i) {
    if (!std::isxdigit(static_cast<unsigned char>(page[i]))) continue;
    const int digit = std::stoi(page.substr(i, 1), nullptr, 16);
    if (high < 0) high = digit;
    else bytes += static_cast<char>(high << 4 | digit), high = -1;
  }
  return bytes;
}

/// Over everything that a reader gives back.
std::uint64_t hash_rows(const SegmentReader& segment) {
  std::uint64_t hash = 0;
  const auto mix = [&hash](std::string_view bytes) {
    hash = XXH3_64bits_withSeed(bytes.data(), bytes.size(), hash + bytes.size());
  };
  const auto mix_number = [&mix](std::uint64_t n) { mix({reinterpret_cast<const char*>(&n), sizeof n}); };
  for (std::size_t b = 0; b < segment.blocks().size(); ++b) {
    mix(segment.streams()[segment.blocks()[b].stream].labels.to_string());
    const auto block = segment.open_block(b);
    REQUIRE(block);
    const std::size_t rows = (*block)->rows();
    std::vector<std::uint64_t> all((rows + 63) / 64, ~std::uint64_t{0});
    if (rows % 64 != 0) all.back() >>= 64 - rows % 64;
    std::vector<std::string_view> lines(rows);
    REQUIRE((*block)->lines({all, rows}, lines));
    for (std::size_t row = 0; row < rows; ++row) {
      mix_number(static_cast<std::uint64_t>((*block)->timestamps()[row]));
      mix_number((*block)->sequences()->operator[](row));
      mix(lines[row]);
      const auto metadata = (*block)->metadata(row);
      REQUIRE(metadata);
      for (const LabelView& pair : *metadata) mix(pair.name), mix(pair.value);
    }
  }
  return hash;
}

std::vector<std::string> lines_of(const SegmentReader& reader, std::size_t block) {
  const auto opened = reader.open_block(block);
  REQUIRE(opened);
  std::vector<std::uint64_t> all = {(std::uint64_t{1} << (*opened)->rows()) - 1};
  std::vector<std::string_view> lines((*opened)->rows());
  REQUIRE((*opened)->lines({all, lines.size()}, lines));
  return {lines.begin(), lines.end()};
}

TEST_CASE("the example of version 1 reads as the page says") {
  const std::string bytes = hex_block(source_file("docs/formats/segment-v1.md"), "### 7.1");
  CHECK(bytes[4] == 1);
  const auto reader = SegmentReader::open_bytes(bytes);
  REQUIRE(reader);
  CHECK((*reader)->streams()[0].labels == Labels{{"app", "x"}});
  REQUIRE((*reader)->blocks().size() == 1);
  CHECK((*reader)->blocks()[0].first == EntryPosition{{1}, 7});
  CHECK((*reader)->blocks()[0].last == EntryPosition{{2}, 8});
  CHECK(lines_of(**reader, 0) == std::vector<std::string>{"hello", "world"});
  CHECK(verify_segment(**reader));
}

/// Two streams whose rows are one stored block; the examples of versions 2 and 3 hold the same.
void check_shared_example(const SegmentReader& reader) {
  REQUIRE(reader.streams().size() == 2);
  REQUIRE(reader.blocks().size() == 2);
  CHECK(reader.streams()[0].labels == Labels{{"app", "x"}});
  CHECK(reader.streams()[1].labels == Labels{{"app", "y"}});
  CHECK(reader.blocks()[0].offset == reader.blocks()[1].offset);
  CHECK(reader.blocks()[0].part == 0);
  CHECK(reader.blocks()[1].part == 0);
  CHECK(reader.blocks()[1].first_row == 1);
  CHECK(reader.blocks()[0].first == EntryPosition{{1}, 7});
  CHECK(reader.blocks()[1].first == EntryPosition{{2}, 8});
  CHECK(lines_of(reader, 0) == std::vector<std::string>{"hello"});
  CHECK(lines_of(reader, 1) == std::vector<std::string>{"world"});
  CHECK(verify_segment(reader));
}

TEST_CASE("the example of version 2 reads as the page says") {
  const std::string bytes = hex_block(source_file("docs/formats/segment-v1.md"), "### 7.2");
  CHECK(bytes[4] == 2);
  const auto reader = SegmentReader::open_bytes(bytes);
  REQUIRE(reader);
  check_shared_example(**reader);
}

TEST_CASE("the example of version 3 reads as the page says, and is what is written today") {
  const std::string bytes = hex_block(source_file("docs/formats/segment-v1.md"), "### 7.3");
  CHECK(bytes[4] == 3);
  const auto reader = SegmentReader::open_bytes(bytes);
  REQUIRE(reader);
  check_shared_example(**reader);
  CHECK((*reader)->blocks()[0].metadata_bytes == 4);
  CHECK((*reader)->blocks()[1].metadata_bytes == 0);
  const std::vector<LabelView> pod = {{"pod", "1"}};
  const EntryView hello{{1}, 7, "hello", pod}, world{{2}, 8, "world", {}};
  SegmentWriter writer;
  REQUIRE(writer.add(Labels{{"app", "x"}}, std::span(&hello, 1)));
  REQUIRE(writer.add(Labels{{"app", "y"}}, std::span(&world, 1)));
  std::string written;
  REQUIRE(writer.finish(written));
  const auto again = SegmentReader::open_bytes(written);  // zstd may pack it in another way: bytes are not compared
  REQUIRE(again);
  check_shared_example(**again);
  CHECK(hash_rows(**again) == hash_rows(**reader));
}

TEST_CASE("the golden segment reads as it was written") {
  const std::string bytes = source_file("chunks/testdata/segment-v1.kvs");
  const auto reader = SegmentReader::open_bytes(bytes);
  REQUIRE(reader);
  CHECK((*reader)->streams().size() == 6);
  CHECK(hash_rows(**reader) == 766123170376399648u);
  CHECK(verify_segment(**reader));
  bool has_rows = false, has_columns = false;
  for (const BlockEntry& block : (*reader)->blocks()) (block.encoding == 0 ? has_rows : has_columns) = true;
  CHECK(has_rows);
  CHECK(has_columns);
}

TEST_CASE("the golden segment with shared blocks reads as it was written") {
  const std::string bytes = source_file("chunks/testdata/segment-v2.kvs");
  const auto reader = SegmentReader::open_bytes(bytes);
  REQUIRE(reader);
  CHECK((*reader)->streams().size() == 30);
  CHECK(hash_rows(**reader) == 2682687427825793915u);
  CHECK(verify_segment(**reader));
  const auto description = describe_segment(**reader);
  REQUIRE(description);
  CHECK(description->blocks.size() < description->entries.size());
}

TEST_CASE("the golden segment with copied blocks reads as it was written") {
  const std::string bytes = source_file("chunks/testdata/segment-v3.kvs");
  const auto reader = SegmentReader::open_bytes(bytes);
  REQUIRE(reader);
  CHECK((*reader)->streams().size() == 8);
  CHECK(hash_rows(**reader) == 8547412589334166461u);
  CHECK(verify_segment(**reader));
}

TEST_CASE("verifying notices a changed bit wherever it is") {
  for (const char* const name : {"v1", "v2", "v3"}) {
    const std::string bytes = source_file(std::string("chunks/testdata/segment-") + name + ".kvs");
    for (std::size_t at = 0; at < bytes.size(); at += at < 16 || at > bytes.size() - 64 ? 1 : 257) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ 1 << at % 8);
      const auto reader = SegmentReader::open_bytes(changed);
      if (!reader) continue;
      CHECK_MESSAGE(!verify_segment(**reader), name << " at " << at);
    }
  }
}

/// New blocks in front of copied ones, shared and not, as a merge puts them together. Never again.
TEST_CASE("write golden segment with copied blocks" * doctest::skip()) {
  std::mt19937_64 random(20261122);
  SegmentWriter first({.block_bytes = 48 << 10});
  std::int64_t ts = 1'795'000'000'000'000'000;
  for (int stream = 0; stream < 6; ++stream) {
    TestRows rows;
    for (std::uint64_t i = 0; i < (stream == 0 ? 600u : 30u); ++i) {
      ts += static_cast<std::int64_t>(random() % 50'000'000);
      rows.add(ts, i * 6, test_line(static_cast<TestKind>(stream), ts, random),
               i % 3 == 0 ? std::vector<LabelView>{{"detected_level", "info"}, {"pod", "a-1"}}
                          : std::vector<LabelView>{});
    }
    REQUIRE(first.add(Labels{{"copied", std::to_string(stream)}}, rows.views));
  }
  std::string bytes;
  REQUIRE(first.finish(bytes));
  const auto source = SegmentReader::open_bytes(bytes).value();
  SegmentWriter writer({.block_bytes = 48 << 10});
  for (const int kind : {0, 3}) {
    TestRows rows;
    for (std::uint64_t i = 0; i < 600; ++i) {
      ts += static_cast<std::int64_t>(random() % 50'000'000);
      rows.add(ts, i * 6, test_line(static_cast<TestKind>(kind), ts, random), {});
    }
    REQUIRE(writer.add(Labels{{"new", std::to_string(kind)}}, rows.views));
  }
  std::vector<bool> taken(source->blocks().size());
  for (std::size_t b = 0; b < source->blocks().size(); ++b) {
    const std::uint32_t part = source->blocks()[b].part;
    if (!taken[part]) REQUIRE(writer.copy(*source, b).value());
    taken[part] = true;
  }
  std::string merged;
  REQUIRE(writer.finish(merged));
  std::ofstream(std::getenv("KVASIR_GOLDEN"), std::ios::binary) << merged;
  MESSAGE(hash_rows(**SegmentReader::open_bytes(merged)));
}

/// How it was made; never again.
TEST_CASE("write golden segment with shared blocks" * doctest::skip()) {
  std::mt19937_64 random(20261121);
  SegmentWriter writer;
  std::int64_t ts = 1'795'000'000'000'000'000;
  for (std::uint64_t stream = 0; stream < 30; ++stream) {
    TestRows rows;
    for (std::uint64_t i = 0; i < 20 + stream; ++i) {
      ts += static_cast<std::int64_t>(random() % 50'000'000);
      rows.add(ts, i * 30 + stream, test_line(static_cast<TestKind>(stream % kTestKinds), ts, random),
               i % 3 == 0 ? std::vector<LabelView>{{"detected_level", "info"}} : std::vector<LabelView>{});
    }
    REQUIRE(writer.add(Labels{{"stream", std::to_string(stream)}}, rows.views));
  }
  std::string bytes;
  REQUIRE(writer.finish(bytes));
  std::ofstream(std::getenv("KVASIR_GOLDEN"), std::ios::binary) << bytes;
  MESSAGE(hash_rows(**SegmentReader::open_bytes(bytes)));
}

/// How the golden file was made. It is never made again: old files must stay readable.
TEST_CASE("write golden segment" * doctest::skip()) {
  std::mt19937_64 random(20260110);
  SegmentWriter writer({.block_bytes = 48 << 10});
  for (int kind = 0; kind < kTestKinds; ++kind) {
    TestRows rows;
    std::int64_t ts = 1'768'032'000'000'000'000;
    for (std::uint64_t i = 0; i < 600; ++i) {
      ts += static_cast<std::int64_t>(random() % 50'000'000);
      rows.add(
          ts, i * 6 + static_cast<std::uint64_t>(kind), test_line(static_cast<TestKind>(kind), ts, random),
          i % 3 == 0 ? std::vector<LabelView>{{"detected_level", "info"}, {"pod", "a-1"}} : std::vector<LabelView>{});
    }
    REQUIRE(writer.add(Labels{{"kind", std::to_string(kind)}}, rows.views));
  }
  std::string bytes;
  REQUIRE(writer.finish(bytes));
  std::ofstream(std::getenv("KVASIR_GOLDEN"), std::ios::binary) << bytes;
  MESSAGE(hash_rows(**SegmentReader::open_bytes(bytes)));
}

}  // namespace
}  // namespace kvasir::chunks
