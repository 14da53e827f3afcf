#include "promtail-agent/config/load.h"

#include <doctest/doctest.h>

namespace kvasir::agent {

namespace {

/// The error of loading and checking, or "" if there is none.
std::string problem_of(const std::string& yaml, const std::vector<std::string>& arguments = {}) {
  const auto flags = parse_flags(arguments);
  if (!flags) return flags.error().message();
  const auto config = parse_config(yaml, *flags);
  if (!config) return config.error().message();
  const auto checked = check_config(*config);
  return checked ? "" : checked.error().message();
}

const std::string kClient = "clients: [{url: 'http://h/p'}]\n";
const std::string kJob = "scrape_configs: [{job_name: a, static_configs: [{labels: {__path__: /x}}]}]\n";

Config loaded(const std::string& yaml, const std::vector<std::string>& arguments = {}) {
  return *parse_config(yaml, *parse_flags(arguments));
}

}  // namespace

TEST_CASE("what is wrong with a configuration is said in known words") {
  const struct {
    std::string yaml;
    const char* error;
  } cases[] = {
      {kClient + kJob, ""},
      {"", "at least one client config must be provided"},
      {"clients: [{name: x}]", "client needs target URL"},
      {"clients: [{url: 'http://h/p', name: n}, {url: 'http://h/q', name: n}]",
       "duplicate client configs are not allowed, found duplicate for name: n"},
      {kClient + "scrape_configs: [{job_name: a}]", "no valid target scrape config defined for \"a\""},
      {kClient + "scrape_configs: [{static_configs: []}]", "job_name is empty"},
      {kClient + "scrape_configs: [{job_name: a, journal: {}}, {job_name: a, journal: {}}]",
       "found multiple scrape configs with job name \"a\""},
      {kClient + "\nfoo: 1", "yaml: unmarshal errors:\n  line 3: field foo not found in type config.plain"},
      {kClient + "positions:\n  file_name: x",
       "yaml: unmarshal errors:\n  line 3: field file_name not found in type positions.Config"},
      {kClient + "server: {http_listen_port: zero}",
       "yaml: unmarshal errors:\n  line 2: cannot unmarshal !!str `zero` into int"},
      {kClient + "target_config: {sync_period: 10 parsecs}",
       "yaml: unmarshal errors:\n  line 2: cannot unmarshal !!str `10 parsecs` into time.Duration"},
      {"clients: [{url: 'http://h/p', bearer_token: a, bearer_token_file: b}]",
       "at most one of bearer_token & bearer_token_file must be configured"},
      {"clients: [{url: 'http://h/p', basic_auth: {username: u}, bearer_token: c}]",
       "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured"},
      {"clients: [{url: 'http://h/p', tls_config: {cert_file: c}}]",
       "exactly one of key or key_file must be configured when a client certificate is configured"},
      {"clients: [{url: 'http://h/p', no_proxy: x}]", "if no_proxy is configured, proxy_url must also be configured"},
      {"clients: [{url: 'http://h/p', authorization: {type: BASIC}}]",
       "authorization type cannot be set to \"basic\", use \"basic_auth\" instead"},
      {kClient + "global: {file_watch_config: {min_poll_frequency: 0s}}",
       "MinPollFrequency and MaxPollFrequency must be greater than 0"},
      {kClient + "global: {file_watch_config: {min_poll_frequency: 1s}}",
       "MaxPollFrequency must be larger than MinPollFrequency"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.yaml);
    CHECK(problem_of(c.yaml) == c.error);
  }
}

TEST_CASE("flags win over the file, in all their spellings") {
  const std::string yaml = kClient + "server: {http_listen_port: 1}\npositions: {filename: /a}\n";
  for (const std::vector<std::string>& spelling :
       {std::vector<std::string>{"-server.http-listen-port=2", "--positions.file=/b"},
        std::vector<std::string>{"--server.http-listen-port", "2", "-positions.file", "/b"}}) {
    const Config config = loaded(yaml, spelling);
    CHECK(config.server.listen_port == 2);
    CHECK(config.positions.filename == "/b");
  }
  CHECK(loaded(yaml).server.listen_port == 1);
  CHECK(problem_of("", {"-nosuch=1"}) == "flag provided but not defined: -nosuch");
  CHECK(problem_of("", {"-stdin=maybe"}) == "invalid boolean value \"maybe\" for -stdin: parse error");
  CHECK(problem_of("", {"-target.sync-period=1d"}) == "invalid value \"1d\" for flag -target.sync-period: parse error");
  CHECK(parse_flags(std::vector<std::string>{"-stdin", "false", "-inspect"})->inspect == false);
}

TEST_CASE("the old client block and its flags") {
  const Config config = loaded("client: {url: 'http://old/p', external_labels: {a: '1', b: '2'}}\n"
                               "clients: [{url: 'http://new/p', external_labels: {b: own}}]\n",
                               {"-client.batch-wait=5s", "-client.external-labels=c=3,b=flag"});
  REQUIRE(config.clients.size() == 2);
  CHECK(config.clients[0].batch_wait == std::chrono::seconds(1));
  CHECK(config.clients[0].external_labels == StringMap{{"a", "1"}, {"b", "own"}, {"c", "3"}});
  CHECK(config.clients[1].url == "http://old/p");
  CHECK(config.clients[1].batch_wait == std::chrono::seconds(5));
  CHECK(config.clients[1].external_labels == StringMap{{"a", "1"}, {"b", "2"}, {"c", "3"}});
  CHECK(config.clients[0].name.size() == 6);
}

TEST_CASE("text fields keep their text, sizes and durations their units") {
  const Config config = loaded(
      "clients: [{url: 'http://h/p', external_labels: {a: y, b: 1, c: 010}, batchwait: 1000000}]\n"
      "limits_config: {max_line_size: 16kb}\n");
  CHECK(config.clients[0].external_labels == StringMap{{"a", "y"}, {"b", "1"}, {"c", "010"}});
  CHECK(config.clients[0].batch_wait == std::chrono::milliseconds(1));
  CHECK(config.limits.max_line_size == 16384);
}

TEST_CASE("the printed configuration hides secrets and is YAML") {
  const Config config =
      loaded("clients: [{url: 'http://u:secret1@h/p', basic_auth: {username: u, password: secret2}}]\n" + kJob);
  const std::string text = print_config(config);
  CHECK(text.find("secret1") == std::string::npos);
  CHECK(text.find("secret2") == std::string::npos);
  CHECK(text.find("<secret>") != std::string::npos);
  CHECK(parse_yaml(text));
}

}  // namespace kvasir::agent
