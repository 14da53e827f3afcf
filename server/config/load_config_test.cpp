#include "server/config/load_config.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <fstream>
#include <map>

#include "common/filesystem.h"
#include "server/tenant_settings_store.h"

using namespace kvasir;
using namespace kvasir::server;

namespace {

/// A file that is gone at the end of the test.
struct TempFile {
  explicit TempFile(const std::string& text) : path(std::tmpnam(nullptr)) { write(text); }
  ~TempFile() { std::remove(path.c_str()); }
  void write(const std::string& text) const { std::ofstream(path) << text; }
  std::string path;
};

EnvSource environment(std::map<std::string, std::string> values = {}) {
  EnvSource source = process_environment();
  source.variable = [values](const std::string& name) -> std::optional<std::string> {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
  return source;
}

std::unique_ptr<LoadedConfig> load(std::vector<std::string> arguments, const EnvSource& source) {
  auto line = parse_command_line(arguments);
  REQUIRE(line.has_value());
  auto loaded = load_config(*line, source);
  REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error().message()));
  return std::move(*loaded);
}

}  // namespace

TEST_CASE("without a file the server is private and without tenants") {
  const auto loaded = load({}, environment());
  CHECK(loaded->file.empty());
  CHECK_FALSE(loaded->config.auth_enabled);
  CHECK(loaded->config.http.listen_address == "127.0.0.1");
  CHECK(loaded->config.http.listen_port == 3100);
  CHECK(data_folders(loaded->config, environment()).root == "kvasir-data");
  CHECK(data_folders(loaded->config, environment({{"XDG_STATE_HOME", "/s"}})).wal == "/s/kvasir/wal");
}

TEST_CASE("file, environment and flags, in that order") {
  const TempFile file(
      "server: {http_listen_port: ${PORT:-3100}, http_path_prefix: /loki/}\n"
      "common: {path_prefix: /data, storage: {filesystem: {chunks_directory: /data/c, rules_directory: /data/r}}}\n"
      "limits_config: {max_query_length: 2h, retention_stream: [{selector: '{a=\"b\"}', priority: 1, period: 48h}]}\n"
      "schema_config: {configs: [{from: 2020-10-24, store: tsdb}]}\nquery_range: {cache_results: false}\n"
      "pattern_ingester: {enabled: true, lifecycler: {final_sleep: 0s}}\n");
  const auto source = environment({{"PORT", "4000"}});
  const auto loaded = load({"-config.file=" + file.path, "-config.expand-env=true", "--querier.max-query-series=7",
                            "-server.http-path-prefix", "/x", "-querier.max-outstanding-requests-per-tenant", "5"},
                           source);
  CHECK(loaded->notes.warnings.empty());
  CHECK(loaded->config.auth_enabled);
  CHECK(loaded->config.http.listen_port == 4000);
  CHECK(loaded->config.http.listen_address.empty());
  CHECK(loaded->config.http.path_prefix == "/x");
  CHECK(loaded->config.pattern_ingester_enabled);
  CHECK(loaded->config.limits.query.max_query_length == std::chrono::hours(2));
  CHECK(loaded->config.limits.query.max_query_series == 7);
  REQUIRE(loaded->config.limits.retention.retention_stream.size() == 1);
  CHECK(loaded->config.limits.retention.retention_stream[0].matchers.size() == 1);
  const auto folders = data_folders(loaded->config, source);
  CHECK(folders.root == "/data");
  CHECK(folders.segments == "/data/c");
  CHECK(folders.rules == "/data/r");
  CHECK(folders.wal == "/data/wal");
}

TEST_CASE("bad command lines") {
  const auto f = [](std::vector<std::string> arguments, const char* want) {
    const auto got = parse_command_line(arguments);
    REQUIRE(!got.has_value());
    CHECK(got.error().message() == want);
  };
  f({"-no-such-flag"}, "flag provided but not defined: -no-such-flag");
  f({"stray"}, "unexpected argument: stray");
  f({"-config.file"}, "flag needs an argument: -config.file");
  f({"-verify-config=perhaps"}, "invalid boolean value \"perhaps\" for -verify-config");
}

TEST_CASE("bad files say where") {
  const auto f = [](const std::string& text, const std::string& want) {
    const TempFile file(text);
    const std::vector<std::string> arguments = {"-config.file=" + file.path, "-config.expand-env"};
    const auto got = load_config(*parse_command_line(arguments), environment());
    REQUIRE(!got.has_value());
    CHECK(got.error().message() == file.path + ": " + want);
  };
  f("a: [", "yaml: line 1: end of sequence flow not found");
  f("limits_config:\n  max_query_length: x\n", "line 2: limits_config.max_query_length: cannot read \"x\" as duration");
  f("limits_config: {retention_stream: [{selector: '{a=\"b\"}', period: 1h}]}\n",
    "line 1: limits_config.retention_stream: retention period must be >= 24h was 1h");
  const auto got =
      load_config(*parse_command_line(std::vector<std::string>{"-config.file=/no/such,/other"}), environment());
  CHECK(got.error().message() == "/no/such,/other does not exist, set config.file for custom config path");
}

TEST_CASE("credentials need a secret each") {
  const TempFile file(
      "kvasir: {auth: {required: true, credentials: [{name: g, token: t, role: read, tenants: [a, b]}]}}\n");
  const auto loaded = load({"-config.file", file.path}, environment());
  REQUIRE(loaded->config.kvasir.credentials.size() == 1);
  CHECK(loaded->config.kvasir.credentials[0].tenants == std::vector<std::string>{"a", "b"});
  const std::string shown = print_yaml(settings(loaded->config));
  CHECK(shown.find("token: t") == std::string::npos);
  const TempFile broken("kvasir: {auth: {credentials: [{name: g}]}}\n");
  const auto got =
      load_config(*parse_command_line(std::vector<std::string>{"-config.file=" + broken.path}), environment());
  CHECK_FALSE(got.has_value());
}

TEST_CASE("overrides are read per tenant, and again") {
  const TempFile file("overrides:\n  a: {max_query_series: 5, split_queries_by_interval: 0}\n  b: {}\n");
  TenantSettings defaults;
  defaults.query.max_entries_limit_per_query = 77;
  TenantSettingsStore store(defaults, {file.path}, process_environment());
  std::vector<std::string> warnings;
  REQUIRE(*store.reload(warnings));
  CHECK(warnings.empty());
  CHECK(store.of("a")->query.max_query_series == 5);
  CHECK(store.of("a")->query.max_entries_limit_per_query == 77);
  CHECK(store.of("b")->query.max_query_series == 500);
  CHECK(store.of("none")->query.max_query_series == 500);
  CHECK_FALSE(*store.reload(warnings));
  file.write("overrides:\n  a: {max_query_series: x}\n");
  const auto held = store.of("a");
  CHECK_FALSE(store.reload(warnings).has_value());
  CHECK(store.of("a") == held);
  file.write("overrides:\n  a: {max_query_serie: 6}\n");
  REQUIRE(*store.reload(warnings));
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("did you mean \"max_query_series\"?") != std::string::npos);
}
