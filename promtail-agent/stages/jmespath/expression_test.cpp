#include "promtail-agent/stages/jmespath/expression.h"

#include <doctest/doctest.h>

namespace kvasir::agent::jmespath {
namespace {

std::string evaluate(std::string_view expression, std::string_view json) {
  const auto compiled = Expression::compile(expression);
  if (!compiled) return compiled.error().message();
  JsonPool pool;
  const JsonNode* root = parse_json(json, pool);
  REQUIRE(root != nullptr);
  const auto result = compiled->evaluate(*root, pool);
  if (!result) return "error: " + result.error().message();
  std::string out;
  append_json(out, **result);
  return out;
}

struct Case {
  std::string_view expression, out;
};

TEST_CASE("paths, indexes, slices, projections") {
  constexpr std::string_view kJson =
      R"({"a":{"b":[1,2.5]},"x-y":true,"n":[[1,2],[3,[4]],5],"m":{"p":{"v":1},"q":{"v":2},"r":{"w":3}},"s":"abc","l":[0,1,2,3,4]})";
  for (const auto& [expression, out] : {
           Case{"a.b[1]", "2.5"},
           Case{"a.b[-1]", "2.5"},
           Case{"a.b[7]", "null"},
           Case{"a.b[-7]", "null"},
           Case{"\"x-y\"", "true"},
           Case{"nope.deeper[0]", "null"},
           Case{"s.x", "null"},
           Case{"n[]", "[1,2,3,[4],5]"},
           Case{"n[][]", "[1,2,3,4,5]"},
           Case{"n[*]", "[[1,2],[3,[4]],5]"},
           Case{"n[*][0]", "[1,3]"},
           Case{"n[*] | [0]", "[1,2]"},
           Case{"m.*.v", "[1,2]"},
           Case{"m.* | [0].v", "1"},
           Case{"*",
                R"([{"b":[1,2.5]},[0,1,2,3,4],{"p":{"v":1},"q":{"v":2},"r":{"w":3}},[[1,2],[3,[4]],5],"abc",true])"},
           Case{"l[1:3]", "[1,2]"},
           Case{"l[:2]", "[0,1]"},
           Case{"l[::2]", "[0,2,4]"},
           Case{"l[::-1]", "[4,3,2,1,0]"},
           Case{"l[-2:]", "[3,4]"},
           Case{"l[3:0:-2]", "[3,1]"},
           Case{"l[10:-20:-9223372036854775807]", "[4]"},
           Case{"l[0:5:9223372036854775807]", "[0]"},
           Case{"s[0:1]", "null"},
           Case{"@.s", "\"abc\""},
           Case{"[s, nope]", R"(["abc",null])"},
           Case{"{k: s, j: nope}", R"({"j":null,"k":"abc"})"},
           Case{"nope.[a]", "null"},
           Case{"a.{z: b[0]}", R"({"z":1})"},
       })
    CHECK_MESSAGE(evaluate(expression, kJson) == out, expression);
}

TEST_CASE("conditions and literals") {
  constexpr std::string_view kJson = R"({"items":[{"n":"k","p":1},{"n":"l","p":2.5}],"z":0,"e":"","t":true})";
  for (const auto& [expression, out] : {
           Case{"items[?p > `1`].n | [0]", "\"l\""},
           Case{"items[?n=='k'].p", "[1]"},
           Case{"items[?p >= `1` && n != 'k']", R"([{"n":"l","p":2.5}])"},
           Case{"items[?!(p > `1`)].n", R"(["k"])"},
           Case{"items[-1].p", "2.5"},
           Case{"items[0:1]", R"([{"n":"k","p":1}])"},
           Case{"z || 'x'", "0"},
           Case{"e || 'x'", "\"x\""},
           Case{"nope || e || t", "true"},
           Case{"t && z", "0"},
           Case{"e && t", "\"\""},
           Case{"!e", "true"},
           Case{"t < z", "null"},
           Case{"z == `0`", "true"},
           Case{"items == `[]`", "false"},
           Case{"items[0] == `{\"p\":1,\"n\":\"k\"}`", "true"},
           Case{"'it\\'s'", "\"it's\""},
           Case{"`\"a\\`b\"`", "\"a`b\""},
           Case{"`[1, {\"a\": null}]`", R"([1,{"a":null}])"},
       })
    CHECK_MESSAGE(evaluate(expression, kJson) == out, expression);
}

TEST_CASE("functions") {
  constexpr std::string_view kJson =
      R"({"items":[{"n":"k","p":1},{"n":"l","p":2.5}],"s":"aé","neg":-1.5,"nums":[4,9,2],"o":{"z":1,"a":2},"empty":[]})";
  for (const auto& [expression, out] : {
           Case{"length(items)", "2"},
           Case{"length(s)", "2"},
           Case{"length(o)", "2"},
           Case{"length(neg)", "error: Invalid type for: number"},
           Case{"join('-', items[].n)", "\"k-l\""},
           Case{"to_string(items[0])", R"("{\"n\":\"k\",\"p\":1}")"},
           Case{"not_null(zz, items[0].n)", "\"k\""},
           Case{"abs(neg)", "1.5"},
           Case{"ceil(neg)", "-1"},
           Case{"floor(neg)", "-2"},
           Case{"sum(nums)", "15"},
           Case{"sum(empty)", "0"},
           Case{"avg(nums)", "5"},
           Case{"max(nums)", "9"},
           Case{"min(nums)", "2"},
           Case{"max(empty)", "null"},
           Case{"sort(nums)", "[2,4,9]"},
           Case{"reverse(nums)", "[2,9,4]"},
           Case{"reverse(s)", "\"éa\""},
           Case{"keys(o)", R"(["a","z"])"},
           Case{"values(o)", "[2,1]"},
           Case{"contains(nums, `9`)", "true"},
           Case{"contains(s, 'a')", "true"},
           Case{"contains(items, items[0])", "true"},
           Case{"starts_with(s, 'a')", "true"},
           Case{"ends_with(s, 'a')", "false"},
           Case{"map(&n, items)", R"(["k","l"])"},
           Case{"map(&zz, items)", "[null,null]"},
           Case{"max_by(items, &p).n", "\"l\""},
           Case{"min_by(items, &p).n", "\"k\""},
           Case{"sort_by(items, &p)[-1].n", "\"l\""},
           Case{"sort_by(items, &zz)", "error: Invalid type for: null"},
           Case{"merge(o, `{\"a\":7}`)", R"({"a":7,"z":1})"},
           Case{"to_array(s)", R"(["aé"])"},
           Case{"to_number('1.5')", "1.5"},
           Case{"to_number('x')", "null"},
           Case{"to_number(items)", "null"},
           Case{"type(o)", "\"object\""},
           Case{"type(zz)", "\"null\""},
           Case{"length()", "error: incorrect number of args"},
           Case{"length(s, s)", "error: incorrect number of args"},
           Case{"not_null()", "error: incorrect number of args"},
           Case{"avg(items)", "error: Invalid type for: array"},
       })
    CHECK_MESSAGE(evaluate(expression, kJson) == out, expression);
}

TEST_CASE("what is no expression is refused with its place") {
  for (const std::string_view text : {"",      "a.", "a[",    "a[?", "a b",      "a..b",       "[",  "{a}",    "{a:}",
                                      "a[*",   "'x", "\"x",   "`{`", "a[1",      "a ==",       "&&", "a[::0]", "!",
                                      "a.'b'", "1a", "a = b", "#",   "\"f\"(x)", "a[1:2:3:4]", "(a", "[a,]",   "-"})
    CHECK_MESSAGE(evaluate(text, "{}").starts_with("SyntaxError: "), text);
  CHECK(evaluate("nofn(a)", "{}") == "unknown function: nofn");
  CHECK(evaluate(std::string(5000, '('), "{}").starts_with("SyntaxError: nested"));
  CHECK(evaluate(
            "a" +
                [] {
                  std::string s;
                  for (int i = 0; i < 3000; ++i) s += ".a";
                  return s;
                }(),
            "{}")
            .starts_with("SyntaxError: nested"));
}

TEST_CASE("plain paths are known as such") {
  CHECK(Expression::compile("a.\"b c\".d")->as_path() == std::vector<std::string>{"a", "b c", "d"});
  CHECK_FALSE(Expression::compile("a[0]")->as_path());
  CHECK_FALSE(Expression::compile("@")->as_path());
}

}  // namespace
}  // namespace kvasir::agent::jmespath
