#include "promtail-agent/targets/syslog_parser.h"

#include <doctest/doctest.h>

namespace kvasir::agent {

TEST_CASE("RFC 5424 messages") {
  const struct {
    const char* text;
    const char* printed;  // nullptr: refused
  } cases[] = {
      {"<165>1 2021-10-11T22:14:15.003Z mach.example app1 8710 ID47 - An event",
       "<165>1 2021-10-11T22:14:15.003Z mach.example app1 8710 ID47 - An event"},
      {"<34>1 - h a - - - text", "<34>1 - h a - - - text"},
      {"<13>1 2021-10-11T22:14:15Z h a p m [b@1 y=\"2\" x=\"1\"][a@1 z=\"\\\"\\\\\\]\"] m",
       "<13>1 2021-10-11T22:14:15Z h a p m [a@1 z=\"\\\"\\\\\\]\"][b@1 x=\"1\" y=\"2\"] m"},
      {"<13>1 2021-10-11T22:14:15Z h a - - - \xef\xbb\xbfwith a mark",
       "<13>1 2021-10-11T22:14:15Z h a - - - with a mark"},
      {"<13>1 2021-10-11T22:14:15Z h", "<13>1 2021-10-11T22:14:15Z h - - - -"},
      {"<13>1 yesterday h a - - - lost", "<13>1 - - - - - -"},
      {"<13>1 - h a - - [broken x=1] m", "<13>1 - h a - - [broken]"},
      {"<0>1", "<0>1 - - - - - -"},
      {"<999>9 nonsense", nullptr},
      {"<192>1 - - - - - -", nullptr},
      {"<>1 -", nullptr},
      {"<13> - h", nullptr},
      {"13>1", nullptr},
      {"", nullptr},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    const auto message = parse_rfc5424(c.text);
    REQUIRE(message.has_value() == (c.printed != nullptr));
    if (message) CHECK(print_rfc5424(*message) == c.printed);
  }
}

TEST_CASE("RFC 3164 messages take the year that is nearest") {
  const TimestampNs january{1767225600'000'000'000};  // 2026-01-01
  const auto message = parse_rfc3164("<34>Dec 31 22:14:15 mymachine su[42]: it failed", TimeZone::utc(), january);
  REQUIRE(message);
  CHECK(format_rfc3339(*message->timestamp) == "2025-12-31T22:14:15Z");
  CHECK(message->hostname == "mymachine");
  CHECK(message->app_name == "su");
  CHECK(message->proc_id == "42");
  CHECK(message->message == "it failed");
  const auto abroad = parse_rfc3164("<34>Dec 31 22:14:15 h x", *TimeZone::find("America/New_York"), january);
  REQUIRE(abroad);
  CHECK(format_rfc3339(*abroad->timestamp) == "2026-01-01T03:14:15Z");
  const auto plain = parse_rfc3164("<13>Feb  5 17:32:18 10.0.0.99 no tag here", TimeZone::utc(), january);
  REQUIRE(plain);
  CHECK(!plain->app_name);
  CHECK(plain->message == "no tag here");
  for (const char* bad :
       {"<34>Foo 11 22:14:15 h x", "<34>Oct 41 22:14:15 h x", "<34>Oct 11 25:14:15 h x", "<34>", "x"}) {
    CAPTURE(bad);
    CHECK(!parse_rfc3164(bad, TimeZone::utc(), january));
  }
}

TEST_CASE("framing gives the same messages however the stream is cut") {
  const struct {
    const char* stream;
    std::vector<std::string> want;  // the last may come by flush()
  } cases[] = {
      {"5 <1>ab7 <2>c\nde", {"<1>ab", "<2>c\nde"}},
      {"<1>a\n<2>b\nmore\n<3>c\n", {"<1>a", "<2>b\nmore", "<3>c"}},
      {"<1>only", {"<1>only"}},
  };
  for (const auto& c : cases) {
    const std::string stream = c.stream;
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
      SyslogFramer framer(100);
      std::vector<std::string> got;
      CHECK(framer.feed(stream.substr(0, cut), got));
      CHECK(framer.feed(stream.substr(cut), got));
      if (auto last = framer.flush()) got.push_back(*last);
      CHECK(got == c.want);
    }
  }
}

TEST_CASE("a stream that cannot be framed is refused, a long message bounded") {
  std::vector<std::string> out;
  CHECK(!SyslogFramer(10).feed("x", out));
  CHECK(!SyslogFramer(10).feed("11 ", out));
  CHECK(!SyslogFramer(10).feed("1x ", out));
  CHECK(!SyslogFramer(10).feed("99999999999999", out));
  SyslogFramer framer(10);
  CHECK(framer.feed("<1>" + std::string(1000, 'a'), out));
  CHECK(framer.feed(std::string(1000, 'b') + "\n<2>x", out));
  REQUIRE(out.size() == 1);
  CHECK(out[0].size() == 10);
}

}  // namespace kvasir::agent
