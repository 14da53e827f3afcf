#include "ingest/wire/label_string.h"

#include <doctest/doctest.h>

namespace kvasir::ingest {
namespace {

TEST_CASE("label strings are sorted and printed in one form") {
  const auto printed = [](std::string_view text) {
    const auto parsed = parse_label_string(text);
    return parsed ? parsed->labels.to_string() : parsed.error().message();
  };
  CHECK(printed("{}") == "{}");
  CHECK(printed(" { } ") == "{}");
  CHECK(printed("{b=\"2\", a='1'}") == "{a=\"1\", b=\"2\"}");
  CHECK(printed("{a=\"x\",}") == "{a=\"x\"}");
  CHECK(printed("{a=\"\", b=\"x\"}") == "{b=\"x\"}");
  CHECK(printed("{a=`x\\n`}") == "{a=\"x\\\\n\"}");
  CHECK(printed("{a=\"\\x41\\u00e9\\101\\t\\\"\"}") == "{a=\"AéA\\t\\\"\"}");
  CHECK(printed("{a='it\\'s'}") == "{a=\"it's\"}");
  CHECK(printed("{_9=\"x\"}") == "{_9=\"x\"}");
}

TEST_CASE("errors carry Prometheus' words and place") {
  const auto error = [](std::string_view text) {
    const auto parsed = parse_label_string(text);
    REQUIRE_FALSE(parsed.has_value());
    return parsed.error().message();
  };
  CHECK(error("{a-b=\"x\"}") == "1:3: parse error: unexpected character inside braces: '-'");
  CHECK(error("{app=t1}") == "1:6: parse error: unexpected identifier \"t1\" in label set, expected string");
  CHECK(error("{a!=\"x\"}") == "1:3: parse error: unexpected <op:!=> in label set, expected \"=\"");
  CHECK(error("{a=~\"x\"}") == "1:3: parse error: unexpected <op:=~> in label set, expected \"=\"");
  CHECK(error("{a=\"x\" b=\"y\"}") ==
        "1:8: parse error: unexpected identifier \"b\" in label set, expected \",\" or \"}\"");
  CHECK(error("{a=\"x\"") == "1:7: parse error: unexpected end of input inside braces");
  CHECK(error("{,}") == "1:2: parse error: unexpected \",\" in label set, expected identifier or \"}\"");
  CHECK(error("app=\"x\"") == "1:4: parse error: unexpected \"=\"");
  CHECK(error("{a=\"x\"}|") == "1:8: parse error: unexpected character: '|'");
  CHECK(error("") == "1:1: parse error: unexpected end of input");
  CHECK(error("{} x") == "1:4: parse error: unexpected identifier \"x\"");
  CHECK(error("{a=\"x}") == "1:4: parse error: unterminated quoted string");
  CHECK(error("{a=\"\\q\"}").starts_with("1:5: parse error: "));
  CHECK(error("{ü=\"x\"}") == "1:2: parse error: unexpected character inside braces: 'ü'");
}

TEST_CASE("a name given twice is reported") {
  CHECK(parse_label_string("{a=\"1\", b=\"2\", a=\"3\"}")->duplicate_name == "a");
  CHECK(parse_label_string("{a=\"1\", a=\"\"}")->duplicate_name.empty());
}

}  // namespace
}  // namespace kvasir::ingest
