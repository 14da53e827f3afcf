#include "promtail-agent/config/value_rules.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace kvasir::agent {

namespace {

struct Case {
  const char* value;
  const char* problem;  // how it begins; "": there is none
};

}  // namespace

TEST_CASE("what is wrong with an address is said") {
  constexpr Case kCases[] = {
      {"0.0.0.0:1514", ""},
      {":12201", ""},
      {"localhost:0", ""},
      {"[::1]:514", ""},
      {"[fe80::1%eth0]:1514", ""},
      {"node-1.example_net.org:65535", ""},
      {":syslog", ""},
      {"", "the port is missing"},
      {"0.0.0.0", "the port is missing"},
      {"0.0.0.0:", "the port must be"},
      {"0.0.0.0:65536", "the port must be 0 to 65535"},
      {"0.0.0.0:99999999999999999999", "the port must be 0 to 65535"},
      {":-1", "the port must be"},
      {":no such service", "the port must be"},
      {"300.1.1.1:514", "not an IPv4 address"},
      {"1.2.3:514", "not an IPv4 address"},
      {"[::g]:514", "not an IPv6 address"},
      {"[fe80::1%]:514", "not an IPv6 address"},
      {"[127.0.0.1%lo]:514", "not an IPv6 address"},
      {"::1:514", "an IPv6 address stands in brackets"},
      {"tcp://0.0.0.0:514", "an IPv6 address stands in brackets"},
      {"a host:514", "not an address and not a host name"},
  };
  for (const Case& one : kCases) {
    CAPTURE(one.value);
    const std::string problem = find_address_problem(one.value);
    CHECK(problem.starts_with(one.problem));
    CHECK(problem.empty() == (*one.problem == 0));
  }
}

TEST_CASE("a host stands without a port") {
  constexpr Case kCases[] = {{"", ""},         {"127.0.0.1", ""}, {"::", ""},
                             {"[::1]", ""},    {"my-host", ""},   {"127.0.0.1:9080", "an address without a port"},
                             {"fe80::1%lo", ""},
                             {"[::1]:80", "not an IPv6"},         {"1.2.3.4.5", "not an IPv4 address"},
                             {"a/b", "not an address"}};
  for (const Case& one : kCases) {
    CAPTURE(one.value);
    const std::string problem = find_host_problem(one.value);
    CHECK(problem.starts_with(one.problem));
    CHECK(problem.empty() == (*one.problem == 0));
  }
}

TEST_CASE("a pattern that is not closed is found") {
  constexpr Case kCases[] = {{"/var/log/*.log", ""},
                             {"/var/log/{a,b{c,d}}/[!a-z].log", ""},
                             {"/a/[]]x", ""},
                             {"/a/\\[x", ""},
                             {"/a/\\{x", ""},
                             {"/a/[\\]]", ""},
                             {"/a}b", ""},
                             {"/var/log/[a-z.log", "a [ has no ]"},
                             {"/var/log/[a/b]", "a [ has no ]"},
                             {"/a/\\\\[x", "a [ has no ]"},
                             {"/var/{log,tmp/*.log", "a { has no }"},
                             {"/var/log/x\\", "a \\ at the end"}};
  for (const Case& one : kCases) {
    CAPTURE(one.value);
    const std::string problem = find_pattern_problem(one.value);
    CHECK(problem.starts_with(one.problem));
    CHECK(problem.empty() == (*one.problem == 0));
  }
}

TEST_CASE("a pattern that is the name of a file is never wrong") {
  const std::string path = std::string(std::tmpnam(nullptr)) + "[1.log";
  CHECK(!find_pattern_problem(path).empty());
  std::ofstream(path) << "x";
  CHECK(find_pattern_problem(path).empty());
  std::filesystem::remove(path);
}

TEST_CASE("names of labels") {
  CHECK(find_label_name_problem("").starts_with("the name of a label must not be empty"));
  CHECK(find_label_name_problem("a\xff").starts_with("the name of a label must be UTF-8"));
  CHECK(find_label_name_problem("größe").empty());
  CHECK(is_plain_label_name("_a1"));
  for (const char* name : {"", "1a", "a-b", "a.b", "größe"}) CHECK(!is_plain_label_name(name));
}

}  // namespace kvasir::agent
