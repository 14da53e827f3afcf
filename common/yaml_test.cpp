#include "common/yaml.h"

#include <doctest/doctest.h>

using namespace kvasir;

TEST_CASE("maps, sequences and scalars come with their lines") {
  const auto root = parse_yaml("a: 1\nb:\n  - x\n  - 'y'\nc: {d: null, e: ~}\nf:\n");
  REQUIRE(root.has_value());
  REQUIRE(root->is_map());
  CHECK(root->find("a")->text == "1");
  CHECK(root->find("a")->as_integer() == 1);
  CHECK(root->find("b")->items[1].text == "y");
  CHECK_FALSE(root->find("b")->items[1].plain);
  CHECK(root->find("b")->items[1].line == 4);
  CHECK(root->find("c")->find("d")->is_null());
  CHECK(root->find("c")->find("e")->is_null());
  CHECK(root->find("f")->is_null());
  CHECK(root->entries[2].line == 5);
  CHECK(root->find("none") == nullptr);
}

TEST_CASE("a scalar means what is asked for") {
  const auto value = [](const char* text) { return *parse_yaml(text); };
  for (const char* word : {"y", "Y", "yes", "Yes", "YES", "on", "True", "TRUE"}) CHECK(value(word).as_bool() == true);
  for (const char* word : {"n", "no", "Off", "false", "FALSE"}) CHECK(value(word).as_bool() == false);
  CHECK_FALSE(value("'yes'").as_bool().has_value());
  CHECK_FALSE(value("yEs").as_bool().has_value());
  CHECK(value("y").as_text() == "y");
  CHECK(value("0x10").as_text() == "0x10");
  CHECK(value("").is_null());
  CHECK_FALSE(value("[1]").as_text().has_value());
}

TEST_CASE("anchors and merges") {
  const auto root = parse_yaml("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n");
  REQUIRE(root.has_value());
  const YamlNode* use = root->find("use");
  CHECK(use->find("x")->text == "1");
  CHECK(use->find("y")->text == "3");
}

TEST_CASE("broken documents name the line") {
  const auto f = [](const char* text, const char* want) {
    const auto got = parse_yaml(text);
    REQUIRE_MESSAGE(!got.has_value(), text);
    CHECK(got.error().message().find(want) != std::string::npos);
  };
  f("a: 1\na: 2\n", "line 2: key \"a\" already set in map");
  f("a: [1\n", "yaml: line");
  f("? [a]\n: 1\n", "a key must be a scalar");
  f("a: 1\nb: \x80\n", "line 2: not UTF-8");
  f("a: 1\n\nb: x\x11y\n", "line 3: control characters are not allowed");
  CHECK(!parse_yaml(std::string_view("a: x\0y", 6)).has_value());
  CHECK(parse_yaml("a: \"x\\u0011\\0y\"\r\n")->find("a")->text == std::string("x\x11\0y", 4));
  std::string deep(200, '[');
  f(deep.c_str(), "yaml: line");
  std::string nested = std::string(100, '[') + std::string(100, ']');
  f(nested.c_str(), "nested too deeply");
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'i'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) bomb += std::string(i == 0 ? "*" : ",*") + static_cast<char>(c - 1);
    bomb += "]\n";
  }
  f(bomb.c_str(), "too many values");
}

TEST_CASE("several documents") {
  const auto all = parse_yaml_documents("a: 1\n---\nb: 2\n");
  REQUIRE(all.has_value());
  CHECK(all->size() == 2);
}

TEST_CASE("scalars are quoted where they must be") {
  for (const char* text :
       {"a", "/loki/chunks", "http://x:1/y", "", "yes", "1", "1.5", "a: b", "null", "- x", "a\nb", "#"}) {
    const auto back = parse_yaml("k: " + yaml_scalar(text));
    REQUIRE_MESSAGE(back.has_value(), text);
    CHECK(back->find("k")->as_text() == text);
    CHECK_FALSE(back->find("k")->as_bool().has_value());
  }
  CHECK(yaml_scalar("plain-text") == "plain-text");
}
