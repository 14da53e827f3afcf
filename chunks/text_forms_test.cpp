#include <doctest/doctest.h>

#include <random>

#include <string>
#include <vector>

#include "chunks/id_text.h"
#include "chunks/id_tokens.h"
#include "chunks/number_form.h"
#include "chunks/segment_reader.h"
#include "chunks/time_layout.h"
#include "chunks/tokenizer.h"
#include "chunks/trigrams.h"

namespace kvasir::chunks {
namespace {

std::string cut(std::string_view line) {
  std::vector<Token> tokens;
  tokenize(line, tokens);
  std::string shown;
  std::size_t at = 0;
  for (const Token token : tokens) {
    shown += std::string(line.substr(at, token.begin - at)) + "<" +
             std::string(line.substr(token.begin, token.end - token.begin)) + ">";
    at = token.end;
  }
  return shown + std::string(line.substr(at));
}

TEST_CASE("lines are cut into fixed text and variables") {
  CHECK(cut("") == "");
  CHECK(cut("plain words only") == "plain words only");
  CHECK(cut(R"({"a":"x","b":{"c":[1,-2.5]},"d":null,"e":""})") ==
        R"({"a":"<x>","b":{"c":[<1>,<-2.5>]},"d":<null>,"e":"<>"})");
  CHECK(cut(R"({"a":"say \"hi\"","b)") == R"({"a":"<say \"hi\">","<b>)");
  CHECK(cut("level=info msg=\"two words\" n=5, empty= x") == "level=<info> msg=\"<two words>\" n=<5>, empty= x");
  CHECK(cut("worker12 took 812ms or 1.5s") == "worker<12> took <812>ms or <1.5>s");
  CHECK(cut("2026-01-10 08:00:00,123 deadbeef12 at 10.2.3.4:5060") ==
        "<2026-01-10 08:00:00,123> <deadbeef12> at <10.2.3.4:5060>");
  CHECK(cut("id abcdefab-e89b-12d3-a456-426614174000.") == "id <abcdefab-e89b-12d3-a456-426614174000>.");
  CHECK(cut("Jan 10 08:00:00 host sshd[1234]: x") == "<Jan 10 08:00:00> host sshd[<1234>]: x");
  CHECK(cut("t=-5 (-3) a-4") == "t=<-5> (<-3>) a-<4>");
}

std::string round_trip(NumberForm form, std::string_view text) {
  std::int64_t value = 0;
  if (!parse_number(form, text, value)) return "refused";
  char out[kNumberTextMax];
  return std::string(out, format_number(form, value, out));
}

TEST_CASE("numbers are taken only if they are written back the same") {
  const NumberForm integer{NumberKind::kInteger, 0};
  for (const char* text : {"0", "7", "-7", "123456789012345678"}) CHECK(round_trip(integer, text) == text);
  for (const char* text : {"", "-", "-0", "007", "+1", "1.0", "1234567890123456789", "1e3", " 1"})
    CHECK(round_trip(integer, text) == "refused");
  const NumberForm fixed{NumberKind::kDecimalFixed, 2};
  for (const char* text : {"0.00", "1.50", "-1.25", "123456.78"}) CHECK(round_trip(fixed, text) == text);
  for (const char* text : {"1.5", "1", "-0.00", "01.50", ".50", "1.505", "1.-5"})
    CHECK(round_trip(fixed, text) == "refused");
  const NumberForm shortest{NumberKind::kDecimalShortest, 3};
  for (const char* text : {"0", "1", "1.5", "-0.125"}) CHECK(round_trip(shortest, text) == text);
  for (const char* text : {"1.50", "1.", "1.0", "0.1234"}) CHECK(round_trip(shortest, text) == "refused");
  const NumberForm python{NumberKind::kDecimalPython, 3};
  for (const char* text : {"0.0", "2.0", "1.5", "-0.125"}) CHECK(round_trip(python, text) == text);
  for (const char* text : {"2", "2.00", "1.50"}) CHECK(round_trip(python, text) == "refused");
  const NumberForm ip{NumberKind::kIpv4, 0};
  for (const char* text : {"0.0.0.0", "10.0.0.1", "255.255.255.255"}) CHECK(round_trip(ip, text) == text);
  for (const char* text : {"256.1.1.1", "1.1.1", "1.1.1.1.1", "01.1.1.1", "1..1.1"})
    CHECK(round_trip(ip, text) == "refused");
  const NumberForm hex{NumberKind::kFixedHex, 8};
  CHECK(round_trip(hex, "00c0ffee") == "00c0ffee");
  CHECK(round_trip(hex, "00C0FFEE") == "refused");
  CHECK(round_trip({NumberKind::kFixedHexUpper, 16}, "FFFFFFFFFFFFFFFF") == "FFFFFFFFFFFFFFFF");
}

TEST_CASE("the form of a column fits every text") {
  const auto guess = [](std::vector<std::string_view> texts) { return guess_number_form(texts); };
  CHECK(guess({"1", "22", "-3"}) == NumberForm{NumberKind::kInteger, 0});
  CHECK(guess({"01", "22"}) == NumberForm{NumberKind::kFixedDigits, 2});
  CHECK(guess({"1.50", "2.25"}) == NumberForm{NumberKind::kDecimalFixed, 2});
  CHECK(guess({"1.5", "2"}) == NumberForm{NumberKind::kDecimalShortest, 1});
  CHECK(guess({"1.5", "2.25"}) == NumberForm{NumberKind::kDecimalPython, 2});
  CHECK(guess({"1.1.1.1", "10.2.3.4"}) == NumberForm{NumberKind::kIpv4, 0});
  CHECK(guess({"00ff", "12ab"}) == NumberForm{NumberKind::kFixedHex, 4});
  CHECK_FALSE(guess({"word", "1"}).has_value());
  CHECK_FALSE(guess({"", "1"}).has_value());
}

std::string instant_round_trip(std::string_view text, std::int64_t entry_ns) {
  const auto layout = TimeLayout::detect({&text, 1});
  if (!layout) return "unknown";
  std::int64_t difference = 0;
  if (!layout->parse(text, entry_ns, difference)) return "refused";
  const auto again = TimeLayout::from_spec(layout->spec());
  if (!again) return "bad spec";
  std::string out(again->text_bytes_max(), '?');
  out.resize(again->format(difference, entry_ns, out.data()));
  return out;
}

TEST_CASE("instants come back from their difference to the entry") {
  const std::int64_t entry = 1'768'032'000'123'456'789;  // 2026-01-10T08:00:00.123456789Z
  for (const char* text :
       {"2026-01-10T08:00:00Z", "2026-01-10T08:00:00.123Z", "2026-01-10T08:00:00.123456789Z", "2026-01-10 08:00:00,123",
        "2026/01/10 08:00:00.5", "10/Jan/2026:08:00:00 +0100", "26/01/10 08:00:00", "Jan 10 08:00:00",
        "Jan  3 08:00:00", "08:00:00.123", "2025-12-31T23:59:59+02:00", "1969-12-31T23:59:59.999Z"}) {
    CHECK(instant_round_trip(text, entry) == text);
  }
  for (const char* text : {"2026-02-30T08:00:00Z", "2026-01-10T08:00:60Z", "2026-01-10T24:00:00Z",
                           "2026-13-10T08:00:00Z", "2925-01-01T00:00:00.123456789Z"}) {
    CHECK(instant_round_trip(text, entry) == "refused");
  }
  CHECK(instant_round_trip("not a time", entry) == "unknown");
  const std::string_view text = "2026-01-10T08:00:00.123Z";
  CHECK(TimeLayout::detect({&text, 1})->spec() == "Y-m-dTH:M:S.F3Z");
  std::int64_t difference = -1;
  CHECK(TimeLayout::detect({&text, 1})->parse(text, entry, difference));
  CHECK(difference == 0);
}

TEST_CASE("fractions without trailing zeros are one layout") {
  const std::vector<std::string_view> texts = {"2026-01-10T08:00:00.12Z", "2026-01-10T08:00:00Z",
                                               "2026-01-10T08:00:00.123456Z"};
  const auto layout = TimeLayout::detect(texts);
  REQUIRE(layout);
  CHECK(layout->spec() == "Y-m-dTH:M:SG6Z");
  for (const std::string_view text : texts) {
    std::int64_t difference = 0;
    CHECK(layout->parse(text, 5, difference));
    char out[kTimeTextMax];
    CHECK(std::string_view(out, layout->format(difference, 5, out)) == text);
  }
  std::int64_t difference = 0;
  for (const char* bad : {"2026-01-10T08:00:00.120Z", "2026-01-10T08:00:00.Z", "2026-01-10T08:00:00.0Z",
                          "2026-01-10T08:00:00.1234567Z"}) {
    CHECK_FALSE(layout->parse(bad, 5, difference));
  }
}

TEST_CASE("ids of one shape become bytes and come back") {
  for (const char* text :
       {"0123456789abcdef", "0123456789ABCDEF0123456789ABCDEF", "123e4567-e89b-12d3-a456-426614174000"}) {
    const auto shape = id_shape_of(text);
    REQUIRE(shape);
    std::string bytes;
    REQUIRE(append_id_bytes(*shape, text, bytes));
    std::string again(std::string_view(text).size(), '?');
    format_id(*shape, bytes.data(), again.data());
    CHECK(again == text);
  }
  for (const char* text :
       {"", "0123456789abcde", "0123456789abcdeF", "0123456789abcdeg", "123e4567-e89b-12d3-a456_426614174000"}) {
    CHECK_FALSE(id_shape_of(text));
  }
}

TEST_CASE("an instant is read alike with and without a kept day, and however it is damaged") {
  std::mt19937_64 random(7);
  for (const std::string_view spec : {"Y-m-dTH:M:S.F3Z", "Y-m-dTH:M:SG9Z", "Y-m-d H:M:S,F3", "d/b/Y:H:M:S +0000",
                                      "b e H:M:S", "H:M:S.F6", "y/m/d H:M:S", "Y-m-dTH:M:S.F4+01:00"}) {
    const auto warm = TimeLayout::from_spec(spec);
    REQUIRE(warm.has_value());
    for (int i = 0; i < 3000; ++i) {
      const std::int64_t entry =
          static_cast<std::int64_t>(random() % 4'000'000'000'000'000'000) - 1'000'000'000'000'000'000;
      const std::int64_t near = entry - entry % warm->unit_ns() +
                                (i % 3 == 0 ? 0 : static_cast<std::int64_t>(random() % 90'000) * warm->unit_ns());
      char text[kTimeTextMax];
      std::size_t bytes = TimeLayout::from_spec(spec)->format((near - entry) / warm->unit_ns(), entry, text);
      if (i % 4 == 0) text[random() % bytes] = "0123456789:.Z "[random() % 14];
      if (i % 16 == 0) bytes -= 1;
      const std::string_view view(text, bytes);
      std::int64_t first = 0, second = 0;
      const bool fresh = TimeLayout::from_spec(spec)->parse(view, entry, first);
      REQUIRE(warm->parse(view, entry, second) == fresh);
      if (!fresh) continue;
      REQUIRE(first == second);
      char again[kTimeTextMax];
      REQUIRE(std::string_view(again, warm->format(second, entry, again)) == view);
    }
  }
}

TEST_CASE("id tokens are found whole") {
  const auto places = [](std::string_view text) {
    std::string shown;
    for (const auto& place : locate_id_tokens(text))
      shown += std::string(text.substr(place.begin, place.end - place.begin)) + ";";
    return shown;
  };
  CHECK(places("a 0123456789abcdef b") == "0123456789abcdef;");
  CHECK(places("a 0123456789abcde b") == "");
  CHECK(places("0123456789abcdef") == "0123456789abcdef;");
  CHECK(places("x=01ARZ3NDEKTSV4RRFFQ69G5FAV,") == "01ARZ3NDEKTSV4RRFFQ69G5FAV;");
  CHECK(places("internationalization") == "");
  CHECK(places("u 123e4567-e89b-12d3-a456-426614174000!") == "123e4567-e89b-12d3-a456-426614174000;");
  CHECK(is_indexed_id("123e4567-e89b-12d3-a456-426614174000"));
  CHECK(is_indexed_id("12345678901234567890"));
  CHECK_FALSE(is_indexed_id("short1"));
  CHECK(id_hash("123E4567-e89b-12d3-a456-426614174000") == id_hash("123e4567e89b12d3a456426614174000"));
}

TEST_CASE("a line has exactly its trigrams, whichever way they are taken") {
  for (std::size_t size = 0; size < 300; ++size) {
    std::string line;
    for (std::size_t i = 0; i < size; ++i) line += static_cast<char>(i * 7 + size);
    TrigramCollector collector;
    collector.add(line);
    const TrigramSet whole = collector.take();
    TrigramSet pieces;
    for (std::size_t i = 0; i + 3 <= size; ++i) {
      collector.add(std::string_view(line).substr(i, 3));  // too short for the vector path
      pieces |= collector.take();
    }
    REQUIRE(whole == pieces);
    for (const std::uint16_t trigram : trigrams_of_needle(line)) REQUIRE(whole.test(trigram));
  }
}

}  // namespace
}  // namespace kvasir::chunks
