// Stages against independent judges: RE2 for literals, simdjson for JSON, a plain search for line filters.
#include <random>

#include <doctest/doctest.h>
#include <re2/re2.h>
#include <simdjson.h>

#include "common/find_bytes.h"
#include "common/json_writer.h"
#include "common/regex.h"
#include "logql/pipeline/literal_search.h"
#include "logql/pipeline/key_names.h"
#include "logql/pipeline/pattern.h"
#include "logql/pipeline/pipeline.h"
#include "logql/pipeline/regex_literals.h"
#include "logql/syntax/parser.h"

using namespace kvasir;
using namespace kvasir::logql;

namespace {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::size_t below(std::size_t n) { return engine_() % n; }
  template <std::size_t N>
  std::string pick(const char* const (&items)[N]) {
    return items[below(N)];
  }
  std::string text(std::string_view alphabet, std::size_t length_max) {
    std::string out;
    for (std::size_t n = below(length_max + 1); n > 0; --n) out += alphabet[below(alphabet.size())];
    return out;
  }

 private:
  std::mt19937_64 engine_;
};

// ---- regular expressions

std::string random_regex(Random& random, int depth) {
  static constexpr const char* kAtoms[] = {"a",   "b", "ab", ".",   "\\.",   "[ab]",      "[^a]",  "\\d",
                                           "\\w", "^", "$",  "\\b", "\\x61", "\\Qa.b\\E", "(?i)a", " "};
  static constexpr const char* kRepeats[] = {"", "", "", "*", "+", "?", "{2}", "{0,1}", "{1,}", "*?", "+?"};
  std::string out;
  for (std::size_t n = 1 + random.below(3); n > 0; --n) {
    const bool group = depth > 0 && random.below(3) == 0;
    static constexpr const char* kOpen[] = {"(", "(?:", "(?P<g>", "(?s:"};
    out += (group ? random.pick(kOpen) + random_regex(random, depth - 1) + ")" : random.pick(kAtoms)) +
           random.pick(kRepeats);
  }
  if (random.below(4) == 0) out += "|" + random_regex(random, depth == 0 ? 0 : depth - 1);
  return out;
}

// ---- JSON

std::string random_string(Random& random) {
  static constexpr const char* kPieces[] = {
      "a", "B", "9", " ", "_", "-", ".", "\"", "\\", "/", "\n", "\xc3\xa9", "\xf0\x9f\x9a\x80", "{", "}", "[", ","};
  std::string out;
  for (std::size_t n = random.below(6); n > 0; --n) out += random.pick(kPieces);
  return out;
}

void write_value(JsonWriter& json, Random& random, int depth);

void write_object(JsonWriter& json, Random& random, int depth) {
  json.begin_object();
  for (std::size_t n = random.below(5); n > 0; --n) {
    json.key(random_string(random));
    write_value(json, random, depth);
  }
  json.end_object();
}

void write_value(JsonWriter& json, Random& random, int depth) {
  switch (random.below(depth > 0 ? 8 : 6)) {
    case 0: json.integer(static_cast<std::int64_t>(random.below(1000)) - 500); return;
    case 1: json.raw("-1.50e3"); return;
    case 2: json.boolean(random.below(2) == 0); return;
    case 3: json.null(); return;
    case 6: write_object(json, random, depth - 1); return;
    case 7:
      json.begin_array();
      for (std::size_t n = random.below(3); n > 0; --n) write_value(json, random, depth - 1);
      json.end_array();
      return;
    default: json.string(random_string(random));
  }
}

// What `| json` makes of a document, by the definition: flatten, clean, first one wins, null and arrays left out.
void flatten(const simdjson::dom::object& object, const std::string& prefix, Labels& out) {
  for (const auto field : object) {
    const std::string part = sanitise_label_name(field.key, prefix.empty());
    const std::string name = part.empty() ? prefix : prefix.empty() ? part : prefix + "_" + part;
    if (field.value.is_object()) {
      flatten(simdjson::dom::object(field.value), name, out);
      continue;
    }
    if (field.value.is_null() || field.value.is_array() || name.empty() || out.has(name)) continue;
    const bool text = field.value.is_string();
    out.set(name, text ? std::string(std::string_view(field.value)) : simdjson::minify(field.value));
  }
}

PipelineRunner runner_of(const std::string& pipeline) {
  const auto query = parse_log_query("{a=\"b\"} " + pipeline);
  REQUIRE(query);
  auto compiled = Pipeline::compile(query->stages, nullptr, {});
  REQUIRE(compiled);
  return PipelineRunner(std::move(*compiled));
}

}  // namespace

TEST_CASE("what a regex matches holds its required literals") {
  Random random(1);
  int matched = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string expression = random_regex(random, 2);
    const auto regex = compile_regex(expression, {});
    if (!regex) continue;
    const auto required = required_literals_of_regex(expression);
    const auto literal = regex_as_literal(expression);
    for (int j = 0; j < 10; ++j) {
      const std::string text = random.text("aabb. 1A\n", 12);
      const bool matches = re2::RE2::PartialMatch(text, **regex);
      if (literal) CHECK_MESSAGE(matches == contains_bytes(text, *literal), expression, " on ", text);
      for (const std::string& needle : required) {
        if (matches) CHECK_MESSAGE(contains_bytes(text, needle), expression, " needs ", needle, " on ", text);
      }
      matched += matches && !required.empty();
    }
  }
  CHECK(matched > 1000);  // the test would be empty otherwise
}

TEST_CASE("literal search finds what std::string finds") {
  Random random(2);
  for (int i = 0; i < 50000; ++i) {
    const std::string text = random.text("abAB", 80), needle = random.text("abAB", 5);
    CHECK(find_bytes(text, needle) == text.find(needle));
    const CaselessLiteral caseless(needle);
    std::string lower = text, lower_needle = needle;
    for (std::string* s : {&lower, &lower_needle}) {
      for (char& c : *s) c = static_cast<char>(c | 0x20);
    }
    CHECK(caseless.found_in(text) == (lower.find(lower_needle) != std::string::npos));
  }
}

TEST_CASE("json extracts from valid documents what simdjson reads") {
  Random random(3);
  PipelineRunner runner = runner_of("| json");
  const Labels none;
  runner.bind(none);
  for (int i = 0; i < 20000; ++i) {
    std::string document;
    JsonWriter json(document);
    write_object(json, random, 3);
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    REQUIRE(parser.parse(document).get(root) == simdjson::SUCCESS);
    Labels want;
    flatten(simdjson::dom::object(root), "", want);
    for (const Label& label : Labels(want)) {
      // Numbers keep their source text; the writer above makes only one that is not canonical.
      if (label.value.find("-1500") == 0) want.set(label.name, "-1.50e3");
    }
    REQUIRE(runner.process({1}, document, {}));
    CHECK_MESSAGE(runner.final_labels() == want, document);
  }
}

TEST_CASE("a pattern filter agrees with its definition on small texts") {
  // The definition as a search over all ways to place the wildcards, for patterns of one literal between two wildcards.
  Random random(4);
  for (int i = 0; i < 20000; ++i) {
    const std::string literal = random.text("ab", 3);
    if (literal.empty()) continue;
    const std::string line = random.text("ab", 8);
    const auto both = Pattern::for_filter("<_>" + literal + "<_>");
    REQUIRE(both);
    const std::size_t at = line.find(literal);
    const bool want = at != std::string::npos && at > 0 && at + literal.size() < line.size();
    CHECK_MESSAGE(both->matches(line) == want, literal, " in ", line);
  }
}

TEST_CASE("logfmt reads back what was written as logfmt") {
  Random random(5);
  PipelineRunner runner = runner_of("| logfmt --strict --keep-empty");
  const Labels none;
  runner.bind(none);
  for (int i = 0; i < 20000; ++i) {
    Labels want;
    std::string line;
    for (std::size_t n = random.below(6); n > 0; --n) {
      const std::string key = "k" + std::to_string(random.below(9));
      const std::string value = random_string(random);
      if (want.has(key)) continue;
      want.set(key, value);
      line += (line.empty() ? "" : " ") + key + "=";
      append_json_string(line, value);
    }
    REQUIRE(runner.process({1}, line, {}));
    CHECK_MESSAGE(runner.final_labels() == want, line);
  }
}

TEST_CASE("line_format joins any fields as text") {
  Random random(6);
  for (int i = 0; i < 500; ++i) {
    Labels stream;
    std::string text, want;
    for (std::size_t n = random.below(6); n > 0; --n) {
      const std::string name = "n" + std::to_string(random.below(5));
      if (!stream.has(name)) stream.set(name, random_string(random) + "x");
      const std::string between = random.text("ab {|", 3);
      const bool opens_action = between.find("{{") != std::string::npos || between.ends_with('{');
      text += (opens_action ? "" : between) + "{{ ." + name + " }}";
      want += (opens_action ? "" : between) + std::string(stream.value_or_empty(name));
    }
    const Stage stage = LineFormat{text};
    const auto pipeline = Pipeline::compile(std::span(&stage, 1), nullptr, {});
    REQUIRE_MESSAGE(pipeline.has_value(), text);
    PipelineRunner runner(*pipeline);
    runner.bind(stream);
    REQUIRE(runner.process({1}, "line", {}));
    CHECK_MESSAGE(runner.line() == want, text);
  }
}
