#include "promtail-agent/stages/json_scanner.h"

#include <doctest/doctest.h>

#include "promtail-agent/stages/arena.h"
#include "promtail-agent/stages/json_tree.h"

namespace kvasir::agent {
namespace {

std::string rewritten(std::string_view text) {
  JsonPool pool;
  const JsonNode* node = parse_json(text, pool);
  if (node == nullptr) return "(malformed)";
  std::string out;
  append_json(out, *node);
  return out;
}

TEST_CASE("documents are read and written back compactly") {
  struct Case {
    std::string_view in, out;
  };
  for (const auto& [in, out] : {
           Case{R"({"b":1,"a":[true,null,2.5]})", R"({"a":[true,null,2.5],"b":1})"},
           Case{R"( { "a" : "x\n\u00e9" } )", "{\"a\":\"x\\n\xc3\xa9\"}"},
           Case{R"("<b>&")", R"("\u003cb\u003e\u0026")"},
           Case{"1e21", "1e+21"},
           Case{"1e-7", "1e-7"},
           Case{"0.000001", "0.000001"},
           Case{"123456789012345678901234567890", "123456789012345678901234567890"},
           Case{"1.50", "1.5"},
           Case{R"({"a":1,"a":2})", R"({"a":2})"},
           Case{R"("\ud83d\ude80")", "\"\xf0\x9f\x9a\x80\""},
           Case{R"("\ud800x")", "\"\xef\xbf\xbdx\""},
           Case{R"("\ud800\u0041")", "\"\xef\xbf\xbd" "A\""},
           Case{"[]", "[]"},
           Case{"{}", "{}"},
       })
    CHECK(rewritten(in) == out);
}

TEST_CASE("malformed documents are refused") {
  for (const std::string_view text : {"",
                                      "nope",
                                      "{\"a\":01}",
                                      "{\"a\":1,}",
                                      "{'a':1}",
                                      "{\"a\":.5}",
                                      "{\"a\":1.}",
                                      "{\"a\":+1}",
                                      "{\"a\":NaN}",
                                      "{\"a\":\"\t\"}",
                                      "{\"a\":1}{\"b\":2}",
                                      "\xef\xbb\xbf{}",
                                      "{\"a\":-}",
                                      "{\"a\":1e400}",
                                      "{\"a\":\"\\x\"}",
                                      "{\"a\":1 \"b\":2}",
                                      "{\"a\":tru}",
                                      "{\"a\":1}x",
                                      "{\"a\":\"abc",
                                      "{\"a\":\"\\u12g4\"}",
                                      "[1,]",
                                      "[",
                                      "{",
                                      "\"",
                                      "\"\\",
                                      "\"\\u00",
                                      "1e",
                                      "--1",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{1:2}"})
    CHECK_MESSAGE(rewritten(text) == "(malformed)", text);
}

TEST_CASE("nesting is bounded") {
  CHECK(rewritten(std::string(900, '[') + std::string(900, ']')) != "(malformed)");
  CHECK(rewritten(std::string(100'000, '[')) == "(malformed)");
  CHECK(rewritten(std::string(2000, '[') + std::string(2000, ']')) == "(malformed)");
}

TEST_CASE("long strings are scanned past every block border") {
  for (std::size_t size = 0; size < 70; ++size) {
    const std::string plain(size, 'x');
    CHECK(rewritten("\"" + plain + "\"") == "\"" + plain + "\"");
    CHECK(rewritten("\"" + plain + "\x01\"") == "(malformed)");
    CHECK(rewritten("\"" + plain + "\\n\"") == "\"" + plain + "\\n\"");
    CHECK(rewritten("\"" + plain) == "(malformed)");
  }
}

}  // namespace
}  // namespace kvasir::agent
