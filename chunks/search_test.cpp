// The differential test of searching: damaged slices of every kind of line, random needles, brute force as the judge.
#include <doctest/doctest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "chunks/id_store.h"
#include "chunks/stored_block.h"
#include "chunks/test_lines.h"

namespace kvasir::chunks {
namespace {

std::vector<std::uint64_t> every_row(std::size_t rows) {
  std::vector<std::uint64_t> words((rows + 63) / 64, ~std::uint64_t{0});
  if (rows % 64 != 0) words.back() >>= 64 - rows % 64;
  return words;
}

struct Encoded {
  PendingIdStore ids;
  std::string bytes;
  std::unique_ptr<StoredBlock> block;
};

Encoded encode(std::span<const EntryView> rows, Encoding encoding) {
  Encoded made;
  encode_block(rows, encoding, made.ids, made.bytes);
  return made;
}

/// A piece of some line, now and then changed or extended over its border.
std::string random_needle(std::span<const EntryView> rows, std::mt19937_64& random) {
  const std::string_view line = rows[random() % rows.size()].line;
  const std::size_t most = random() % 8 == 0 ? 80 : 12;
  std::string needle;
  if (!line.empty()) {
    const std::size_t begin = random() % line.size();
    needle = line.substr(begin, 1 + random() % most);
  }
  if (needle.empty() || random() % 10 == 0) needle += static_cast<char>(random());
  if (random() % 12 == 0) needle[random() % needle.size()] = static_cast<char>('0' + random() % 10);
  return needle;
}

void check_needle(StoredBlock& block, std::span<const EntryView> rows, std::string_view needle, bool negated) {
  auto words = every_row(rows.size());
  REQUIRE(block.narrow_literal(needle, negated, {words, rows.size()}));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const bool expected = (rows[row].line.find(needle) != std::string_view::npos) != negated;
    const bool found = words[row >> 6] >> (row & 63) & 1;
    if (found == expected) continue;
    CAPTURE(std::string(needle));
    CAPTURE(std::string(rows[row].line));
    REQUIRE(found == expected);
  }
}

void check_slice(std::uint64_t seed, int needles) {
  std::mt19937_64 random(seed);
  const TestRows rows = random_rows(random);
  for (const Encoding encoding : {Encoding::kRows, Encoding::kColumns}) {
    Encoded encoded = encode(rows.views, encoding);
    auto block = StoredBlock::open(encoded.bytes, encoded.ids, nullptr);
    REQUIRE(block);
    std::vector<std::string_view> lines(rows.views.size());
    for (int i = 0; i < needles; ++i)
      check_needle(**block, rows.views, random_needle(rows.views, random), random() % 4 == 0);
    const auto words = every_row(rows.views.size());
    REQUIRE((*block)->lines({words, rows.views.size()}, lines));
    for (std::size_t row = 0; row < lines.size(); ++row) REQUIRE(lines[row] == rows.views[row].line);
    for (std::size_t row = 0; row < lines.size(); ++row) {
      const auto metadata = (*block)->metadata(row);
      REQUIRE(metadata);
      REQUIRE(std::equal(metadata->begin(), metadata->end(), rows.views[row].metadata.begin(),
                         rows.views[row].metadata.end()));
      for (const LabelView& pair : *metadata) REQUIRE((*block)->may_have_metadata(pair.name));
    }
  }
}

TEST_CASE("searching columns finds exactly what searching lines finds") {
  // KVASIR_SOAK=n runs n slices with other seeds.
  const char* const soak = std::getenv("KVASIR_SOAK");
  const std::uint64_t slices = soak == nullptr ? 60 : std::strtoull(soak, nullptr, 10);
  for (std::uint64_t seed = 1; seed <= slices; ++seed) {
    CAPTURE(seed);
    check_slice(seed, 40);
  }
}

TEST_CASE("a literal that could lie in very many ways is still searched exactly and soon") {
  std::mt19937_64 random(1);
  TestRows rows;
  for (int i = 0; i < 500; ++i) {
    std::string line = "v";
    for (int n = 0; n < 40; ++n)
      line += " \"" + std::string(random() % 3, '\'') + "\" \"" + std::string(random() % 2 == 0 ? "a, b" : "a") + "\",";
    rows.add(i, static_cast<std::uint64_t>(i), line);
  }
  Encoded encoded = encode(rows.views, Encoding::kColumns);
  auto block = StoredBlock::open(encoded.bytes, encoded.ids, nullptr);
  REQUIRE(block);
  std::string needle(rows.views[7].line.substr(20, 200));
  check_needle(**block, rows.views, needle, false);
  needle += "!";
  check_needle(**block, rows.views, needle, false);
  check_needle(**block, rows.views, R"(" "a, b", "")", false);
}

}  // namespace
}  // namespace kvasir::chunks
