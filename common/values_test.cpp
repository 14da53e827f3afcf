// Labels, matchers, UTF-8, checksums, byte readers, JSON writing, budgets: the small values everything rests on.
#include <doctest/doctest.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "common/json_writer.h"
#include "common/escapes.h"
#include "common/labels.h"
#include "common/matcher.h"
#include "common/memory_budget.h"
#include "common/time.h"
#include "common/utf8.h"

using namespace kvasir;

TEST_CASE("labels are sorted, and the last of equal names stays") {
  const auto labels = Labels::from_unsorted({{"b", "2"}, {"a", "1"}, {"b", "3"}});
  CHECK(labels.to_string() == R"({a="1", b="3"})");
  CHECK(labels.get("b") == "3");
  CHECK_FALSE(labels.has("c"));
  CHECK(labels.value_or_empty("c").empty());
}

TEST_CASE("labels can be changed in place") {
  Labels labels{{"a", "1"}};
  labels.set("c", "3");
  labels.set("b", "");
  labels.set("a", "x");
  CHECK(labels.to_string() == R"({a="x", b="", c="3"})");
  labels.erase("b");
  labels.erase("nothing");
  CHECK(labels.size() == 2);
}

TEST_CASE("fingerprints tell names from values, and are stable because they are stored") {
  CHECK(Labels{{"a", "bc"}}.fingerprint() != Labels{{"ab", "c"}}.fingerprint());
  CHECK(Labels{}.fingerprint().value == 0xef46db3751d8e999ULL);
}

TEST_CASE("go quoting") {
  std::string out;
  append_go_quoted(out, "a\"b\\\n\x01\xff\xc3\xa9");
  CHECK(out == R"("a\"b\\\n\x01\xff)" "\xc3\xa9\"");
}

TEST_CASE("matchers are anchored and dot matches newline") {
  const auto matches = [](MatchOp op, std::string pattern, std::string_view value) {
    auto matcher = LabelMatcher::create("a", op, std::move(pattern));
    REQUIRE(matcher.has_value());
    return matcher->matches(value);
  };
  CHECK(matches(MatchOp::kRegex, "b.*", "bar"));
  CHECK_FALSE(matches(MatchOp::kRegex, "a", "bar"));
  CHECK(matches(MatchOp::kRegex, "a.b", "a\nb"));
  CHECK(matches(MatchOp::kNotRegex, "a", "bar"));
  CHECK(matches(MatchOp::kEqual, "", ""));
  CHECK(matches(MatchOp::kRegex, "(?<x>a|b)", "b"));
  const auto bad = LabelMatcher::create("a", MatchOp::kRegex, "[");
  REQUIRE_FALSE(bad.has_value());
  CHECK(bad.error().message() == "error parsing regexp: missing closing ]: `[`");
}

TEST_CASE("utf-8: overlong forms, surrogates and stray bytes are bad") {
  CHECK(is_valid_utf8("plain \xc3\xa9 \xf0\x9f\x98\x80"));
  for (const auto* text : {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "a\x80"}) {
    CHECK_FALSE(is_valid_utf8(text));
  }
  CHECK(replace_invalid_utf8("a\xff") == "a\xef\xbf\xbd");
}

TEST_CASE("crc32c: published vectors, both implementations, any cut") {
  const std::string zeros(32, '\0');
  CHECK(crc32c(zeros) == 0x8a9136aaU);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43U);
  CHECK(crc32c("123456789") == 0xe3069283U);
  const std::string text = "the quick brown fox jumps over the lazy dog";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const auto front = std::string_view(text).substr(0, cut);
    const auto back = std::string_view(text).substr(cut);
    CHECK(crc32c(back, crc32c(front)) == crc32c_portable(text));
  }
  std::string longer;
  for (std::uint32_t i = 0; i < 10'000; ++i) longer += static_cast<char>(i * i >> 3);
  for (std::size_t bytes = 0; bytes <= longer.size(); bytes += 73) {
    const auto some = std::string_view(longer).substr(bytes % 11, bytes);
    CHECK(crc32c(some, static_cast<std::uint32_t>(bytes)) == crc32c_portable(some, static_cast<std::uint32_t>(bytes)));
  }
}

TEST_CASE("byte readers stay inside their bytes and stay bad") {
  std::string bytes;
  ByteWriter writer(bytes);
  writer.fixed<std::uint32_t>(7);
  writer.varint(300);
  writer.zigzag(-5);
  writer.sized("abc");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteReader reader(std::string_view(bytes).substr(0, size));
    reader.fixed<std::uint32_t>();
    reader.varint();
    reader.zigzag();
    reader.sized();
    CHECK_FALSE(reader.ok());
  }
  ByteReader reader(bytes);
  CHECK(reader.fixed<std::uint32_t>() == 7);
  CHECK(reader.varint() == 300);
  CHECK(reader.zigzag() == -5);
  CHECK(reader.sized() == "abc");
  CHECK(reader.ok());
  CHECK(reader.at_end());
}

TEST_CASE("byte readers refuse varints past 64 bits and counts that cannot follow") {
  const std::string ten(10, '\xff');
  ByteReader long_varint(ten);
  long_varint.varint();
  CHECK_FALSE(long_varint.ok());
  std::string bytes;
  ByteWriter(bytes).varint(1000);
  ByteReader counted(bytes);
  CHECK(counted.count(8) == 0);
  CHECK_FALSE(counted.ok());
}

TEST_CASE("json: commas, escapes, bad bytes") {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("a").begin_array().integer(-1).string("x\"<\n\xff").null().end_array();
  json.key("b").boolean(true).key("c").number(0.5).key("d").begin_object().end_object().end_object();
  CHECK(out == R"({"a":[-1,"x\"\u003c\n\ufffd",null],"b":true,"c":0.5,"d":{}})");
  std::string escaped;
  append_json_escaped(escaped, "\xe2\x80\xa8");
  CHECK(escaped == "\\u2028");
}

TEST_CASE("budgets: a refused charge changes nothing up the tree") {
  MemoryBudget process("process", 100);
  MemoryBudget queries("queries", 0, &process);
  {
    MemoryBudget query("query", 60, &queries);
    CHECK(query.charge(50).has_value());
    CHECK_FALSE(query.charge(20).has_value());
    CHECK(process.used_bytes() == 50);
    CHECK(process.charge(50).has_value());
    const auto refused = query.charge(5);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().message() == "memory limit of process reached: asked 5 bytes, used 100, limit 100");
    CHECK(query.used_bytes() == 50);
    CHECK(queries.used_bytes() == 50);
  }
  CHECK(process.used_bytes() == 50);  // what a dead account held is given back
}

TEST_CASE("rfc 3339") {
  CHECK(format_rfc3339({0}) == "1970-01-01T00:00:00Z");
  CHECK(format_rfc3339({1768032000250000000}) == "2026-01-10T08:00:00.25Z");
  CHECK(format_rfc3339({-1}) == "1969-12-31T23:59:59.999999999Z");
}

TEST_CASE("rfc 3339 reads back, with offsets and fractions") {
  for (const std::int64_t ns : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1768032000250000000}}) {
    CHECK(parse_rfc3339(format_rfc3339({ns})) == TimestampNs{ns});
  }
  CHECK(parse_rfc3339("2026-01-10T09:30:00+01:30") == parse_rfc3339("2026-01-10T08:00:00Z"));
  for (const auto* text :
       {"", "2026-01-10", "2026-01-10T08:00:00", "2026-02-30T08:00:00Z", "2026-01-10T24:00:00Z",
        "2026-01-10T08:00:00.Z", "2026-01-10T08:00:00Zx", "2026-01-10T08:00:00+1:30", "9999-01-01T00:00:00Z"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_rfc3339(text).has_value());
  }
}

TEST_CASE("escapes of Go's literals and of JSON strings") {
  const auto go = [](std::string_view text) -> std::string {
    std::string_view rest = text;
    const GoEscape escape = take_go_escape(rest, '"');
    std::string out = escape.kind == GoEscape::Kind::kMalformed ? "malformed" : "out of range";
    if (escape.valid()) out.clear(), escape.append_to(out);
    return out + "+" + std::string(rest);
  };
  CHECK(go("nx") == "\n+x");
  CHECK(go("\"") == "\"+");
  CHECK(go("'") == "malformed+'");
  CHECK(go("x41B") == "A+B");
  CHECK(go("xff") == "\xff+");
  CHECK(go("101") == "A+");
  CHECK(go("377") == "\xff+");
  CHECK(go("400") == "out of range+");
  CHECK(go("18") == "malformed+18");
  CHECK(go("u00e9") == "\xc3\xa9+");
  CHECK(go("U0001f680!") == "\xf0\x9f\x9a\x80+!");
  CHECK(go("ud800") == "out of range+");
  CHECK(go("U00110000") == "out of range+");
  CHECK(go("u00e") == "malformed+u00e");
  CHECK(go("") == "malformed+");
  const auto json = [](std::string_view text) {
    const auto rune = take_json_unicode(text);
    std::string out;
    if (rune) append_utf8(out, rune->value);
    return (!rune ? "malformed" : rune->lone_surrogate ? "lone" : out) + "+" + std::string(text);
  };
  CHECK(json("0041b") == "A+b");
  CHECK(json("D83D\\uDE80x") == "\xf0\x9f\x9a\x80+x");
  CHECK(json("d83d\\u0041") == "lone+\\u0041");
  CHECK(json("de80") == "lone+");
  CHECK(json("12g4") == "malformed+12g4");
  CHECK(json_short_escape('t') == '\t');
  CHECK(json_short_escape('u') == 0);
}
