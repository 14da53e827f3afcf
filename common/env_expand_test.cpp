#include "common/env_expand.h"

#include <doctest/doctest.h>

#include <map>

using namespace kvasir;

namespace {

EnvSource test_source() {
  EnvSource source;
  source.variable = [](const std::string& name) -> std::optional<std::string> {
    static const std::map<std::string, std::string> values = {{"V", "hello"},     {"EMPTY", ""},
                                                              {"B", "b"},         {"PATHNAME", "/var/log/app.log.gz"},
                                                              {"TWICE", "a-a-a"}, {"UP", "HELLO"}};
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
  source.file = [](const std::string& path) -> Result<std::string> {
    if (path == "/secret") return std::string("s3cret\n");
    return fail(ErrorCode::kIo, "read " + path + ": no such file");
  };
  return source;
}

}  // namespace

TEST_CASE("environment variables are expanded in every form") {
  const auto f = [](const char* text, const char* want) {
    const auto got = expand_env(text, test_source());
    REQUIRE_MESSAGE(got.has_value(), text);
    CHECK_MESSAGE(*got == want, text);
  };
  f("", "");
  f("plain", "plain");
  f("$V ${V}", "$V hello");
  f("$${V} $$1 $1", "${V} $1 $1");
  f("a\\\\b \\/ \\d \\", "a\\b / \\d \\");
  f("${UNSET}", "");
  f("${UNSET:-d} ${EMPTY:-d} ${V:-d}", "d d hello");
  f("${UNSET:=d} ${UNSET=d} ${UNSET:?d} ${UNSET:+d}", "d d d d");
  f("${UNSET:-x${B}y}", "xby");
  f("${UNSET:-http://h:1/p}", "http://h:1/p");
  f("${#V} ${#UNSET}", "5 0");
  f("${V^} ${V^^} ${UP,} ${UP,,}", "Hello HELLO hELLO hello");
  f("${V:1} ${V:1:3} ${V:9} ${V:0:99}", "ello ell  hello");
  f("${PATHNAME#*/} ${PATHNAME##*/}", "var/log/app.log.gz app.log.gz");
  f("${PATHNAME%.*} ${PATHNAME%%.*}", "/var/log/app.log /var/log/app");
  f("${PATHNAME%nomatch} ${V#?} ${V#[a-h]}", "/var/log/app.log.gz ello ello");
  f("${TWICE/a/b} ${TWICE//a/b} ${TWICE/#a/b} ${TWICE/%a/b} ${TWICE//-}", "b-a-a b-b-b b-a-a a-a-b aaa");
  f("pw: ${file:/secret}", "pw: s3cret");
}

TEST_CASE("broken expressions are errors") {
  const auto f = [](const std::string& text, const char* want) {
    const auto got = expand_env(text, test_source());
    REQUIRE_MESSAGE(!got.has_value(), text);
    CHECK(got.error().message() == want);
  };
  f("${V", "missing closing brace");
  f("${V-d}", "missing closing brace");
  f("${a.b}", "missing closing brace");
  f("${V:-x", "missing closing brace");
  f("${", "missing closing brace");
  f("${file:/none}", "read /none: no such file");
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "${U:-";
  f(deep, "variables are nested too deeply");
}
