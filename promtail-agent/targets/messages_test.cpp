// GELF, journal fields and the Docker log stream: what bytes become.
#include <doctest/doctest.h>

#include "common/net/content_encoding.h"
#include "promtail-agent/targets/docker_stream.h"
#include "promtail-agent/targets/gelf_message.h"
#include "promtail-agent/targets/journal_fields.h"

namespace kvasir::agent {

TEST_CASE("GELF messages, plain and compressed") {
  const std::string json = R"({"version":"1.1","host":"h","short_message":"m","level":3,"timestamp":1.5,"_x":[1]})";
  for (const std::string& payload :
       {json, net::compress(net::ContentEncoding::kGzip, json), json + std::string(1, '\0')}) {
    const auto message = parse_gelf(payload);
    REQUIRE(message);
    CHECK(message->host == "h");
    CHECK(message->level == 3);
    CHECK(message->timestamp_seconds == 1.5);
    CHECK(message->json == json);
  }
  for (const char* bad : {"", "[]", "{", "\x1f\x8b broken", "\x78\x9c broken"}) CHECK(!parse_gelf(bad));
}

TEST_CASE("GELF chunks in any order, twice, contradictory, late") {
  const auto chunk = [](char number, char count, const char* text) {
    return std::string("\x1e\x0f", 2) + "ABCDEFGH" + number + count + text;
  };
  GelfAssembler assembler;
  CHECK(!*assembler.add(chunk(1, 2, "b"), Duration(0)));
  CHECK(!*assembler.add(chunk(1, 2, "b"), Duration(0)));
  CHECK(*assembler.add(chunk(0, 2, "a"), Duration(0)) == "ab");
  CHECK(!assembler.add(chunk(2, 2, "x"), Duration(0)));
  CHECK(!assembler.add(chunk(0, 0, "x"), Duration(0)));
  CHECK(!*assembler.add(chunk(0, 2, "a"), Duration(0)));
  CHECK(!assembler.add(chunk(1, 3, "x"), Duration(0)));
  CHECK(!*assembler.add(chunk(1, 2, "b"), kGelfPendingTime + Duration(1)));  // the first was forgotten
  CHECK(!assembler.add(std::string("\x1e\x0f", 2), Duration(0)));
}

TEST_CASE("journal fields become labels and JSON") {
  JournalFields fields;
  add_journal_field("_SYSTEMD_UNIT=a.service", fields);
  add_journal_field("PRIORITY=3", fields);
  add_journal_field("MESSAGE=x=y\n\"z\"", fields);
  add_journal_field("no equals sign", fields);
  const Labels labels = journal_labels(fields);
  CHECK(labels.value_or_empty("__journal__systemd_unit") == "a.service");
  CHECK(labels.value_or_empty("__journal_priority_keyword") == "error");
  CHECK(journal_json(fields) == R"({"MESSAGE":"x=y\n\"z\"","PRIORITY":"3","_SYSTEMD_UNIT":"a.service"})");
  JournalFields odd;
  add_journal_field("PRIORITY=9", odd);
  CHECK(journal_labels(odd).value_or_empty("__journal_priority_keyword") == "9");
}

TEST_CASE("journal matches") {
  CHECK(*parse_journal_matches("A=1  B=x=y + C=2") == std::vector<std::string>{"A=1", "B=x=y", "+", "C=2"});
  CHECK(parse_journal_matches("")->empty());
  for (const char* bad : {"A", "=1", "A=1 B"}) CHECK(!parse_journal_matches(bad));
}

TEST_CASE("a Docker stream gives the same lines however it is cut") {
  const auto frame = [](char stream, const std::string& payload) {
    std::string out(8, '\0');
    out[0] = stream;
    out[7] = static_cast<char>(payload.size());
    return out + payload;
  };
  const std::string t1 = "2026-01-02T03:04:05.000000001Z ";
  const std::string t2 = "2026-01-02T03:04:05.000000002Z ";
  const std::string bytes = frame(1, t1 + "out\r\n") + frame(2, t1 + "err\n") + frame(1, t2 + "par") +
                            frame(2, t2 + "e2\n") + frame(1, t2 + "tial\n") + frame(1, "no time") +
                            frame(1, t1 + "open") + frame(1, t2 + "next\n");
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    DockerStream stream(false, 1000);
    std::string got;
    const DockerStream::Sink sink = [&](const DockerLine& line) {
      got += (line.error_stream ? "E" : "O") + std::string(line.text) + "@" +
             std::to_string(line.timestamp.value % 10) + " ";
    };
    stream.feed(bytes.substr(0, cut), sink);
    stream.feed(bytes.substr(cut), sink);
    CHECK(got == "Oout@1 Eerr@1 Ee2@2 Opartial@2 Oopen@1 Onext@2 ");
    CHECK(stream.broken() == 1);
  }
  DockerStream small(false, 4);
  std::string short_lines;
  const std::string huge = std::string("\1\0\0\0\xff\xff\xff\xff", 8) + t1 + std::string(100'000, 'x');
  small.feed(frame(1, t1 + "123456\n") + frame(2, t1 + "12") + frame(2, t1 + "3456\n") + huge,
             [&](const DockerLine& line) { short_lines += std::string(line.text) + " "; });
  CHECK(short_lines == "1234 1234 ");
  DockerStream tty(true, 1000);
  std::string got;
  tty.feed(t1 + "a\r\n" + t2 + "b\n", [&](const DockerLine& line) { got += std::string(line.text) + " "; });
  CHECK(got == "a b ");
}

}  // namespace kvasir::agent
