// What templates and columns tell of the lines is at least what the lines tell.
#include "chunks/line_facts.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "chunks/block_encoder.h"
#include "chunks/id_text.h"
#include "chunks/segment_types.h"
#include "chunks/test_lines.h"

namespace kvasir::chunks {
namespace {

std::string digits(std::mt19937_64& random, std::size_t n, std::string_view alphabet) {
  std::string text;
  while (n-- > 0) text += alphabet[random() % alphabet.size()];
  return text;
}

std::string uuid(std::mt19937_64& random, std::string_view alphabet) {
  std::string text = digits(random, 8, alphabet);
  for (const std::size_t n : {4u, 4u, 4u, 12u}) text += "-" + digits(random, n, alphabet);
  return text;
}

/// Bits of lines whose borders between fixed text and variables lie in awkward places.
std::string fragment(std::mt19937_64& random) {
  constexpr std::string_view kHex = "0123456789abcdef", kUpper = "0123456789ABCDEF", kLetters = "abcdefABCDEF",
                             kAny = "gz09QK_-.:/ =\"{}[],\\\n\xc3";
  switch (random() % 12) {
    case 0: return uuid(random, kHex);
    case 1: return uuid(random, kUpper);
    case 2: return uuid(random, kLetters);
    case 3: return digits(random, 1 + random() % 40, kHex);
    case 4: return digits(random, 1 + random() % 20, "0123456789");
    case 5: return digits(random, 1 + random() % 20, kLetters);
    case 6: return " key" + digits(random, random() % 3, "01") + "=";
    case 7: return "\"name\":\"";
    case 8: return " worker-";
    case 9: return "2026-11-21T10:0" + digits(random, 1, "0123456789") + ":07.123Z";
    default: return digits(random, 1 + random() % 4, kAny);
  }
}

/// Lines that share their fragments or draw some of them anew.
TestRows awkward_rows(std::mt19937_64& random) {
  TestRows rows;
  std::vector<std::string> shape(1 + random() % 8);
  std::vector<bool> varies(shape.size());
  std::int64_t ts = 1'000'000'000'000'000'000;
  for (std::size_t i = 0; i < 120; ++i) {
    for (std::size_t f = 0; f < shape.size(); ++f) {
      if (i % 40 == 0) varies[f] = random() % 2 == 0;
      if (i % 40 == 0 || varies[f]) shape[f] = fragment(random);
    }
    std::string line = i % 7 == 0 ? "{" : "";
    for (const auto& part : shape) line += part;
    rows.add(ts += 1000, i + 1, line);
  }
  return rows;
}

std::set<std::uint64_t> told_hashes(const IdTokens& tokens, const PendingIdStore& ids) {
  std::set<std::uint64_t> hashes(tokens.hashes.begin(), tokens.hashes.end());
  for (const PendingIds& slot : ids.slots()) {
    if (slot.hashed) continue;
    char text[kIdTokenMax];
    for (std::size_t i = 0; i < slot.count(); ++i) {
      format_id({IdStyle::kHexLower, slot.width}, slot.bytes.data() + i * slot.width, text);
      hashes.insert(id_hash({text, slot.width * 2}));
    }
  }
  return hashes;
}

void check_facts(std::span<const EntryView> rows) {
  TrigramCollector collector, of_line;
  LineFactsBuilder facts(collector);
  PendingIdStore ids;
  std::string out;
  encode_block(rows, Encoding::kColumns, ids, out, &facts);
  const TrigramSet trigrams = collector.take();
  const std::set<std::uint64_t> hashes = told_hashes(facts.tokens(), ids);
  std::uint16_t flags = 0;
  for (const EntryView& row : rows) {
    CAPTURE(std::string(row.line));
    flags |= line_flags(row.line);
    of_line.add(row.line);
    REQUIRE((of_line.take() & ~trigrams).none());
    IdTokens tokens;
    find_id_tokens(row.line, tokens);
    REQUIRE((tokens.lengths & ~facts.tokens().lengths) == 0);
    for (const std::uint64_t hash : tokens.hashes) REQUIRE(hashes.contains(hash));
  }
  REQUIRE(facts.flags() == flags);
}

}  // namespace

TEST_CASE("parts tell at least what lines tell") {
  const char* const rounds = std::getenv("KVASIR_FUZZ_ROUNDS");
  const std::uint64_t most = rounds == nullptr ? 150 : std::strtoull(rounds, nullptr, 10);
  for (std::uint64_t seed = 0; seed < most; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    check_facts(awkward_rows(random).views);
    check_facts(random_rows(random).views);
  }
}

TEST_CASE("trigrams of a block are not all trigrams") {
  TestRows rows;
  for (int i = 0; i < 500; ++i) {
    rows.add(i, static_cast<std::uint64_t>(i + 1),
             "{\"level\":\"info\",\"n\":" + std::to_string(i) + ",\"msg\":\"took " + std::to_string(i * 7) + "ms\"}");
  }
  TrigramCollector collector, of_lines;
  LineFactsBuilder facts(collector);
  PendingIdStore ids;
  std::string out;
  encode_block(rows.views, Encoding::kColumns, ids, out, &facts);
  for (const EntryView& row : rows.views) of_lines.add(row.line);
  CHECK(collector.take() == of_lines.take());
}

}  // namespace kvasir::chunks
