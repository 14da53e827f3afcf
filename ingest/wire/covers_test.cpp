#include "ingest/wire/covers.h"

#include <doctest/doctest.h>

namespace kvasir::ingest {

namespace {

std::string shown(const ByteRanges& ranges) {
  std::string out;
  for (const auto& [begin, end] : ranges.ranges()) out += std::to_string(begin) + "-" + std::to_string(end) + " ";
  return out;
}

}  // namespace

TEST_CASE("ranges that touch become one, in whatever order they come") {
  CHECK(shown({{0, 10}, {10, 20}}) == "0-20 ");
  CHECK(shown({{10, 20}, {0, 10}}) == "0-20 ");
  CHECK(shown({{0, 10}, {20, 30}}) == "0-10 20-30 ");
  CHECK(shown({{0, 10}, {20, 30}, {10, 20}}) == "0-30 ");
  CHECK(shown({{5, 7}, {0, 10}}) == "0-10 ");
  CHECK(shown({{0, 10}, {5, 15}}) == "0-15 ");
  CHECK(shown({{0, 1}, {2, 3}, {4, 5}, {6, 7}, {1, 6}}) == "0-7 ");
  CHECK(shown({{3, 3}}).empty());
}

TEST_CASE("what two sets share, and what is in neither") {
  const ByteRanges a{{0, 10}, {20, 30}, {40, 50}};
  CHECK(shown(a.common_with({{5, 25}, {45, 60}})) == "5-10 20-25 45-50 ");
  CHECK(shown(a.common_with({{10, 20}})).empty());
  CHECK(shown(a.gaps(60)) == "10-20 30-40 50-60 ");
  CHECK(shown(a.gaps(45)) == "10-20 30-40 ");
  CHECK(shown(a.gaps(10)).empty());
  CHECK(shown(ByteRanges().gaps(3)) == "0-3 ");
  CHECK(a.bytes() == 30);
  CHECK(a.end() == 50);
}

TEST_CASE("the smallest ranges are forgotten first") {
  ByteRanges ranges{{0, 1}, {10, 15}, {20, 21}, {30, 33}, {40, 41}};
  ranges.forget_smallest(3);
  CHECK(ranges.size() == 3);
  CHECK(shown(ranges).find("10-15 ") != std::string::npos);
  CHECK(shown(ranges).find("30-33 ") != std::string::npos);
}

TEST_CASE("ranges are read as they were written, and broken ones are refused") {
  for (const ByteRanges& ranges : {ByteRanges(), ByteRanges{{0, 1}}, ByteRanges{{7, 9}, {300, 1ULL << 40}}}) {
    std::string bytes;
    ranges.append_to(bytes);
    const auto again = ByteRanges::read(bytes);
    REQUIRE(again);
    CHECK(*again == ranges);
  }
  CHECK_FALSE(ByteRanges::read(std::string_view("\x01", 1)));              // half a range
  CHECK_FALSE(ByteRanges::read(std::string_view("\x01\x00", 2)));          // an empty one
  CHECK_FALSE(ByteRanges::read(std::string_view("\x01\x01\x00\x01", 4)));  // two that touch
  CHECK_FALSE(ByteRanges::read("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));  // past the last number
}

TEST_CASE("covers are read as they were written") {
  FileCover plain;
  plain.file = "host/file/0000000000000100";
  plain.identity = {"/var/log/app.log", 2049, 77, false, 1024, 0xfeedULL << 40};
  plain.entries = 12;
  plain.stored = {{0, 500}, {700, 900}};
  plain.left_out = {{"drop_stage", 3, {{500, 700}}}, {"line_too_long", 1, {{900, 5000}}}};
  FileCover compressed;
  compressed.file = "host/file/1";
  compressed.identity.counts_lines = true;
  const auto read = decode_covers(encode_covers({plain, compressed}));
  REQUIRE(read);
  REQUIRE(read->size() == 2);
  CHECK((*read)[0] == plain);
  CHECK((*read)[1] == compressed);
}

TEST_CASE("broken covers are refused") {
  CHECK_FALSE(decode_covers(encode_covers({FileCover{}})));  // no name
  FileCover cover;
  cover.file = std::string(kCoverTextMax + 1, 'x');
  CHECK_FALSE(decode_covers(encode_covers({cover})));
  cover.file = "f";
  for (std::size_t i = 0; i <= kCoverReasonsMax; ++i) cover.left_out.push_back({"r" + std::to_string(i), 1, {}});
  CHECK_FALSE(decode_covers(encode_covers({cover})));
  cover.left_out.clear();
  const std::string whole = encode_covers({cover});
  for (std::size_t cut = 1; cut < whole.size(); ++cut) CHECK_FALSE(decode_covers(whole.substr(0, cut)));
  CHECK(decode_covers("")->empty());
}

}  // namespace kvasir::ingest
