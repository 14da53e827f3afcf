#include "promtail-agent/check_syntax.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace kvasir::agent {

namespace {

struct Expected {
  int line;
  const char* start;
};

// Every kind of place where something can be wrong; 31 faults.
constexpr const char* kFaulty = R"(server: {http_listen_prt: 1, log_level: loud, http_tls_config: {cert_file: x}}
global: {file_watch_config: {min_poll_frequency: 2s, max_poll_frequency: 1s}}
clients:
- url: http://h/p
  batch_wait: 1s
  tls_config: {min_version: TLS09, cert_file: x}
  basic_auth: {password: a, password_file: b}
- {name: b}
- {name: b, url: 'http://h/q'}
scrape_configs:
- job_name: a
  static_configs: [{labels: {__path__: /x}}]
  encoding: utf-99
  decompression: {enabled: yes, format: rar}
  relabel_configs:
  - {action: hashmod, target_label: x}
  - {action: repalce}
  pipeline_stages:
  - regx: {expression: x}
  - drop: {sorce: a, longer_than: 1}
  - metrics:
      one: {type: Counter, config: {}}
      two: {type: Counter, config: {action: up}}
  - match:
      selector: '{app='
      stages:
      - replace: {expression: '(a)', replace: '{{ .Value '}
- job_name: a
  kafka: {brokers: [x]}
- job_name: c
  journal: {max_age: 3 days, matches: x}
- job_name: d
  syslog: {listen_protocol: sctp, syslog_format: rfc1}
- static_config: []
- job_name: e
  kubernetes_sd_configs: [{role: pdo}]
  pipeline_stages: {json: }
)";

constexpr Expected kFaults[] = {
    {1, "unrecognized log_level \"loud\""},
    {1, "field http_listen_prt not found in type server.Config, did you mean \"http_listen_port\"?"},
    {1, "http_tls_config needs both"},
    {2, "MaxPollFrequency must be larger"},
    {4, "at most one of basic_auth password"},
    {4, "exactly one of key or key_file"},
    {5, "field batch_wait not found in type client.Config, did you mean \"batchwait\"?"},
    {6, "unrecognized min_version \"TLS09\""},
    {8, "client needs target URL"},
    {9, "duplicate client configs are not allowed, found duplicate for name: b"},
    {11, "scrape config \"a\": error doing IANA encoding"},
    {14, "scrape config \"a\": file format \"rar\" is not supported, supported formats are: gz, z, bz2, zst"},
    {16, "error validating config: ScrapeConfig[0].RelabelConfigs[0]: relabel configuration for hashmod requires"},
    {17, "error validating config: ScrapeConfig[0].RelabelConfigs[1]: unknown relabel action \"repalce\""},
    {19, "scrape config \"a\": pipeline_stages[0]: invalid regx stage config: Unknown stage type: regx, did you mean"},
    {22, "scrape config \"a\": pipeline_stages[2]: invalid metrics stage config: counter action must be defined"},
    {23, "scrape config \"a\": pipeline_stages[2]: invalid metrics stage config: action up is not valid"},
    {25, "scrape config \"a\": pipeline_stages[3]: invalid match stage config: invalid selector syntax"},
    {27, "scrape config \"a\": pipeline_stages[3].match.stages[0]: invalid replace stage config: template"},
    {28, "found multiple scrape configs with job name \"a\""},
    {29, "scrape config \"a\": kafka is not supported by this agent: let a collector"},
    {31, "scrape config \"c\": Error parsing journal reader 'matches'"},
    {31, "scrape config \"c\": parsing journal reader 'max_age'"},
    {33, "scrape config \"d\": syslog needs a listen_address"},
    {33, "scrape config \"d\": invalid transport protocol"},
    {33, "scrape config \"d\": unsupported syslog format"},
    {34, "field static_config not found in type scrapeconfig.Config, did you mean \"static_configs\"?"},
    {34, "job_name is empty"},
    {34, "no valid target scrape config defined"},
    {36, "unrecognized role \"pdo\""},
    {37, "scrape config \"e\": pipeline_stages: pipeline stages must be a list"},
};

/// The file under a name of its own, removed at the end.
struct ConfigFile {
  explicit ConfigFile(const std::string& text) : path(std::tmpnam(nullptr)) {
    std::ofstream(path, std::ios::binary) << text;
  }
  ~ConfigFile() { std::filesystem::remove(path); }
  const std::string path;
};

Flags flags_of(const std::vector<std::string>& arguments) { return *parse_flags(arguments); }

int exit_code(const std::string& argument, const std::string& text) {
  const ConfigFile file(text);
  return run_check_syntax(flags_of({argument, "-config.file=" + file.path}));
}

}  // namespace

TEST_CASE("a check names every problem of a file, by line") {
  const ConfigFile file(kFaulty);
  const auto loaded = load_with_problems(flags_of({"-config.file=" + file.path}));
  REQUIRE(loaded);
  CHECK(loaded->path == file.path);
  const SyntaxReport report = check_loaded(*loaded);
  CHECK(report.problems.size() == std::size(kFaults));
  for (std::size_t i = 0; i < std::min(report.problems.size(), std::size(kFaults)); ++i) {
    CAPTURE(report.problems[i].text);
    CHECK(report.problems[i].line == kFaults[i].line);
    CHECK(report.problems[i].text.starts_with(kFaults[i].start));
  }
  REQUIRE(report.warnings.size() == 4);
  CHECK(report.warnings[0].ends_with("option \"sorce\" is not known and has no effect, did you mean \"source\"?"));
  CHECK(report.warnings[1].starts_with("scrape config \"c\" (line 30): no label of a journal entry is left"));
  CHECK(report.warnings[2].starts_with("scrape config \"d\" (line 32): no label of a syslog entry is left"));
  CHECK(report.warnings[3].starts_with("scrape config \"e\" (line 35): targets of kubernetes_sd_configs have no label __path__"));
}

// Values that suit their type and still cannot be meant.
constexpr const char* kSenseless = R"(server:
  http_listen_address: 127.0.0.1:9080
  http_listen_port: 99999
positions: {filename: "", sync_period: 0s}
clients:
- url: http://h/p
  batchwait: -1s
  batchsize: 0
  timeout: 0s
  backoff_config: {max_retries: -1}
  external_labels: {"": x, data-center: y}
limits_config: {readline_rate_enabled: true, readline_rate: 0}
spool: {max_bytes: 0}
target_config: {sync_period: 0s}
scrape_configs:
- job_name: files
  static_configs:
  - labels: {job: x}
  - labels: {__path__: '/var/log/[a.log', __path_exclude__: '/var/{log'}
- job_name: s
  syslog: {listen_address: '0.0.0.0:70000', max_message_length: -1, idle_timeout: -5s, labels: {job: s}}
- job_name: g
  gelf: {listen_address: '12201', labels: {job: g}}
- job_name: p
  loki_push_api: {server: {http_listen_address: 1.2.3, http_listen_port: -1}}
- job_name: h
  http_sd_configs: [{url: 'http://h/t', refresh_interval: 0s}]
)";

constexpr Expected kSenselessFaults[] = {
    {2, "http_listen_address \"127.0.0.1:9080\": an address without a port is wanted here"},
    {3, "http_listen_port 99999: must be 0 to 65535"},
    {4, "filename \"\": the positions need a file"},
    {4, "sync_period 0s: must be greater than 0"},
    {7, "batchwait -1s: must not be negative"},
    {9, "timeout 0s: must be greater than 0"},
    {10, "max_retries -1: must be 0 to 2147483647"},
    {11, "external_labels \"\": the name of a label must not be empty"},
    {13, "max_bytes 0: must be greater than 0"},
    {14, "sync_period 0s: must be greater than 0"},
    {19, "scrape config \"files\": __path__ \"/var/log/[a.log\" cannot be read: a [ has no ]"},
    {19, "scrape config \"files\": __path_exclude__ \"/var/{log\" cannot be read: a { has no }"},
    {21, "listen_address \"0.0.0.0:70000\": the port must be 0 to 65535"},
    {21, "idle_timeout -5s: must not be negative"},
    {21, "max_message_length -1: must not be negative"},
    {23, "listen_address \"12201\": the port is missing, wanted is host:port or :port"},
    {25, "http_listen_address \"1.2.3\": not an IPv4 address"},
    {25, "http_listen_port -1: must be 0 to 65535"},
    {27, "refresh_interval 0s: must be greater than 0"},
};

TEST_CASE("a check names values that cannot be meant, with what is allowed") {
  const ConfigFile file(kSenseless);
  const auto loaded = load_with_problems(flags_of({"-config.file=" + file.path}));
  REQUIRE(loaded);
  const SyntaxReport report = check_loaded(*loaded);
  CHECK(report.problems.size() == std::size(kSenselessFaults));
  for (std::size_t i = 0; i < std::min(report.problems.size(), std::size(kSenselessFaults)); ++i) {
    CAPTURE(report.problems[i].text);
    CHECK(report.problems[i].line == kSenselessFaults[i].line);
    CHECK(report.problems[i].text.starts_with(kSenselessFaults[i].start));
  }
  REQUIRE(report.warnings.size() == 4);
  CHECK(report.warnings[0].starts_with("line 8: batchsize 0: each line is sent in a request of its own"));
  CHECK(report.warnings[1].starts_with("line 11: external_labels \"data-center\": servers take no such name"));
  CHECK(report.warnings[2].starts_with("line 12: readline_rate_enabled: with a readline_rate"));
  CHECK(report.warnings[3].starts_with("scrape config \"files\" (line 16): static_configs[0] has no label __path__"));
  CHECK_FALSE(load_config(flags_of({"-config.file=" + file.path})));
}

TEST_CASE("a job of which only the labels and stages are used needs no path") {
  const ConfigFile file("clients: [{url: http://h/p}]\nscrape_configs:\n- job_name: in\n"
                        "  static_configs: [{labels: {job: x}}]\n");
  for (const bool from_stdin : {false, true}) {
    CAPTURE(from_stdin);
    std::vector<std::string> flags = {"-config.file=" + file.path};
    if (from_stdin) flags.emplace_back("-stdin");
    const auto loaded = load_with_problems(flags_of(flags));
    REQUIRE(loaded);
    const SyntaxReport report = check_loaded(*loaded);
    CHECK(report.warnings.empty() == from_stdin);
  }
}

TEST_CASE("a check knows the names of the agent's own metrics") {
  constexpr const char* kTaken =
      "clients: [{url: 'http://h/p'}]\n"
      "scrape_configs:\n"
      "- job_name: a\n"
      "  static_configs: [{labels: {__path__: /x}}]\n"
      "  pipeline_stages:\n"
      "  - metrics: {request_duration_seconds: {type: Counter, prefix: promtail_, config: {match_all: true, action: inc}}}\n"
      "  - metrics: {request_duration_seconds: {type: Histogram, prefix: promtail_, config: {}}}\n";
  const ConfigFile file(kTaken);
  const auto loaded = load_with_problems(flags_of({"-config.file=" + file.path}));
  REQUIRE(loaded);
  const SyntaxReport report = check_loaded(*loaded);
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].line == 6);
  CHECK(report.problems[0].text.find("promtail_request_duration_seconds is a histogram of the agent itself") !=
        std::string::npos);
  REQUIRE(!report.warnings.empty());
  CHECK(report.warnings.back().find("has the name of a metric of the agent itself") != std::string::npos);
}

TEST_CASE("the exit code of a check tells whether anything is wrong") {
  constexpr const char* kGood =
      "clients: [{url: 'http://h/p'}]\nscrape_configs: [{job_name: a, static_configs: [{labels: {__path__: /x}}]}]\n";
  constexpr const char* kBadStage =
      "clients: [{url: 'http://h/p'}]\n"
      "scrape_configs: [{job_name: a, static_configs: [{labels: {__path__: /x}}], pipeline_stages: [{nope: {}}]}]\n";
  CHECK(exit_code("-check-syntax", kGood) == 0);
  CHECK(exit_code("-check-syntax", kBadStage) == 1);
  CHECK(exit_code("-check-syntax=parse-only", kBadStage) == 0);
  CHECK(exit_code("-check-syntax=parse-only", "clints: []\n") == 1);
  CHECK(exit_code("-check-syntax", "a: [") == 1);
  CHECK(run_check_syntax(flags_of({"-check-syntax"})) == 1);
  CHECK(run_check_syntax(flags_of({"-check-syntax", "-config.file=/nowhere"})) == 1);
}

}  // namespace kvasir::agent
