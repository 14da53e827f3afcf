#include "logql/pipeline/pipeline.h"

#include <doctest/doctest.h>

#include "logql/syntax/parser.h"

using namespace kvasir;
using namespace kvasir::logql;

namespace {

const Labels kStream{{"env", "prod"}};
constexpr TimestampNs kTime{1768032060514000000};

LogQuery parse(const std::string& pipeline) {
  auto query = parse_log_query("{env=\"prod\"} " + pipeline);
  REQUIRE_MESSAGE(query.has_value(), (query ? "" : query.error().message()));
  return std::move(*query);
}

PipelineRunner make_runner(const std::string& pipeline, PipelineOptions options = {}) {
  const LogQuery query = parse(pipeline);
  auto compiled = Pipeline::compile(query.stages, nullptr, std::move(options));
  REQUIRE_MESSAGE(compiled.has_value(), (compiled ? "" : compiled.error().message()));
  return PipelineRunner(std::move(*compiled));
}

// The final labels, and `; line` if the line changed; "dropped" if the entry was.
std::string evaluate(const std::string& pipeline, std::string_view line, std::vector<LabelView> metadata = {}) {
  PipelineRunner runner = make_runner(pipeline);
  runner.bind(kStream);
  // Twice: the second entry meets warm caches and must give the same.
  for (int turn = 0; turn < 2; ++turn) {
    const bool kept = runner.process(kTime, line, metadata);
    if (turn == 0) continue;
    if (!kept) return "dropped";
  }
  std::string out = runner.final_labels().to_string();
  if (runner.line() != line) out += "; " + std::string(runner.line());
  return out;
}

std::string compile_error(const std::string& pipeline) {
  const LogQuery query = parse(pipeline);
  const auto compiled = Pipeline::compile(query.stages, nullptr, {});
  return compiled ? "compiled" : compiled.error().message();
}

}  // namespace

TEST_CASE("single lines give what the language defines") {
  const auto check = [](std::string_view line, const std::string& pipeline, std::string_view want) {
    CHECK_MESSAGE(evaluate(pipeline, line) == want, pipeline);
  };
  check(R"({"a":"x","b":1.50,"c":true,"d":null,"e":[1],"f":{"g":"y"}})", "| json",
        R"({a="x", b="1.50", c="true", env="prod", f_g="y"})");
  check(R"({"a.b":"1","1st":"2","env":"3","é":"4"})", "| json",
        R"({_="4", _1st="2", a_b="1", env="prod", env_extracted="3"})");
  check(R"({"a":"1","a":"2"})", "| json", R"({a="1", env="prod"})");
  check(R"({"x":{"y":"1"},"x_y":"2"})", "| json", R"({env="prod", x_y="1"})");
  check(R"({"a":"x"} trailing)", "| json", R"({a="x", env="prod"})");
  check(
      R"({"a":"x")", "| json",
      R"({__error__="JSONParserErr", __error_details__="Value is array, but can't find closing ']' symbol", a="x", env="prod"})");
  check(
      "not json", "| json",
      R"({__error__="JSONParserErr", __error_details__="Value looks like object, but can't find closing '}' symbol", env="prod"})");
  check(R"({"a":{"b":["p","q"]},"n":null})", R"(| json x="a.b[1]", y="a.b", z="a", m="zz", n)",
        R"({env="prod", m="", n="", x="q", y="[\"p\",\"q\"]", z="{\"b\":[\"p\",\"q\"]}"})");
  check(R"( {"a":"x"})", "| json a", R"({__error__="JSONParserErr", env="prod"})");
  check(R"({"a":"x"})", R"(| json env="a")", R"({env="prod", env_extracted="x"})");
  check(R"(a=1 b="x y" c= d e=f=g a=2)", "| logfmt", R"({a="1", b="x y", env="prod"})");
  check(R"(a=1 b="x y" c= d e=f=g a=2)", "| logfmt --keep-empty", R"({a="1", b="x y", c="", d="", env="prod"})");
  check(
      R"(a=1 b="x y" c= d e=f=g a=2)", "| logfmt --strict",
      R"({__error__="LogfmtParserErr", __error_details__="logfmt syntax error at pos 21 : unexpected '='", a="1", b="x y", env="prod"})");
  check(R"(a=1 b="x y" c= d e=f=g a=2)", R"(| logfmt x="a", y="b", z="q")", R"({env="prod", x="2", y="x y", z=""})");
  check("plain words", "| logfmt", R"({env="prod"})");
  check("GET /p 200", R"(| regexp "(?P<m>[A-Z]+) (?P<env>/[a-z]+)( (?P<s>[0-9]+))?( (?P<o>x))?")",
        R"({env="prod", env_extracted="/p", m="GET", o="", s="200"})");
  check("GET /p 200", R"(| pattern "<m> <p> <s>")", R"({env="prod", m="GET", p="/p", s="200"})");
  check("GET /p", R"(| pattern "<m> <p> <s>")", R"({env="prod", m="GET", p="/p"})");
  check("GET /p", R"(| pattern "POST <p>")", R"({env="prod"})");
  check(R"({"k":"v","_entry":"the line"})", "| unpack", R"({env="prod", k="v"}; the line)");
  check(R"({"k":"v"})", "| unpack", R"({env="prod"})");
  check("plain", "| unpack",
        R"({__error__="JSONParserErr", __error_details__="expecting json object(6), but it is not", env="prod"})");
  check(R"({"a":"1","msg":"a=2 b=3"})", R"(| json | line_format "{{.msg}}" | logfmt)",
        R"({a="1", b="3", env="prod", msg="a=2 b=3"}; a=2 b=3)");
  check(R"({"a":"1","msg":"a=2 b=3"})", R"(| json | line_format "{{.msg}}" | logfmt a)",
        R"({a="2", env="prod", msg="a=2 b=3"}; a=2 b=3)");
  check(
      R"({"a":"1","b":"x"})", "| json | b > 5",
      R"({__error__="LabelFilterErr", __error_details__="strconv.ParseFloat: parsing \"x\": invalid syntax", a="1", b="x", env="prod"})");
  check(R"({"a":"1","b":"x"})", "| json | c > 5", "dropped");
  check(R"({"a":"1","b":"x"})", R"(| json | c != "5")", R"({a="1", b="x", env="prod"})");
  check(R"({"a":"1","b":"x"})", R"(| json | label_format c=a, d="{{.c}}-{{.b}}", e="{{.d}}")",
        R"({b="x", c="1", d="1-x", e="", env="prod"})");
  check(R"({"a":"1","b":"x"})", "| json | label_format a=a", R"({b="x", env="prod"})");
  check(R"({"a":"1","b":"x"})", R"(| json | label_format env="{{.a}}")", R"({a="1", b="x", env="1"})");
  check(
      R"({"a":"1","b":"x"})", R"(| json | line_format "{{.a.z}}")",
      R"({__error__="TemplateFormatErr", __error_details__="template: line:1:4: executing \"line\" at <.a.z>: can't evaluate field z in type string", a="1", b="x", env="prod"})");
  check(R"({"a":"1","b":"x"})", R"(| json | keep a, b="y")", R"({a="1"})");
  check(R"({"a":"1","b":"x"})", R"(| json | drop a=~"[0-9]", env)", R"({b="x"})");
  check("bad", "| json | drop __error__",
        R"({__error_details__="Value looks like object, but can't find closing '}' symbol", env="prod"})");
  check("xfoo bar", R"(|> "foo <_>")", R"({env="prod"})");
  check("foo bar", R"(|> "<_>foo <_>")", "dropped");
}

TEST_CASE("json keeps what a damaged line gives") {
  const auto check = [](std::string_view line, std::string_view want) {
    CHECK_MESSAGE(evaluate("| json", line) == want, line);
  };
  const auto failed = [](std::string_view details, std::string_view rest) {
    std::string quoted;
    append_go_quoted(quoted, details);
    return R"({__error__="JSONParserErr", __error_details__=)" + quoted + ", " + std::string(rest) + "}";
  };
  constexpr std::string_view kObject = "Value looks like object, but can't find closing '}' symbol";
  constexpr std::string_view kArray = "Value is array, but can't find closing ']' symbol";
  check("{}", R"({env="prod"})");
  check("", failed(kObject, R"(env="prod")"));
  check("{", failed("Malformed JSON error", R"(env="prod")"));
  check(R"({"a")", failed("Malformed JSON error", R"(env="prod")"));
  check(R"({"a" 1})", failed("Malformed JSON error", R"(env="prod")"));
  check(R"({"a)", failed("Malformed JSON error", R"(env="prod")"));
  check(R"({"a":})", failed("Unknown value type", R"(env="prod")"));
  check(R"({"a":tru})", failed("Unknown value type", R"(env="prod")"));
  check(R"({"a":"x)", failed(R"(Value is string, but can't find closing '"' symbol)", R"(env="prod")"));
  check(R"({"a":[1)", failed(kArray, R"(env="prod")"));
  check(R"({"a":1)", failed(kArray, R"(a="1", env="prod")"));
  check(R"({"a":1 "b":2})", failed(kObject, R"(a="1", env="prod")"));
  check(R"({"a":1,})", R"({a="1", env="prod"})");
  check(R"({"a":1, b:2})", failed(kObject, R"(a="1", env="prod")"));
  check(R"({"a":{"b":"x")", failed(kObject, R"(env="prod")"));
  check(R"({"a":{"b" "x"},"c":1})", failed("Malformed JSON error", R"(env="prod")"));
  check(R"({"\q":1})", failed("Encountered an invalid escape sequence in a string", R"(env="prod")"));
  check(R"({"a":"\q","b":"\ud800","c":"\u00e9\ud83d\ude80\n"})", "{a=\"\", b=\"\", c=\"é🚀\\n\", env=\"prod\"}");
  check("{\"a\":\"x\xef\xbf\xbdy\xffz\"}", R"({a="x y z", env="prod"})");
  check(R"({"":"e","a":{"":"x","1":"y"}})", R"({a="x", a_1="y", env="prod"})");
  check(R"({"n":-0.0,"e":1E+5,"w":1x2})", R"({e="1E+5", env="prod", n="-0.0", w="1x2"})");
  check(R"({"__error__":"mine"})", R"({__error__="mine", env="prod"})");
  check("[1]", failed(kObject, R"(env="prod")"));
}

TEST_CASE("json with expressions") {
  const auto check = [](std::string_view line, const std::string& pipeline, std::string_view want) {
    CHECK_MESSAGE(evaluate(pipeline, line) == want, line);
  };
  check("", "| json a", R"({env="prod"})");
  check("42", "| json a", R"({__error__="JSONParserErr", env="prod"})");
  check("[1,2]", R"(| json a="[1]")", R"({a="2", env="prod"})");
  check(R"("text")", "| json a", R"({a="", env="prod"})");
  check("{a:1}", "| json a", R"({a="", env="prod"})");
  check(R"({"a":})", "| json a",
        R"({__error__="JSONParserErr", __error_details__="Unknown value type", a="", env="prod"})");
  check(R"({"b":})", "| json a", R"({a="", env="prod"})");
  check(R"({"a":1)", "| json a", R"({a="1", env="prod"})");
  check(R"({"a":1,"a":2})", "| json a", R"({a="1", env="prod"})");
  check(R"({"h":{"x-y":"1"}})", R"(| json a="h[\"x-y\"]")", R"({a="1", env="prod"})");
  check(R"({"a":"1"}{"a":"2"})", R"(| json | json a)", R"({a="1", env="prod"})");
}

TEST_CASE("logfmt pairs, good and broken") {
  const auto check = [](std::string_view line, const std::string& pipeline, std::string_view want) {
    CHECK_MESSAGE(evaluate(pipeline, line) == want, line);
  };
  const auto strict_error = [](std::string_view what) {
    std::string quoted;
    append_go_quoted(quoted, "logfmt syntax error at pos " + std::string(what));
    return R"({__error__="LogfmtParserErr", __error_details__=)" + quoted + R"(, env="prod"})";
  };
  check("k-dash=1 k.dot=2 k/slash=3 1st=4 é=5", "| logfmt",
        R"({_="5", _1st="4", env="prod", k_dash="1", k_dot="2", k_slash="3"})");
  check(R"(ok=yes "quoted key"=1 after=2)", "| logfmt", R"({after="2", env="prod", ok="yes"})");
  check(R"(quoted="esc \" \\ \n \t \u00e9 \'" end=1)", "| logfmt",
        R"({end="1", env="prod", quoted="esc \" \\ \n \t é '"})");
  check(R"(a="x"b=1)", "| logfmt", R"({a="x", b="1", env="prod"})");
  check(R"(a="unterminated b=2)", "| logfmt", R"({env="prod"})");
  check(R"(a="bad \q" b=2)", "| logfmt", R"({b="2", env="prod"})");
  check("=novalue x=1", "| logfmt --strict", strict_error("1 : unexpected '='"));
  check("a==b c=d=e", "| logfmt --strict", strict_error("3 : unexpected '='"));
  check(R"(a="unterminated b=2)", "| logfmt --strict", strict_error("20 : unterminated quoted value"));
  check("a=x\xffy", "| logfmt", R"({a="x y", env="prod"})");
  check(R"(a=1 b=2)", R"(| logfmt --strict c="a", b)", R"({b="2", c="1", env="prod"})");
  check(R"(a=1)", R"(| logfmt env="a")", R"({env="prod", env_extracted="1"})");
  check(R"(a-b=1)", R"(| logfmt c="a_b")", R"({c="1", env="prod"})");
}

TEST_CASE("line filters") {
  const auto kept = [](std::string_view line, const std::string& pipeline) {
    INFO(pipeline, " on ", line);
    return evaluate(pipeline, line) != "dropped";
  };
  CHECK(kept("an error", R"(|= "error")"));
  CHECK_FALSE(kept("an Error", R"(|= "error")"));
  CHECK(kept("an Error", R"(|~ "(?i)ERROR")"));
  CHECK(kept("an \xe2\x84\xaa", R"(|~ "(?i)k")"));
  CHECK(kept("ÀB", R"(|~ "(?i)àb")"));
  CHECK_FALSE(kept("an Error", R"(!~ "(?i)error")"));
  CHECK(kept("b", R"(|= "a" or "b")"));
  CHECK_FALSE(kept("b", R"(!= "a" or "b")"));
  CHECK(kept("c", R"(!= "a" or "b")"));
  CHECK(kept("", R"(|= "")"));
  CHECK_FALSE(kept("x", R"(!= "")"));
  CHECK_FALSE(kept("y", R"(|= "" or "x")"));
  CHECK(kept("x", R"(|= "" or "x")"));
  CHECK(kept("anything", R"(|~ "" or "")"));
  CHECK(kept("", R"(|> "")"));
  CHECK_FALSE(kept("x", R"(|> "")"));
  CHECK(kept("x", R"(!> "")"));
  CHECK_FALSE(kept("a\nb", R"(|~ "a.b")"));
  CHECK(kept("a\nb", R"(|~ "(?s)a.b")"));
  CHECK_FALSE(kept("barbar", R"(|> "<_>bar")"));
  CHECK(kept("xbar", R"(|> "<_>bar")"));
  CHECK_FALSE(kept("foo", R"(|> "foo<_>")"));
  CHECK(kept("from 10.1.2.3:80", R"(|= ip("10.0.0.0/8"))"));
  CHECK(kept("10.1.2.3", R"(|= ip("10.1.2.3"))"));
  CHECK(kept("at ::1", R"(|= ip("::1"))"));
  CHECK(kept("x 2001:db8::5 y", R"(|= ip("2001:db8::1-2001:db8::ff"))"));
  CHECK_FALSE(kept("x ::ffff:10.0.0.1 y", R"(|= ip("10.0.0.1"))"));
  CHECK_FALSE(kept("11.1.2.3", R"(|= ip("10.0.0.0/8"))"));
  CHECK(kept("11.1.2.3", R"(!= ip("10.0.0.0/8"))"));
  CHECK(kept("11.1.2.3 x", R"(|= "y" or ip("11.1.2.3"))"));
  CHECK(kept("\x1b[31mred\x1b[0m", R"(| decolorize |= "red" != "31")"));
  CHECK(kept("a b", R"(| line_format "new" |= "new" != "a")"));
  CHECK_FALSE(kept("keep", R"(| line_format "new" |= "keep")"));
}

TEST_CASE("label filters") {
  const auto check = [](const std::string& filter, std::string_view want) {
    constexpr std::string_view kLine = "n=200 f=200.0 d=1h30m b=1.5KB t=fast e= env=inner u=1_000";
    const std::string result = evaluate("| logfmt --keep-empty | " + filter + " | keep x, __error__", kLine);
    CHECK_MESSAGE(result.substr(0, want.size()) == want, filter);
  };
  constexpr std::string_view kKept = "{}";
  constexpr std::string_view kMarked = R"({__error__="LabelFilterErr")";
  check("n = 200", kKept);
  check("f == 200", kKept);
  check("n > 200", "dropped");
  check("n >= 2e2", kKept);
  check("n < -5", "dropped");
  check("u = 1000", kKept);
  check("missing != 5", "dropped");
  check("t != 5", kMarked);
  check("e > 5", kMarked);
  check("d > 1h", kKept);
  check("d <= 1h30m", kKept);
  check("n > 1s", kMarked);
  check("b = 1500B", kKept);
  check("b < 1KiB", "dropped");
  check("t > 1KB", kMarked);
  check(R"(t = "fast")", kKept);
  check(R"(t =~ "fa|slow")", "dropped");
  check(R"(t =~ "fa.*")", kKept);
  check(R"(t =~ "as")", "dropped");
  check(R"(t !~ "f.+")", "dropped");
  check(R"(t =~ ".*as.*")", kKept);
  check(R"(t =~ ".*st")", kKept);
  check(R"(t =~ "as.*")", "dropped");
  check(R"(t !~ ".*fa")", kKept);
  check(R"(t =~ ".*")", kKept);
  check(R"(t > 5 | missing > 5)", "dropped");
  check(R"(t > 5 | missing = ip("1.2.3.4"))", kMarked);
  check(R"(missing =~ "")", kKept);
  check(R"(t =~ "")", "dropped");
  check(R"(missing = "")", kKept);
  check(R"(missing != "")", "dropped");
  check(R"(env = "prod")", kKept);
  check(R"(n = 1 or t = "fast")", kKept);
  check(R"(n = 1 or t > 5)", kMarked);
  check(R"(n = 200 or t > 5)", kKept);
  check(R"(n = 200 and t > 5)", kMarked);
  check(R"(n = 1 and t > 5)", "dropped");
  check(R"(__error__ = "")", kKept);
  check(R"(t > 5 | __error__ = "")", "dropped");
  check(R"(t > 5 | n = 1)", kMarked);
  check(R"(t > 5 | t = "slow")", "dropped");
  check(R"(t > 5 | __error_details__ = "")", kMarked);
}

TEST_CASE("formats, drop and keep") {
  const auto check = [](std::string_view line, const std::string& pipeline, std::string_view want) {
    CHECK_MESSAGE(evaluate(pipeline, line) == want, pipeline);
  };
  check("a=1 b=2", R"(| logfmt | line_format "{{.a}}+{{.b}}={{.none}}")", R"({a="1", b="2", env="prod"}; 1+2=)");
  check("x", R"(| line_format "{{__line__}}{{.env}}")", R"({env="prod"}; xprod)");
  check(
      "bad", R"(| json | line_format "{{.__error__}}")",
      R"({__error__="JSONParserErr", __error_details__="Value looks like object, but can't find closing '}' symbol", env="prod"}; JSONParserErr)");
  check("a=1", R"(| logfmt | label_format b=`{{.a}}`, a=`2`, c=`{{.a}}`)", R"({a="2", b="1", c="1", env="prod"})");
  check("a=1", R"(| logfmt | label_format x=env)", R"({a="1", x="prod"})");
  check("a=1", R"(| logfmt | label_format x=none)", R"({a="1", env="prod"})");
  check("a=1", R"(| label_format env="" | env="")", R"({env=""})");
  check("a=1", R"(| logfmt | drop a | logfmt)", R"({env="prod"})");
  check("a=1", R"(| logfmt | drop a | logfmt a)", R"({a="1", env="prod"})");
  check("a=1 b=2", R"(| logfmt | drop a="2", b="2")", R"({a="1", env="prod"})");
  check("a=1 b=2", R"(| logfmt | keep a="2", b)", R"({b="2"})");
  check("\x1b[1;31mred\x1b[0m and \xc2\x9b" "2Kplain", "| decolorize", R"({env="prod"}; red and plain)");
  check("a=1", R"(| logfmt | label_format __error_details__=`x`)", R"({__error_details__="x", a="1", env="prod"})");
}

TEST_CASE("structured metadata stands between stream and parsed labels") {
  const std::vector<LabelView> metadata{{"env", "meta"}, {"trace", "t1"}, {"user", "m"}};
  const auto check = [&](std::string_view line, const std::string& pipeline, std::string_view want) {
    CHECK_MESSAGE(evaluate(pipeline, line, metadata) == want, pipeline);
  };
  check("x", "", R"({env="prod", env_extracted="meta", trace="t1", user="m"})");
  check("user=parsed", "| logfmt",
        R"({env="prod", env_extracted="meta", trace="t1", user="m", user_extracted="parsed"})");
  check("x", R"(| trace="t1")", R"({env="prod", env_extracted="meta", trace="t1", user="m"})");
  check("x", R"(| label_format user=`n`)", R"({env="prod", env_extracted="meta", trace="t1", user="n"})");
  check("x", "| drop trace, env", R"({env_extracted="meta", user="m"})");
  CHECK(evaluate("", "x", {{"__error__", "e"}, {"__error_details__", "d"}}) ==
        R"({__error__="e", __error_details__="d", env="prod"})");
}

TEST_CASE("labels are told apart by category") {
  PipelineRunner runner = make_runner(R"(| logfmt | label_format env=`{{.a}}`)");
  const Labels stream{{"app", "x"}, {"env", "prod"}};  // both must outlive the binding
  const std::vector<LabelView> metadata{{"trace", "t"}};
  runner.bind(stream);
  REQUIRE(runner.process(kTime, "a=1", metadata));
  CHECK(runner.labels_of(LabelCategory::kStream).to_string() == R"({app="x"})");
  CHECK(runner.labels_of(LabelCategory::kMetadata).to_string() == R"({trace="t"})");
  CHECK(runner.labels_of(LabelCategory::kParsed).to_string() == R"({a="1", env="1"})");
}

TEST_CASE("stage errors quote the stage") {
  CHECK(compile_error(R"(|~ "(")") == R"(parse error : stage '|~ "("' : error parsing regexp: missing closing ): `(`)");
  CHECK(compile_error(R"(|~ ip("1.2.3.4"))") == R"(parse error : stage '|~ ip("1.2.3.4")' : ip: invalid operation)");
  CHECK(compile_error(R"(|= ip("1.2.3"))") == R"(parse error : stage '|= ip("1.2.3")' : ip: invalid pattern: "1.2.3")");
  CHECK(compile_error(R"(|> "<name> x")") ==
        R"(parse error : stage '|> "<name> x"' : named captures are not allowed: found '<name>')");
  CHECK(compile_error(R"(|> "<_><_>")") ==
        R"(parse error : stage '|> "<_><_>"' : found consecutive capture '<_><_>': invalid expression)");
  CHECK(compile_error(R"(| a = ip("nope"))") ==
        R"(parse error : stage '| a=ip("nope")' : ip: invalid pattern: "nope")");
  CHECK(
      compile_error(R"(| json a="b[")") ==
      R"(parse error : stage '| json a="b["' : cannot parse expression [b[]: syntax error: unexpected $end, expecting STRING or INDEX)");
  CHECK(
      compile_error(R"(| json a="b..c")") ==
      R"(parse error : stage '| json a="b..c"' : cannot parse expression [b..c]: syntax error: unexpected DOT, expecting FIELD)");
  CHECK(compile_error(R"(| json a="b-c")") ==
        R"(parse error : stage '| json a="b-c"' : cannot parse expression [b-c]: unexpected char -)");
  CHECK(
      compile_error(R"(| json a="b[-1]")") ==
      R"(parse error : stage '| json a="b[-1]"' : cannot parse expression [b[-1]]: syntax error: unexpected $end, expecting STRING or INDEX)");
  CHECK(
      compile_error(R"(| json a="")") ==
      R"(parse error : stage '| json a=""' : cannot parse expression []: syntax error: unexpected $end, expecting LSB or FIELD)");
  CHECK(
      compile_error(R"(| logfmt a="1")") ==
      R"(parse error : stage '| logfmt a="1"' : cannot parse expression [1]: syntax error: unexpected $end, expecting STRING or KEY)");
  CHECK(compile_error(R"(| line_format "{{.a")") ==
        R"(parse error : stage '| line_format "{{.a"' : invalid line template: template: line:1: unclosed action)");
  CHECK(
      compile_error(R"(| label_format x="{{ nope .a }}")") ==
      R"(parse error : stage '| label_format x="{{ nope .a }}"' : invalid template for label 'x': template: label:1: function "nope" not defined)");
  CHECK(
      compile_error(R"(| label_format a=b,a="c")") ==
      R"(parse error : stage '| label_format a=b,a="c"' : multiple label name 'a' not allowed in a single format operation)");
  CHECK(compile_error(R"(| label_format __error__=b)") ==
        R"(parse error : stage '| label_format __error__=b' : __error__ cannot be formatted)");
}

TEST_CASE("a byte that is no UTF-8 is a character to regexes, as in Go") {
  const std::string line = "a\xff" "b k=\xfe;";
  CHECK(evaluate("|~ `a.b`", line) != "dropped");
  CHECK(evaluate("|~ `a[^x]b`", line) != "dropped");
  CHECK(evaluate("|~ `^a.b k=.;$`", line) != "dropped");
  CHECK(evaluate("|~ `a..b`", line) == "dropped");
  CHECK(evaluate("!~ `a.b`", line) == "dropped");
  CHECK(evaluate("| regexp `k=(?P<k>.);`", line) == "{env=\"prod\", k=\"\\xfe\"}");
  CHECK(evaluate("| regexp `k=(?P<k>.);` | k=~`.`", line) == "{env=\"prod\", k=\"\\xfe\"}");
  CHECK(evaluate("| regexp `a(?P<v>.)b` | line_format `{{ regexReplaceAll \"[^a-z]\" __line__ \"_\" }}`",
                 "\xc3\xa9 a\xff"
                 "b") == "{env=\"prod\", v=\"\\xff\"}; __a_b");
  CHECK(evaluate("| line_format `{{ count \".\" __line__ }}`", line) == "{env=\"prod\"}; 8");
}
