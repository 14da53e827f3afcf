#include "server/config/settings_table.h"

#include <doctest/doctest.h>

#include <array>

using namespace kvasir;
using namespace kvasir::server;

namespace {

struct Sample {
  bool flag = false;
  std::uint16_t port = 1;
  double rate = 1.5;
  std::string name = "x";
  Duration time{0};
  std::uint64_t bytes = 0;
  std::vector<std::string> list = {"a", "b"};
  std::string password;

  std::vector<Setting> table() {
    return {{"top.flag", &flag, "a flag"},       {"top.port", &port, "a port"},
            {"top.rate", &rate, "a rate"},       {"top.deep.name", &name, "a name"},
            {"top.deep.time", &time, "a time"},  {"top.deep.bytes", BytesTarget{&bytes}, "bytes"},
            {"list", &list, "a list"},           {"password", &password, "secret", "", true}};
  }
};

constexpr std::array<std::string_view, 2> kIgnored = {"other", "top.old"};

}  // namespace

TEST_CASE("values are read by their type") {
  Sample sample;
  ConfigNotes notes;
  const auto root = parse_yaml(
      "top: {flag: yes, port: 80, rate: 2, deep: {name: y, time: 30d1h, bytes: 1.5MB}, old: {x: 1}}\n"
      "list: [p, 7]\nother: 1\npassword: s\n");
  REQUIRE(root.has_value());
  const auto table = sample.table();
  REQUIRE(read_settings(*root, "", table, kIgnored, notes).has_value());
  CHECK(sample.flag);
  CHECK(sample.port == 80);
  CHECK(sample.rate == 2);
  CHECK(sample.name == "y");
  CHECK(sample.time == std::chrono::hours(721));
  CHECK(sample.bytes == 1572864);
  CHECK(sample.list == std::vector<std::string>{"p", "7"});
  CHECK(notes.warnings.empty());
  CHECK(notes.ignored == std::vector<std::string>{"top.old", "other"});
  CHECK(notes.given.count("top.deep.name") == 1);
  CHECK(print_value(table[7]) == "\"********\"");
}

TEST_CASE("passwords in addresses are not printed") {
  std::string text;
  const auto printed = [&text](const char* value) {
    text = value;
    return print_value({"url", &text, ""});
  };
  CHECK(printed("http://u:p@h/x, https://v:q@i:1") == yaml_scalar("http://********@h/x, https://********@i:1"));
  CHECK(printed("http://h/a@b") == yaml_scalar("http://h/a@b"));
  CHECK(printed("http://@h") == yaml_scalar("http://@h"));
}

TEST_CASE("unknown keys warn with the line and the nearest key") {
  const auto f = [](const char* text, const char* want) {
    Sample sample;
    ConfigNotes notes;
    const auto table = sample.table();
    REQUIRE(read_settings(*parse_yaml(text), "", table, kIgnored, notes).has_value());
    REQUIRE(notes.warnings.size() == 1);
    CHECK(notes.warnings[0] == want);
  };
  f("top:\n  flagg: true\n", "line 2: unknown key \"top.flagg\", did you mean \"flag\"?");
  f("lost: 1\n", "line 1: unknown key \"lost\", did you mean \"list\"?");
  f("quite_something_else: 1\n", "line 1: unknown key \"quite_something_else\"");
  f("top: {deep: {tme: 1}}\n", "line 1: unknown key \"top.deep.tme\", did you mean \"time\"?");
}

TEST_CASE("wrong types name line, key and type") {
  const auto f = [](const char* text, const char* want) {
    Sample sample;
    ConfigNotes notes;
    const auto table = sample.table();
    const auto got = read_settings(*parse_yaml(text), "", table, kIgnored, notes);
    REQUIRE_MESSAGE(!got.has_value(), text);
    CHECK(got.error().message() == want);
  };
  f("top:\n  deep:\n    time: x\n", "line 3: top.deep.time: cannot read \"x\" as duration");
  f("top: {port: 70000}\n", "line 1: top.port: cannot read \"70000\" as number");
  f("top: {port: -1}\n", "line 1: top.port: cannot read \"-1\" as number");
  f("top: {flag: maybe}\n", "line 1: top.flag: cannot read \"maybe\" as true or false");
  f("top: {deep: {bytes: -1}}\n", "line 1: top.deep.bytes: cannot read \"-1\" as size in bytes");
  f("top: {rate: [1]}\n", "line 1: top.rate: cannot read a map or list as a single value");
  f("top: 1\n", "line 1: top must be a map");
  f("[1]\n", "line 1: the file must be a map");
}

TEST_CASE("byte sizes count in 1024") {
  const auto f = [](const char* text, std::uint64_t want) {
    Sample sample;
    const auto table = sample.table();
    REQUIRE_MESSAGE(set_from_text(table[5], text).has_value(), text);
    CHECK_MESSAGE(sample.bytes == want, text);
  };
  f("0", 0);
  f("0B", 0);
  f("100B", 100);
  f("256KB", 262144);
  f("256kb", 262144);
  f("256KiB", 262144);
  f("3MB", 3145728);
  f("10GB", 10737418240);
  f("64k", 65536);
}

TEST_CASE("what is printed reads back") {
  Sample sample;
  const auto table = sample.table();
  sample.bytes = 3 << 20;
  sample.time = std::chrono::minutes(90);
  const std::string text = print_yaml(table);
  Sample other;
  ConfigNotes notes;
  const auto other_table = other.table();
  REQUIRE(read_settings(*parse_yaml(text), "", other_table, kIgnored, notes).has_value());
  CHECK(print_yaml(other_table) == text);
  CHECK(other.time == sample.time);
}

TEST_CASE("flags follow the path") {
  Sample sample;
  const auto table = sample.table();
  CHECK(flag_name(table[0]) == "top.flag");
  CHECK(flag_name({"server.http_listen_port", &sample.port, ""}) == "server.http-listen-port");
  CHECK(flag_name({"a_b", &sample.port, "", "x.y"}) == "x.y");
}
