#include <doctest/doctest.h>

#include "promtail-agent/stages/testing_pipeline.h"

namespace kvasir::agent {
namespace {

// What a template makes of the line "v=..." with the fields v, num and e (empty).
std::string render(std::string_view text, std::string_view v = "Ab c-D") {
  const std::string yaml =
      "- json: {expressions: {v: , num: , e: , none: }}\n- template: {source: o, template: " + yaml_scalar(text) +
      "}\n- output: {source: o}";
  std::string line = "{\"v\":\"" + std::string(v) + "\",\"num\":12.5,\"e\":\"\"}";
  std::string out = run_line(yaml, line);
  return out == line ? "(unchanged)" : out;
}

struct Case {
  std::string_view text, out;
};

TEST_CASE("text functions") {
  for (const auto& [text, out] : {
           Case{"{{ .v | lower | replace \" \" \"_\" | trunc 4 }}", "ab_c"},
           Case{"{{ .v | title }}", "Ab C-D"},
           Case{"{{ .v | nospace }}", "Abc-D"},
           Case{"{{ .v | quote }}", "\"Ab c-D\""},
           Case{"{{ squote .v .e }}", "'Ab c-D' ''"},
           Case{"{{ .v | snakecase }}", "ab_c_d"},
           Case{"{{ snakecase \"HTTPServerName\" }}", "http_server_name"},
           Case{"{{ camelcase \"http_server\" }}", "HttpServer"},
           Case{"{{ kebabcase \"FirstName\" }}", "first-name"},
           Case{"{{ swapcase \"aBc\" }}", "AbC"},
           Case{"{{ untitle \"Ab Cd\" }}", "ab cd"},
           Case{"{{ initials \"First Try\" }}", "FT"},
           Case{"{{ repeat 2 \"ab\" }}", "abab"},
           Case{"{{ trimAll \"$\" \"$5$\" }}", "5"},
           Case{"{{ abbrev 5 \"abcdefghij\" }}", "ab..."},
           Case{"{{ substr 1 3 \"abcdef\" }}", "bc"},
           Case{"{{ trunc -3 \"abcdef\" }}", "def"},
           Case{"{{ cat \"a\" .num \"b\" }}", "a 12.5 b"},
           Case{"{{ plural \"one\" \"many\" 2 }}", "many"},
           Case{"{{ wrap 5 \"ab cd ef\" }}", "ab cd\nef"},
           Case{"{{ indent 2 \"a\\nb\" }}", "  a\n  b"},
           Case{"{{ contains \"b\" .v }}|{{ hasPrefix \"A\" .v }}|{{ hasSuffix \"x\" .v }}", "true|true|false"},
           Case{"{{ toString 5 | upper }}", "5"},
           Case{"{{ upper 5 }}", "(unchanged)"},
       })
    CHECK_MESSAGE(render(text) == out, text);
}

TEST_CASE("numbers and choices") {
  for (const auto& [text, out] : {
           Case{"{{ add 1 2 }}|{{ sub 9 4 }}|{{ mul 3 4 }}|{{ div 9 2 }}|{{ mod 9 4 }}|{{ max 1 5 3 }}",
                "3|5|12|4|1|5"},
           Case{"{{ int \"12\" }}|{{ atoi \"7\" | add 1 }}|{{ float64 \"2.5\" }}|{{ add1 4 }}|{{ int64 \"0x10\" }}",
                "12|8|2.5|5|16"},
           Case{"{{ div 1 0 }}", "(unchanged)"},
           Case{"{{ default \"none\" .e }}|{{ empty .e }}|{{ coalesce .e .v }}", "none|true|Ab c-D"},
           Case{"{{ ternary \"y\" \"n\" (eq .v \"z\") }}", "n"},
           Case{"{{ round 12.345 1 }}|{{ floor 12.7 }}|{{ ceil 1.2 }}", "12.3|12|2"},
           Case{"{{ kindOf .v }}|{{ kindOf 1 }}|{{ typeOf 1.5 }}|{{ kindIs \"string\" .v }}",
                "string|int|float64|true"},
           Case{"{{ until 3 }}|{{ seq 3 }}|{{ seq 1 2 5 }}", "[0 1 2]|1 2 3|1 3 5"},
           Case{"{{ fail \"x\" }}", "(unchanged)"},
           Case{"{{ until 9999999 }}", "(unchanged)"},
           Case{"{{ all .v 1 }}|{{ any .e 0 }}", "true|false"},
       })
    CHECK_MESSAGE(render(text) == out, text);
}

TEST_CASE("lists and dicts") {
  for (const auto& [text, out] : {
           Case{"{{ $p := splitList \"-\" .v }}{{ first $p }}|{{ last $p }}|{{ join \"+\" $p }}|{{ len $p }}|{{ has "
                "\"c\" $p }}|{{ (split \"-\" .v)._1 }}",
                "a|c|a+b+c|3|true|b"},
           Case{"{{ splitList \"-\" .v | rest | join \",\" }}|{{ splitList \"-\" .v | initial | join \",\" }}",
                "b,c|a,b"},
           Case{"{{ (splitn \"-\" 2 .v)._1 }}", "b-c"},
           Case{"{{ list 3 1 2 | reverse }}", "[2 1 3]"},
           Case{"{{ sortAlpha (list \"b\" \"a\") }}", "[a b]"},
           Case{"{{ uniq (list 1 1 2) }}|{{ without (list 1 2 3) 2 }}|{{ compact (list 0 1) }}", "[1 2]|[1 3]|[1]"},
           Case{"{{ append (list 1) 2 }}|{{ prepend (list 1) 2 }}|{{ concat (list 1) (list 2) }}", "[1 2]|[2 1]|[1 2]"},
           Case{"{{ $d := dict \"a\" 1 \"b\" 2 }}{{ get $d \"a\" }}|{{ hasKey $d \"z\" }}|{{ keys $d }}|{{ values $d "
                "}}|{{ pick $d \"b\" }}|{{ omit $d \"b\" }}",
                "1|false|[a b]|[1 2]|map[b:2]|map[a:1]"},
           Case{"{{ merge (dict \"a\" 1) (dict \"a\" 2 \"b\" 3) }}|{{ set (dict \"a\" 1) \"a\" 5 }}",
                "map[a:1 b:3]|map[a:5]"},
           Case{"{{ first .v }}", "(unchanged)"},
       })
    CHECK_MESSAGE(render(text, "a-b-c") == out, text);
}

TEST_CASE("digests, encodings, JSON, regexes, paths, times") {
  for (const auto& [text, out] : {
           Case{"{{ b64enc .v }}|{{ b64dec \"aGV5\" }}|{{ b32enc \"hey\" }}|{{ b32dec \"NBSXS===\" }}",
                "QWIgYy1E|hey|NBSXS===|hey"},
           Case{"{{ sha1sum .v }}", "ba0e5842f140d26537f6b3cac9b508505a5afcc8"},
           Case{"{{ adler32sum .v }}", "96272792"},
           Case{"{{ Hash \"s\" .v }}", "a289ce3fb96d29f29ef548170f17ef728cdc1b273c73be7cb7efd97cfe799993"},
           Case{"{{ Sha2Hash \"s\" .v }}", "8547bf1b64db474c70f876b32cd96407e187057165264506e35fea69252c9a92"},
           Case{"{{ toJson (dict \"a\" (list 1 \"<\" 2.5)) }}|{{ toRawJson \"<\" }}",
                "{\"a\":[1,\"\\u003c\",2.5]}|\"<\""},
           Case{"{{ toPrettyJson (dict \"a\" 1) }}", "{\n  \"a\": 1\n}"},
           Case{"{{ (fromJson \"{\\\"k\\\":[1,2]}\").k }}", "[1 2]"},
           Case{"{{ regexMatch \"^[A-Z]\" .v }}|{{ regexFind \"[a-z]\" .v }}|{{ regexFindAll \"[a-z]\" .v -1 }}",
                "true|b|[b c]"},
           Case{"{{ regexSplit \"[ -]\" .v -1 }}|{{ regexSplit \"[ -]\" .v 2 }}|{{ regexQuoteMeta \"a.b\" }}",
                "[Ab c D]|[Ab c-D]|a\\.b"},
           Case{"{{ regexReplaceAll \"(\\\\w)(\\\\w)\" .v \"$2$1\" }}", "bA c-D"},
           Case{"{{ regexMatch \"(\" .v }}", "(unchanged)"},
           Case{"{{ base \"/a/b.log\" }}|{{ dir \"/a/b.log\" }}|{{ ext \"/a/b.log\" }}|{{ clean \"/a/../b//c/.\" }}|{{ "
                "isAbs \"a\" }}",
                "b.log|/a|.log|/b/c|false"},
           Case{"{{ duration 95 }}|{{ durationRound \"50h\" }}|{{ dateInZone \"2006-01-02 15:04\" 0 \"UTC\" }}",
                "1m35s|2d|1970-01-01 00:00"},
           Case{"{{ toDate \"2006-01-02\" \"2020-02-03\" | dateModify \"24h\" | date \"Jan 2\" }}", "Feb 4"},
           Case{"{{ len (uuidv4) }}", "36"},
           Case{"{{ bcrypt .v }}", "(unchanged)"},
           Case{"{{ env \"NO_SUCH_VARIABLE\" }}x", "x"},
       })
    CHECK_MESSAGE(render(text) == out, text);
  CHECK(render("{{ nofn .v }}").find("function \"nofn\" not defined") != std::string::npos);
}

}  // namespace
}  // namespace kvasir::agent
