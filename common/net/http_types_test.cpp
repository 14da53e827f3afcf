#include "common/net/http_types.h"

#include <doctest/doctest.h>

namespace kvasir::net {
namespace {

TEST_CASE("query strings") {
  const auto round = [](std::string_view encoded, std::string_view want) {
    const auto params = HttpParams::parse(encoded);
    REQUIRE(params.has_value());
    CHECK(params->encode() == want);
  };
  round("", "");
  round("a=1&b=2", "a=1&b=2");
  round("a=1&&b=2&", "a=1&b=2");
  round("query=%7Bapp%3D%22x%22%7D", "query=%7Bapp%3D%22x%22%7D");
  round("a=x+y%2Bz", "a=x%20y%2Bz");
  round("flag", "flag=");
  round("=v", "=v");
  round("a=b=c", "a=b%3Dc");
  round("a=%00%ff", "a=%00%FF");
}

TEST_CASE("broken escapes are refused in Go's words") {
  for (const std::string_view text : {"a=%", "a=%2", "a=%zz", "%g0=1"})
    CHECK_FALSE(HttpParams::parse(text).has_value());
  CHECK(HttpParams::parse("a=%zz").error().message() == "invalid URL escape \"%zz\"");
  CHECK(HttpParams::parse("a=%zz").error().code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("params look up by name") {
  const auto params = HttpParams::parse("match[]=a&match%5B%5D=b&x=1").value();
  CHECK(params.all("match[]") == std::vector<std::string_view>{"a", "b"});
  CHECK(params.get("x") == "1");
  CHECK_FALSE(params.has("y"));
}

TEST_CASE("headers compare without case") {
  HttpHeaders headers{{"Content-Type", "a"}, {"X-A", "1"}, {"x-a", "2"}};
  CHECK(headers.get("content-type") == "a");
  CHECK(headers.get("X-a") == "1");
  headers.set("X-A", "3");
  CHECK(headers.get("x-A") == "3");
  headers.erase("X-A");
  CHECK_FALSE(headers.has("x-a"));
}

TEST_CASE("path decoding keeps the plus sign") {
  CHECK(percent_decode("/a+b%20c").value() == "/a+b c");
  CHECK_FALSE(percent_decode("/%").has_value());
}

TEST_CASE("form encoding writes a blank as a plus and a plus as itself encoded") {
  CHECK(form_encode("") == "");
  CHECK(form_encode(" a b+c%20 ") == "+a+b%2Bc%2520+");
}

}  // namespace
}  // namespace kvasir::net
