#include "promtail-agent/config/load.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "promtail-agent/config/reference.h"

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
       "yaml: unmarshal errors:\n  line 3: field file_name not found in type positions.Config, did you mean "
       "\"filename\"?"},
      {kClient + "scrape_configs: [{job_name: a, journal: {}, relable_configs: []}]",
       "yaml: unmarshal errors:\n  line 2: field relable_configs not found in type scrapeconfig.Config, did you mean "
       "\"relabel_configs\"?"},
      {kClient + "server:\n  http_listen_prot: 1\n  log_level: loud\nwal: {dri: x}",
       "yaml: unmarshal errors:\n  line 3: field http_listen_prot not found in type server.Config, did you mean "
       "\"http_listen_port\"?\n  line 4: unrecognized log_level \"loud\"\n  line 5: field dri not found in type "
       "wal.Config, did you mean \"dir\"?"},
      {"clients: [{url: 'http://h/p', basic_auth: {password_ref: x}}]",
       "yaml: unmarshal errors:\n  line 1: password_ref: there is no secret store to refer to; use the key that ends in "
       "_file"},
      {"clients: [{url: 'http://h/p', proxy_connect_header: {a: [b]}}]",
       "yaml: unmarshal errors:\n  line 1: if proxy_connect_header is configured, proxy_url or "
       "proxy_from_environment must also be configured"},
      {"clients: [{url: 'http://h/p', batchsize: -1}]",
       "yaml: unmarshal errors:\n  line 1: batchsize must not be negative"},
      {"clients: [{url: 'http://h/p', oauth2: {client_id: a, token_url: 'http://t', grant_type: "
       "'urn:ietf:params:oauth:grant-type:jwt-bearer'}}]",
       "exactly one of oauth2 client_certificate_key & client_certificate_key_file must be configured using "
       "grant-type=urn:ietf:params:oauth:grant-type:jwt-bearer"},
      {kClient + "scrape_configs: [{job_name: a, file_sd_configs: [{files: [/a/*/b.yaml, '/a/*.yml', c.json, d.txt]}]}]",
       "yaml: unmarshal errors:\n  line 2: path name \"/a/*/b.yaml\" is not valid for file discovery\n  line 2: path "
       "name \"d.txt\" is not valid for file discovery"},
      {kClient + "scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, bearer_token: x}]}]",
       "yaml: unmarshal errors:\n  line 2: to use custom HTTP client configuration please provide the 'api_server' URL "
       "explicitly"},
      {"clients: [{url: 'http://h/p', http_headers: {Host: {values: [x]}}}]", "setting header \"Host\" is not allowed"},
      {kClient + "scrape_configs: [{job_name: a, kubernetes_sd_configs: [{namespaces: {names: [x]}}]}]",
       "yaml: unmarshal errors:\n  line 2: role missing (one of: pod, service, endpoints, endpointslice, node, "
       "ingress)"},
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

TEST_CASE("a spool block means a spool, and wal stands for one") {
  using Mode = SpoolConfig::Mode;
  const struct {
    std::string yaml;
    Mode mode;
    const char* directory;
  } cases[] = {
      {"", Mode::kOff, ""},
      {"spool: {}", Mode::kAlways, ""},
      {"spool: {mode: overflow}", Mode::kOverflow, ""},
      {"spool: {enabled: false}", Mode::kOff, ""},
      {"wal: {enabled: true, dir: /w}", Mode::kAlways, "/w"},
      {"wal: {enabled: false, dir: /w}", Mode::kOff, ""},
      {"wal: {enabled: true, dir: /w}\nspool: {mode: 'off', directory: /s}", Mode::kOff, "/s"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.yaml);
    const Config config = loaded(kClient + c.yaml);
    CHECK(config.spool.mode == c.mode);
    CHECK(config.spool.directory == c.directory);
  }
  CHECK(loaded("clients: [{url: 'http://a/p'}, {url: 'http://b/p'}]").spool.mode == Mode::kOverflow);
}

namespace {

const std::string kEverything = R"(
server: {http_listen_port: 9081, log_level: warn, http_tls_config: {cert_file: /c, key_file: /k}}
clients:
  - url: http://u:secret1@h/p
    tenant_id: t
    batchwait: 2s
    backoff_config: {max_retries: 3}
    external_labels: {a: 'yes', b: '1'}
    basic_auth: {username: u, password: secret2}
    proxy_url: http://proxy:secret3@x:1
    proxy_connect_header: {X-A: [secret4]}
    http_headers: {X-B: {values: [v, w], secrets: [secret5]}}
    tls_config: {ca_file: /ca, min_version: TLS13}
  - url: http://other/p
    oauth2: {client_id: i, client_secret: secret6, token_url: 'http://t', scopes: [r, w]}
positions: {filename: /p}
scrape_configs:
  - job_name: files
    pipeline_stages:
      - json: {expressions: {level: '', "a b": c}}
      - match: {selector: '{a="b"}', stages: [{drop: {expression: "x\\d"}}, {output: {source: level}}]}
      - docker:
      - labels: {}
    relabel_configs: [{source_labels: [a, b], action: keep}]
    file: {start_at: end, on_overlong: drop}
    static_configs: [{targets: [localhost], labels: {__path__: '/x/*.log'}}]
    kubernetes_sd_configs: [{role: pod, api_server: 'http://k', selectors: [{role: pod, label: a=b}]}]
  - job_name: net
    syslog: {listen_address: 'a:1', labels: {x: y}}
spool: {mode: overflow, max_bytes: 1MB}
)";

}  // namespace

TEST_CASE("what is printed is everything in force, and reads back as the same") {
  const Config config = loaded(kEverything);
  const std::string text = print_config(config);
  const Config again = loaded(text);
  CHECK(print_config(again) == text);
  CHECK(again.server.listen_port == 9081);
  CHECK(again.server.tls_key_file == "/k");
  REQUIRE(again.clients.size() == 2);
  CHECK(again.clients[0].external_labels == StringMap{{"a", "yes"}, {"b", "1"}});
  CHECK(again.clients[0].http.tls.min_version == "TLS13");
  CHECK(again.clients[0].http.http_headers.at("X-B").values == std::vector<std::string>{"v", "w"});
  CHECK(again.clients[1].http.oauth2.scopes == std::vector<std::string>{"r", "w"});
  REQUIRE(again.scrape_configs.size() == 2);
  CHECK(again.scrape_configs[0].file.start_at_end);
  CHECK(again.scrape_configs[0].pipeline_stages.items.size() == 4);
  CHECK(again.scrape_configs[0].kubernetes_sd.at(0).selectors.at(0).label == "a=b");
  CHECK(again.scrape_configs[1].syslog.labels == StringMap{{"x", "y"}});
  CHECK(again.spool.mode == SpoolConfig::Mode::kOverflow);
  CHECK(again.spool.bytes_max == 1 << 20);
}

TEST_CASE("no secret is printed, and every secret tells clients apart") {
  const Config config = loaded(kEverything);
  const std::string text = print_config(config);
  for (char number = '1'; number <= '6'; ++number) {
    const std::string secret = std::string("secret") + number;
    CAPTURE(secret);
    CHECK(text.find(secret) == std::string::npos);
    std::string changed = kEverything;
    changed.replace(changed.find(secret), secret.size(), "another");
    const Config other = loaded(changed);
    const std::size_t client = number < '6' ? 0 : 1;
    CHECK(client_identity(config.clients[client]) != client_identity(other.clients[client]));
    CHECK(client_identity(config.clients[1 - client]) == client_identity(other.clients[1 - client]));
  }
  CHECK(text.find("<secret>") != std::string::npos);
}

TEST_CASE("docs/agent/reference.md is what the fields say") {
  const std::string path = std::string(KVASIR_SOURCE_DIR) + "/docs/agent/reference.md";
  if (std::getenv("KVASIR_WRITE_DOCS") != nullptr) std::ofstream(path, std::ios::binary) << configuration_reference();
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  CHECK_MESSAGE(text.str() == configuration_reference(),
                "run test_agent with KVASIR_WRITE_DOCS=1 and commit the page");
}

TEST_CASE("the help names every flag with its meaning and default") {
  const std::string help = flags_usage();
  for (const char* part : {"-client.batch-wait\n    \tclient.batchwait: a batch is sent when it is so old (default 1s)\n",
                           "-server.grpc-listen-port\n    \taccepted without effect\n", "-dry-run\n"}) {
    CHECK(help.find(part) != std::string::npos);
  }
  CHECK(problem_of("", {"-posititions.file=x"}) ==
        "flag provided but not defined: -posititions.file (did you mean -positions.file?)");
  CHECK(problem_of("", {"-client.batch-size-bytes=-1"}) ==
        "invalid value \"-1\" for flag -client.batch-size-bytes: parse error");
}

}  // namespace kvasir::agent
