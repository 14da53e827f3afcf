#include "logql/pipeline/template/template.h"

#include <doctest/doctest.h>

using namespace kvasir;
using namespace kvasir::gotemplate;

namespace {

// Labels as line_format gives them: a missing key is "".
class StringMap : public MapSource {
 public:
  explicit StringMap(OwnedMap pairs) : pairs_(std::move(pairs)) {}
  std::optional<Value> find(std::string_view key) const override { return pairs_.find(key); }
  Value missing() const override { return Value::string({}); }
  void each(const std::function<bool(std::string_view, const Value&)>& visit) const override { pairs_.each(visit); }
  std::size_t size() const override { return pairs_.size(); }

 private:
  OwnedMap pairs_;
};

StringMap sample() {
  OwnedMap pairs;
  pairs.set("a", Value::string("x y"));
  pairs.set("n", Value::string("253"));
  pairs.set("path", Value::string("/api/orders/6"));
  pairs.set("u", Value::string("h\xc3\xa9l\xc3\xa8ne"));
  return StringMap(std::move(pairs));
}

std::string run(std::string_view text) {
  const auto parsed = Template::parse("line", text, logql_functions());
  if (!parsed) return parsed.error().message();
  const StringMap data = sample();
  Environment environment;
  environment.line = R"({"tags":["t0","web"],"o":{"b":1,"a":"z"}})";
  environment.timestamp = {1768032060514000000};
  environment.now = TimestampNs{1768032061000000000};
  environment.zone = TimeZone::utc();
  std::string out;
  const auto done = parsed->execute(Value::map(&data), environment, out);
  return done ? out : done.error().message();
}

void check(std::string_view text, std::string_view want) { CHECK_MESSAGE(run(text) == want, text); }

}  // namespace

TEST_CASE("text, fields, variables and trim markers") {
  check("", "");
  check("no action", "no action");
  check("{{.a}}-{{ .none }}-{{.n}}", "x y--253");
  check("a {{- .n -}} b", "a253b");
  check("{{/* note */}}x{{- /* note */ -}} y", "xy");
  check("{{$x := .n}}{{$x}}{{$x = \"7\"}}{{$x}}", "2537");
  check("{{$.n}}{{with .a}}{{.}}{{$.n}}{{end}}", "253x y253");
  check("{{1}} {{1.5}} {{true}} {{\"q\"}} {{`r`}} {{'a'}} {{0x10}} {{1e3}}", "1 1.5 true q r 97 16 1000");
  check("{{.}}", "map[a:x y n:253 path:/api/orders/6 u:h\xc3\xa9l\xc3\xa8ne]");
  check("{{index . \"n\"}}{{index . \"zz\"}}", "253");
}

TEST_CASE("control") {
  check("{{if .none}}1{{else if eq .n \"253\"}}2{{else}}3{{end}}", "2");
  check("{{if and (eq .n \"253\") (ne .a \"\")}}y{{end}}{{if or .none .none}}z{{end}}", "y");
  check("{{with .none}}a{{else}}b{{end}}", "b");
  check("{{with .none}}a{{else with .n}}{{.}}{{end}}", "253");
  check("{{range $i, $t := (fromJson __line__).tags}}{{$i}}={{$t}};{{end}}", "0=t0;1=web;");
  check("{{range $k, $v := (fromJson __line__).o}}{{$k}}:{{$v}} {{end}}", "a:z b:1 ");
  check("{{range 3}}{{.}}{{end}}{{range 0}}x{{else}}none{{end}}", "012none");
  check("{{range 5}}{{if eq . 1}}{{continue}}{{end}}{{if eq . 3}}{{break}}{{end}}{{.}}{{end}}", "02");
  check("{{define \"x\"}}[{{.}}]{{end}}{{template \"x\" .n}}{{template \"x\"}}", "[253][<no value>]");
  check("{{block \"b\" .n}}<{{.}}>{{end}}", "<253>");
  check("{{if \"0\"}}t{{end}}{{if 0}}f{{end}}{{if not .none}}n{{end}}", "tn");
}

TEST_CASE("functions on text") {
  check("{{.a | upper}}{{ToLower \"AB\"}}{{title \"a-b_c d.e\"}}", "X YabA-B_c D.E");
  check("{{.a | trunc 1}}|{{.a | trunc -1}}|{{.u | trunc 2}}", "x|y|h\xc3");
  check("{{substr 1 2 \"abc\"}}{{substr -1 2 \"abc\"}}{{substr 1 -1 \"abc\"}}{{substr 1 9 \"abc\"}}", "babbcbc");
  check("{{.path | replace \"/api\" \"\"}}{{Replace .path \"/\" \"_\" 1}}{{replace \"\" \"-\" \"ab\"}}",
        "/orders/6_api/orders/6-a-b-");
  check("{{trimPrefix \"/api\" .path}}{{trimSuffix \"/6\" .path}}{{TrimPrefix .path \"/api\"}}",
        "/orders/6/api/orders/orders/6");
  check("{{TrimLeft .path \"/ap\"}} {{TrimRight \"0.2ms\" \"ms\"}} {{Trim .path \"/\"}} {{trimAll \"/\" .path}}",
        "i/orders/6 0.2 api/orders/6 api/orders/6");
  check("[{{trim \" y \"}}{{TrimSpace \"\\tz\\n\"}}]", "[yz]");
  check("{{repeat 3 \"ab\"}}{{indent 2 \"x\\ny\"}}{{nindent 1 \"z\"}}", "ababab  x\n  y\n z");
  check("{{alignLeft 4 \"ab\"}}|{{alignRight 4 \"ab\"}}|{{alignLeft 2 .u}}|{{alignRight 2 .u}}|{{alignLeft -1 \"q\"}}",
        "ab  |  ab|h\xc3\xa9|ne|q");
  check("{{contains \"b\" \"abc\"}} {{hasPrefix \"a\" \"abc\"}} {{hasSuffix \"b\" \"abc\"}}", "true true false");
  check("{{b64enc \"order\"}} {{b64dec \"aGVsbG8=\"}} {{b64dec \"!!!\"}}",
        "b3JkZXI= hello illegal base64 data at input byte 0");
  check("{{urlencode \"a b/c\"}} {{urldecode \"a%20b%2Bc+d\"}}", "a+b%2Fc a b+c d");
  check("{{html \"<b>&'\"}} {{js \"it's\"}} {{urlquery \"a b&c\"}}", "&lt;b&gt;&amp;&#39; it\\'s a+b%26c");
  check("{{default \"d\" .none}} {{.n | default \"d\"}} {{default 5 0}}", "d 253 5");
  check("{{len .a}} {{slice .a 0 1}} {{index .a 0}}", "3 x 120");
}

TEST_CASE("regular expressions") {
  check("{{regexReplaceAll \"[0-9]+\" .path \"N\"}}", "/api/orders/N");
  check("{{regexReplaceAll \"(\\\\w+) (\\\\w+)\" .a \"${2}-$1\"}}", "y-x");
  check("{{regexReplaceAll \"(?P<w>\\\\w)\" \"ab\" \"<$w>$1x$$\"}}", "<a>$<b>$");
  check("{{regexReplaceAllLiteral \"x(.)\" .a \"$1\"}}", "$1y");
  check("{{regexReplaceAll \"b*\" \"abc\" \"-\"}}", "-a-c-");
  check("{{count \"[aeiou]\" \"order placed\"}} {{count \"\" \"ab\"}} {{count \"b*\" \"abc\"}}", "4 3 3");
}

TEST_CASE("numbers") {
  check("{{add .n 1 2 3}} {{sub .n 100}} {{mul .n 2}} {{div .n 3}} {{mod .n 7}}", "259 153 506 84 1");
  check("{{addf .n 0.5}} {{subf .n 0.25}} {{mulf .n 1.5}} {{divf .n 7}} {{addf 0.1 0.2}}",
        "253.5 252.75 379.5 36.142857142857146 0.3");
  check("{{max .n 100 200}} {{min .n 100 200}} {{maxf .n 10.5}} {{minf .n 10.5}}", "253 100 253 10.5");
  check("{{ceil 1.2}} {{floor -1.2}} {{round 3.14159 2}} {{round 2.5 0}} {{round -1.5 0}}", "2 -2 3.14 3 -2");
  check(
      "{{int \"010\"}} {{int \"0x1F\"}} {{int \"3.7\"}} {{int \" 5\"}} {{int \"1_000\"}} {{int true}} {{int \"abc\"}}",
      "8 31 3 0 1000 1 0");
  check("{{float64 \"8.86\"}} {{float64 \"x\"}} {{add \"a\" 1}} {{add 1 2.9}}", "8.86 0 1 3");
  check("{{bytes \"2 kB\"}} {{bytes \"32.3KiB\"}} {{duration \"253ms\"}} {{duration_seconds \"1m\"}}",
        "2000 33075 0.253 60");
  check("{{mulf 1234567 1}} {{mulf 0.00001 1}} {{mulf 123456.5 1}} {{mulf 1e20 1}}",
        "1.234567e+06 1e-05 123456.5 1e+20");
  check("{{lt 1 2}} {{le 2 2}} {{ge 1 2}} {{gt 2 1}} {{eq .n \"1\" \"253\"}} {{ne 1 2}}",
        "true true false true true true");
}

TEST_CASE("times") {
  check("{{__timestamp__ | unixEpoch}} {{__timestamp__ | unixEpochMillis}} {{__timestamp__ | unixEpochNanos}}",
        "1768032060 1768032060514 1768032060514000000");
  check("{{__timestamp__}}", "2026-01-10 08:01:00.514 +0000 UTC");
  check("{{__timestamp__ | date \"2006-01-02T15:04:05.000Z07:00\"}}", "2026-01-10T08:01:00.514Z");
  check("{{date \"2006\" 0}} {{date \"05\" \"text\"}} {{now | unixEpoch}}", "1970 01 1768032061");
  check("{{unixToTime \"1700000000\"}} {{unixToTime \"1700000000123\"}} {{unixToTime \"19000\"}}",
        "2023-11-14 22:13:20 +0000 UTC 2023-11-14 22:13:20.123 +0000 UTC 2022-01-08 00:00:00 +0000 UTC");
  check("{{toDate \"2006-01-02\" \"2025-12-24\" | date \"02 Jan 06\"}} {{toDate \"2006\" \"nope\"}}",
        "24 Dec 25 0001-01-01 00:00:00 +0000 UTC");
  check("{{toDateInZone \"2006-01-02 15:04\" \"Europe/Berlin\" \"2025-07-01 12:00\" | unixEpochMillis}}",
        "1751364000000");
  check("{{__timestamp__.Unix}} {{__timestamp__.Year}} {{__timestamp__.Weekday}} {{__timestamp__.Format \"15h\"}}",
        "1768032060 2026 Saturday 08h");
}

TEST_CASE("printing") {
  check("{{printf \"%05d|%-8s|%q|%x|%6.2f|%t|%v\" 253 \"info\" \"a b\" \"info\" 8.86 true .n}}",
        "00253|info    |\"a b\"|696e666f|  8.86|true|253");
  check("{{printf \"%d %s\" \"x\" 1}}", "%!d(string=x) %!s(int=1)");
  check("{{printf \"%d\"}}{{printf \"a\" 1 \"b\"}}", "%!d(MISSING)a%!(EXTRA int=1, string=b)");
  check("{{printf \"%+d %x %X %c %U %%\" 5 255 255 65 65}}", "+5 ff FF A U+0041 %");
  check("{{printf \"%.2s|%5.1f|%e|%g\" \"abc\" 3.14159 1500.0 0.5}}", "ab|  3.1|1.500000e+03|0.5");
  check("{{printf \"%*d|%T\" 4 7 .n}}", "   7|string");
  check("{{print .a \"-\" 1 2}}{{println}}x{{println 1 \"a\"}}", "x y-1 2\nx1 a\n");
  check("{{fromJson \"{\"}} {{fromJson \"[1,null]\"}}", "<no value> [1 <nil>]");
}

TEST_CASE("parse errors are Go's") {
  check("{{.a", "template: line:1: unclosed action");
  check("x\n{{.a", "template: line:2: unclosed action");
  check("{{ nope .a }}", "template: line:1: function \"nope\" not defined");
  check("{{if}}x{{end}}", "template: line:1: missing value for if");
  check("{{end}}", "template: line:1: unexpected {{end}}");
  check("{{else}}", "template: line:1: unexpected {{else}}");
  check("{{range}}", "template: line:1: missing value for range");
  check("{{if .a}}", "template: line:1: unexpected EOF");
  check("{{$x}}", "template: line:1: undefined variable \"$x\"");
  check("{{.a | 1}}", "template: line:1: non executable command in pipeline stage 2");
  check("{{}}", "template: line:1: missing value for command");
  check("{{break}}", "template: line:1: {{break}} outside {{range}}");
  check("{{\"a}}", "template: line:1: unterminated quoted string");
  check("{{(1}}", "template: line:1: unclosed left paren");
  check("{{)}}", "template: line:1: unexpected right paren");
  check("{{/* x }}", "template: line:1: unclosed comment");
  check("{{0x}}", "template: line:1: bad number syntax: \"0x\"");
  check("{{.a \x01}}", "template: line:1: unrecognized character in action: U+0001");
  check("{{define \"x\"}}a{{end}}{{define \"x\"}}b{{end}}", "template: multiple definition of template \"x\"");
}

TEST_CASE("execution errors are Go's") {
  const auto failed = [](std::string_view text, std::string_view want) {
    check(text, "template: line:1:" + std::string(want));
  };
  failed("{{.a.z}}", "4: executing \"line\" at <.a.z>: can't evaluate field z in type string");
  failed("{{.a now}}", "2: executing \"line\" at <.a>: a is not a method but has arguments");
  failed("{{trunc .a}}", "2: executing \"line\" at <trunc>: wrong number of args for trunc: want 2 got 1");
  failed("{{.a | toDate}}", "7: executing \"line\" at <toDate>: wrong number of args for toDate: want 2 got 1");
  failed("{{div .n 0}}",
         "2: executing \"line\" at <div .n 0>: error calling div: runtime error: integer divide by zero");
  failed("{{index .a 99}}", "2: executing \"line\" at <index .a 99>: error calling index: index out of range: 99");
  failed("{{slice .a 2 1}}",
         "2: executing \"line\" at <slice .a 2 1>: error calling slice: invalid slice index: 2 > 1");
  failed("{{urldecode \"%zz\"}}",
         "2: executing \"line\" at <urldecode \"%zz\">: error calling urldecode: invalid URL escape \"%zz\"");
  failed("{{substr 5 2 .path}}",
         "2: executing \"line\" at <substr 5 2 .path>: error calling substr: runtime error: slice bounds out of range "
         "[5:2]");
  failed("{{repeat -1 \"x\"}}",
         "2: executing \"line\" at <repeat -1 \"x\">: error calling repeat: strings: negative Repeat count");
  failed("{{regexReplaceAll \"(\" .a \"x\"}}",
         "2: executing \"line\" at <regexReplaceAll \"(\" .a \"x\">: error calling regexReplaceAll: error parsing "
         "regexp: missing closing ): `(`");
  failed(
      "{{unixToTime \"12\"}}",
      "2: executing \"line\" at <unixToTime \"12\">: error calling unixToTime: unable to parse time '12': %!w(<nil>)");
  failed("{{duration \"abc\"}}",
         "2: executing \"line\" at <duration \"abc\">: error calling duration: time: invalid duration \"abc\"");
  failed("{{lt .n 5}}", "2: executing \"line\" at <lt .n 5>: error calling lt: incompatible types for comparison");
  failed("{{template \"x\"}}", "11: executing \"line\" at <{{template \"x\"}}>: template \"x\" not defined");
  failed("{{range .a}}{{end}}", "8: executing \"line\" at <.a>: range can't iterate over x y");
  failed("{{upper 5}}", "8: executing \"line\" at <5>: expected string; found 5");
  failed("{{trunc .n .a}}", "8: executing \"line\" at <.n>: wrong type for value; expected int; got string");
  failed("{{define \"x\"}}{{template \"x\"}}{{end}}{{template \"x\"}}",
         "25: executing \"x\" at <{{template \"x\"}}>: exceeded maximum template depth (1000)");
  check("x\n{{.a.z}}", "template: line:2:4: executing \"line\" at <.a.z>: can't evaluate field z in type string");
}

TEST_CASE("endless templates are stopped") {
  CHECK(run("{{range 100000000}}{{end}}").find("runs for too long") != std::string::npos);
  CHECK(run("{{range 10000000}}{{repeat 100000 \"x\"}}{{end}}").find("output is too large") != std::string::npos);
}

TEST_CASE("a template says what it reads") {
  const auto fields = [](std::string_view text) -> std::string {
    const auto parsed = Template::parse("line", text, logql_functions());
    REQUIRE(parsed);
    if (!parsed->fields()) return "any";
    std::string out;
    for (const std::string& name : *parsed->fields()) out += name + " ";
    return out;
  };
  CHECK(fields("{{.b}} {{.a | upper}} {{$.c}}") == "a b c ");
  CHECK(fields("{{with .a}}{{.}}{{.inner}}{{end}}") == "a ");
  CHECK(fields("{{index . \"x\"}}") == "any");
  CHECK(fields("{{range $k, $v := .}}{{end}}") == "any");
  CHECK(fields("{{$}}") == "any");
  CHECK(fields("plain") == "");
}
