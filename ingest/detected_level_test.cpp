#include "ingest/detected_level.h"

#include <doctest/doctest.h>

#include <random>

#include "ingest/limits.h"

namespace kvasir::ingest {
namespace {

std::string_view level_of(std::string_view line, std::uint64_t depth = 2) {
  static const auto kFields = TenantLimits::default_level_fields();
  return level_pair(LevelDetector(kFields, depth).from_line(line)).value;
}

TEST_CASE("levels of lines") {
  CHECK(level_of("level=warn x=1") == "warn");
  CHECK(level_of("lvl=WRN") == "warn");
  CHECK(level_of(R"({"level":"Error"})") == "error");
  CHECK(level_of(R"({"level":30})") == "unknown");
  CHECK(level_of("level=NOTICE") == "unknown");
  CHECK(level_of("[INFO] x error") == "info");
  CHECK(level_of("ERROR: bad") == "error");
  CHECK(level_of("misc:error foo") == "unknown");
  CHECK(level_of("information") == "unknown");
  CHECK(level_of("a,error,b") == "unknown");
  CHECK(level_of(R"({"msg":"x error y"})") == "error");
  CHECK(level_of("\"error\"") == "error");
  CHECK(level_of("Warning: x") == "warn");
  CHECK(level_of("x=1 critical!") == "critical");
  CHECK(level_of("") == "unknown");
  CHECK(level_of("err") == "error");
  CHECK(level_of("errors") == "unknown");
  CHECK(level_of("fatal\ttrace") == "fatal");
  CHECK(level_of("\xff\xfe error") == "error");
}

TEST_CASE("json lines") {
  CHECK(level_of(R"(  {"a":1,"b":[{"level":"debug"}],"level":"warn"}  )") == "warn");
  CHECK(level_of(R"({"a":{"level":"debug"},"level":"warn"})") == "debug");
  CHECK(level_of(R"({"a":{"b":{"level":"debugx"}},"c":"warn"})", 2) == "warn");
  CHECK(level_of(R"({"a":{"b":{"level":"dbg"}}})", 2) == "unknown");
  CHECK(level_of(R"({"a":{"b":{"level":"dbg"}}})", 0) == "debug");
  CHECK(level_of(R"({"a":"x\"y\\","level":"trc"})") == "trace");
  CHECK(level_of(R"({"Level":"inf","x":null,"y":true})") == "info");
  CHECK(level_of(R"({"lEvEl":"dbg"})") == "unknown");
  CHECK(level_of(R"({"level":"notice","msg":"a warn b"})") == "warn");
  CHECK(level_of(R"({"level" : "fatal" })") == "fatal");
  CHECK(level_of(R"({"a":-1.5e3,"severity":"WRN"})") == "warn");
  CHECK(level_of(R"({broken json "level":"dbg"})") == "unknown");
  CHECK(level_of(R"({"a":})") == "unknown");
  CHECK(level_of("{}") == "unknown");
}

TEST_CASE("logfmt lines: the order of the list decides") {
  CHECK(level_of("severity=warn LEVEL=dbg") == "debug");
  CHECK(level_of("msg=\"level=error here\" lvl=info") == "info");
  CHECK(level_of("a=b \"quoted") == "unknown");
  CHECK(level_of("level=\"Warning\" x") == "warn");
  CHECK(level_of("level= x=error") == "error");
  CHECK(level_of("level=error=x") == "error");
}

/// The rule in its plainest form.
Level naive_scan(std::string_view line) {
  struct Word {
    std::string_view text;
    Level level;
  };
  constexpr Word kWords[] = {{"trace", Level::kTrace},   {"debug", Level::kDebug},     {"fatal", Level::kFatal},
                             {"critical", Level::kCritical}, {"error", Level::kError}, {"err", Level::kError},
                             {"warning", Level::kWarn},  {"warn", Level::kWarn},       {"info", Level::kInfo}};
  std::string lower(line);
  for (auto& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (std::size_t at = 0; at < lower.size(); ++at) {
    if (at > 0 && std::string_view(" \t\n[({\"=").find(lower[at - 1]) == std::string_view::npos) continue;
    for (const auto& [text, level] : kWords) {
      if (lower.compare(at, text.size(), text) != 0) continue;
      const std::size_t end = at + text.size();
      if (end == lower.size() || std::string_view(" \t\n[](){}:,!\"=").find(lower[end]) != std::string_view::npos)
        return level;
    }
  }
  return Level::kUnknown;
}

TEST_CASE("the fast scan agrees with the plain rule") {
  std::mt19937 random(11);
  const std::vector<std::string> pieces = {"error", "ERR", "warn", "Warning", "info",     "trace", "fatal", "critical",
                                           "debug", "x",   "the",  " ",       "=",        "\"",    "[",     "]",
                                           ":",     ",",   "_",    "\t",      "\xc3\xa9", "wa",    "cr",    "!"};
  for (int round = 0; round < 50'000; ++round) {
    std::string line;
    for (std::size_t count = random() % 14; count > 0; --count) line += pieces[random() % pieces.size()];
    CAPTURE(line);
    REQUIRE(scan_level_words(line) == naive_scan(line));
  }
}

TEST_CASE("no line is read past its end") {
  std::mt19937 random(7);
  const std::string alphabet = "{}[]\"\\:, =levinforwaEd1\n";
  for (int round = 0; round < 20'000; ++round) {
    std::string line(random() % 40, ' ');
    for (auto& c : line) c = alphabet[random() % alphabet.size()];
    std::vector<char> exact(line.begin(), line.end());  // on the heap without a terminator, for the address sanitizer
    level_of({exact.data(), exact.size()});
    level_of("{" + line + "}");
  }
}

TEST_CASE("equal levels share their text") {
  CHECK(level_pair(Level::kWarn).name.data() == level_pair(Level::kInfo).name.data());
  CHECK(level_pair(Level::kWarn).name == detected_level_name());
}

}  // namespace
}  // namespace kvasir::ingest
