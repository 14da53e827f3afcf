#include <doctest/doctest.h>
#include <snappy.h>

#include <memory>
#include <random>

#include "ingest/wire/push_json.h"
#include "ingest/wire/push_protobuf.h"

namespace kvasir::ingest {
namespace {

/// One line per stream and entry: what a decoder understood.
std::string describe(const DecodedPush& push) {
  std::string out;
  for (const auto& stream : push.streams) {
    out += std::string(stream.labels) + "\n";
    for (const auto& entry : push.entries_of(stream)) {
      out += " " + std::to_string(entry.timestamp.value) + " [" + std::string(entry.line) + "]";
      for (const auto& [name, value] : push.metadata_of(entry))
        out += " " + std::string(name) + "=" + std::string(value);
      out += "\n";
    }
  }
  return out;
}

std::string decode_json(JsonForm form, std::string_view body) {
  DecodedPush push;
  push.body = body;
  const auto result = decode_push_json(form, push);
  return result ? describe(push) : "error " + result.error().message();
}

std::string v1(std::string_view body) { return decode_json(JsonForm::kV1, body); }

TEST_CASE("json v1") {
  CHECK(v1(R"({"streams":[{"stream":{"app":"shop","env":"prod"},"values":[
      ["1795253222000000000","level=info msg=\"order ok\"",{"trace_id":"abc1","user.id":"7"}],
      ["1795253223000000000","plain line"]]}]})") ==
        "{app=\"shop\", env=\"prod\"}\n 1795253222000000000 [level=info msg=\"order ok\"] trace_id=abc1 user.id=7\n"
        " 1795253223000000000 [plain line]\n");
  CHECK(v1(R"({"streams":[{"stream":{"n":12.50,"b":"x","b":"y"},"values":[["1","a"]]}]})") ==
        "{b=\"y\", n=\"12.50\"}\n 1 [a]\n");
  CHECK(v1(R"({"streams":[{"stream":{"a":"b"},"values":null}]})") == "{a=\"b\"}\n");
  CHECK(v1(R"({"streams":[{"stream":{"a":"b"},"values":[null,[],["7"],["8","x",null],["9","y",{},"more",[1]]]}]})") ==
        "{a=\"b\"}\n 0 []\n 7 []\n 8 [x]\n 9 [y]\n");
  CHECK(
      v1(R"({"other":[1,{"x":2}],"streams":[{"extra":true,"values":[["1","a",{"k":"1","j":"2","k":"3"}]],"stream":{}}]})") ==
      "{}\n 1 [a] k=3 j=2\n");
  CHECK(v1(R"({"streams":[{"labels":"{a=\"b\"}","entries":[{"ts":"2026-11-21T09:00:00Z","line":"x"}]}]})") == "{}\n");
  for (const char* empty : {"{}", "null", R"({"streams":[]})", R"({"streams":null})"}) CHECK(v1(empty).empty());
}

TEST_CASE("a few bytes that stand for many are refused before the memory is taken") {
  const auto refused = [](bool as_json, const std::string& body) {
    DecodedPush push;
    push.made_bytes_max = 1 << 20;
    push.body = body;
    const auto result =
        as_json ? decode_push_json(JsonForm::kV1, push) : decode_push_protobuf(push);
    return !result && result.error().message() == "request body too large: what it holds takes more than 1048576 bytes" &&
           push.made_bytes() < (1 << 20) + 65536;
  };
  const auto many = [](std::string_view one, int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += one;
    return out;
  };
  const std::string streams = R"({"streams":[)";
  CHECK(refused(true, streams + R"({"values":[)" + many("[],", 50'000) + "[]]}]}"));
  CHECK(refused(true, streams + many("{},", 50'000) + "{}]}"));
  CHECK(refused(true, streams + R"({"stream":{)" + many(R"("a":"b",)", 50'000) + R"("a":"b"}}]})"));
  CHECK(refused(true, streams + many(R"({"stream":{"a":"b"}},)", 50'000) + "{}]}"));
  CHECK(refused(false, "\x0a\xd0\x86\x03" + many(std::string("\x12\x00", 2), 25'000)));
  CHECK(refused(false, many(std::string("\x0a\x00", 2), 50'000)));
}

TEST_CASE("json strings") {
  const auto line = [](std::string_view literal) {
    const std::string text = v1(R"({"streams":[{"stream":{},"values":[["1",)" + std::string(literal) + "]]}]}");
    return text.starts_with("error") ? "error" : text.substr(7, text.size() - 9);
  };
  CHECK(line(R"("")") == "");
  CHECK(line(R"( "a" )") == "a");
  CHECK(line(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
  CHECK(line(R"("\u0041\u00e9\u20ac\ud83d\ude00")") == "Aé€😀");
  CHECK(line(R"("\ud83dx\udc00")") == "\xef\xbf\xbdx\xef\xbf\xbd");
  CHECK(line(R"("\ud83d\u0041")") == "\xef\xbf\xbd" "A");
  CHECK(line("\"a\xff b\"") == "a\xef\xbf\xbd b");
  CHECK(line(R"("\u0000")") == std::string(1, '\0'));
  CHECK(line(R"("\x")") == "error");
  CHECK(line(R"("\u12")") == "error");
  CHECK(line("12") == "error");
  CHECK(line("null") == "error");
}

TEST_CASE("json that is refused whole") {
  for (const char* body :
       {R"({"streams":[{"stream":"{a=\"b\"}","values":[["1","a"]]}]})",
        R"({"streams":[{"stream":{"a":true},"values":[["1","a"]]}]})",
        R"({"streams":[{"stream":{},"values":[[1,"a"]]}]})", R"({"streams":[{"stream":{},"values":[["1.5","a"]]}]})",
        R"({"streams":[{"stream":{},"values":[["2026-11-21T09:00:00Z","a"]]}]})",
        R"({"streams":[{"stream":{},"values":[["","a"]]}]})", R"({"streams":[{"stream":{},"values":[["1","a","x"]]}]})",
        R"({"streams":[{"stream":{},"values":[["1","a",{"k":1}]]}]})", R"({"streams":[{"stream":{},"values":["1"]}]})",
        R"({"streams":{}})", R"({"streams":[{"stream":{},"values":[["1","a")", "[]", "\"x\"", "{\"streams\":[{]}",
        "nonsense", "{"}) {
    CAPTURE(std::string(body));
    CHECK(v1(body).starts_with("error loghttp.PushRequest.Streams: "));
  }
  CHECK(v1("") == "error EOF");
  CHECK(v1(" \n") == "error EOF");
  CHECK(v1(R"({"streams":[{"stream":{},"values":[[1,"a"]]}]})")
            .starts_with("error loghttp.PushRequest.Streams: []loghttp.LogProtoStream: unmarshalerDecoder: "));
}

TEST_CASE("json of the legacy form") {
  const auto legacy = [](std::string_view body) { return decode_json(JsonForm::kLegacy, body); };
  CHECK(legacy(R"({"streams":[{"labels":"{app=\"shop\"}","entries":[
      {"ts":"2026-11-21T09:00:00.123456789Z","line":"hello","structuredMetadata":{"k":"v"}},
      {"timestamp":"2026-11-21T09:00:00Z","line":"x"}]}]})") ==
        "{app=\"shop\"}\n 1795251600123456789 [hello] k=v\n 0 [x]\n");
  CHECK(legacy(R"({"streams":[{"stream":{"a":"b"},"values":[["1","a"]]}]})") == "{}\n");
  CHECK(legacy(R"({"streams":[{"labels":"{}","entries":[{"ts":"yesterday"}]}]})").starts_with("error"));
}

struct Sample {
  std::vector<std::vector<LabelView>> metadata;
  std::vector<EntryView> first, second;
  std::vector<WireStream> streams;

  Sample() {
    metadata = {{{"trace_id", "abc"}, {"k", ""}}, {}};
    first = {{{1795253222000000001}, 0, "line one", metadata[0]}, {{-1}, 0, std::string_view("\0\xff\r\n", 4), {}}};
    second = {{{0}, 0, "", {}}};
    streams = {{"{app=\"shop\"}", first}, {"{b=\"c\"}", second}, {"{}", {}}};
  }
  std::string text() const {
    return "{app=\"shop\"}\n 1795253222000000001 [line one] trace_id=abc k=\n -1 [" + std::string("\0\xff\r\n", 4) +
           "]\n{b=\"c\"}\n 0 []\n{}\n";
  }
};

TEST_CASE("protobuf both ways") {
  const Sample sample;
  DecodedPush push;
  REQUIRE(decode_push_snappy(encode_push_snappy(sample.streams), 1 << 20, push).has_value());
  CHECK(describe(push) == sample.text());
  CHECK(describe(push).size() == sample.text().size());
}

TEST_CASE("protobuf: unknown fields are skipped, format and hash ignored") {
  // streams { labels "{}" entries { line "a" parsed {..} } hash 7 } format "x", and an unknown field 99
  const std::string body(
      "\x0a\x0f\x0a\x02{}\x12\x07\x12\x01"
      "a"
      "\x22\x02\x0a\x00"
      "\x18\x07"
      "\x12\x01x"
      "\x98\x06\x01",
      23);
  DecodedPush push;
  push.body = body;
  REQUIRE(decode_push_protobuf(push).has_value());
  CHECK(describe(push) == "{}\n 0 [a]\n");
}

TEST_CASE("snappy lengths are believed only as far as they can be true") {
  DecodedPush push;
  const auto error = [&](std::string_view body, std::uint64_t limit) {
    push.clear();
    const auto result = decode_push_snappy(body, limit, push);
    return result ? "ok" : result.error().message();
  };
  CHECK(error("", 100) == "snappy: corrupt input");
  CHECK(error(std::string_view("\0", 1), 100) == "ok");
  CHECK(error("\xff\xff\xff\xff\x0f", 1u << 30) ==
        "decompressed message size too large than max (4294967295 vs 1073741824)");
  CHECK(error("\xff\xff\xff\x0f", 1u << 30) == "snappy: corrupt input");
  CHECK(push.body.capacity() < 1 << 20);
  std::string packed;
  const std::string zeros(1 << 20, '\0');
  snappy::Compress(zeros.data(), zeros.size(), &packed);
  CHECK(error(packed, 1 << 20) != "snappy: corrupt input");
  CHECK(error(packed, (1 << 20) - 1).starts_with("decompressed message size too large"));
  CHECK(error("not snappy at all", 1 << 20) == "snappy: corrupt input");
  snappy::Compress("\x0a\x7f", 2, &packed);
  CHECK(error(packed, 1 << 20) == "unexpected EOF");
}

TEST_CASE("damaged protobuf never reads outside the body") {
  const Sample sample;
  const std::string good = encode_push_protobuf(sample.streams);
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    DecodedPush push;
    push.body = good.substr(0, random() % (good.size() + 1));
    for (std::size_t hits = random() % 4; hits > 0 && !push.body.empty(); --hits) {
      push.body[random() % push.body.size()] = static_cast<char>(random());
    }
    if (decode_push_protobuf(push)) describe(push);
  }
}

TEST_CASE("json encoding reads back") {
  std::vector<LabelView> metadata = {{"k", "v\"<"}};
  std::vector<EntryView> entries = {{{5}, 0, "line \"quoted\" \n<&>", metadata}, {{6}, 0, "x", {}}};
  std::vector<WireStream> streams = {{"{a=\"b\\\"c\"}", entries}};
  CHECK(v1(encode_push_json(streams).value()) == "{a=\"b\\\"c\"}\n 5 [line \"quoted\" \n<&>] k=v\"<\n 6 [x]\n");
  streams[0].labels = "{a=";
  CHECK_FALSE(encode_push_json(streams).has_value());
}

}  // namespace
}  // namespace kvasir::ingest
