#include "promtail-agent/config/load.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <set>

#include "common/env_expand.h"
#include "common/filesystem.h"
#include "common/net/http_client.h"
#include "promtail-agent/config/http_config.h"
#include "promtail-agent/config/scrape_config.h"
#include "promtail-agent/config/yaml_fields.h"

namespace kvasir::agent {

namespace {

inline constexpr std::uint64_t kConfigBytesMax = 16 << 20;

void read_client(const YamlNode& node, YamlProblems& problems, ClientConfig& out) {
  YamlFields fields(&node, "client.Config", problems);
  fields.read("name", out.name);
  fields.read("url", out.url);
  fields.read("tenant_id", out.tenant_id);
  fields.read_duration("batchwait", out.batch_wait);
  std::int64_t batch_bytes = static_cast<std::int64_t>(out.batch_bytes);
  fields.read("batchsize", batch_bytes);
  if (batch_bytes < 0) fields.problem("batchsize", "batchsize must not be negative");
  out.batch_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(batch_bytes, 0));
  fields.read_duration("timeout", out.timeout);
  YamlFields backoff(fields.node("backoff_config"), "backoff.Config", problems);
  backoff.read_duration("min_period", out.backoff.min_period);
  backoff.read_duration("max_period", out.backoff.max_period);
  backoff.read("max_retries", out.backoff.max_retries);
  backoff.finish();
  fields.read("drop_rate_limited_batches", out.drop_rate_limited_batches);
  fields.read("retry_auth_errors", out.retry_auth_errors);
  fields.read("external_labels", out.external_labels);
  fields.read("headers", out.headers);
  read_http_config(fields, out.http);
  if (auto parsed = net::parse_url(out.url); !out.url.empty() && !parsed) {
    fields.problem("url", fmt::format("parse \"{}\": {}", out.url, parsed.error().message()));
  }
  fields.finish();
}

void read_limits(const YamlNode* node, YamlProblems& problems, LimitsConfig& out) {
  YamlFields fields(node, "limit.Config", problems);
  fields.read("readline_rate", out.readline_rate);
  fields.read("readline_burst", out.readline_burst);
  fields.read("readline_rate_enabled", out.readline_rate_enabled);
  fields.read("readline_rate_drop", out.readline_rate_drop);
  fields.read("max_streams", out.max_streams);
  fields.read_bytes("max_line_size", out.max_line_size);
  fields.read("max_line_size_truncate", out.max_line_size_truncate);
  fields.finish();
}

void read_wal(const YamlNode* node, YamlProblems& problems, SpoolConfig& out) {
  YamlFields fields(node, "wal.Config", problems);
  bool enabled = false;
  fields.read("enabled", enabled);
  fields.read("dir", out.directory);
  fields.ignore({"cleanSegmentsOlderThan", "watchConfig"});
  fields.finish();
  if (!enabled) return;
  out.mode = SpoolConfig::Mode::kAlways;
  out.chosen = true;
}

void read_spool(const YamlNode* node, YamlProblems& problems, SpoolConfig& out) {
  if (node == nullptr) return;
  YamlFields fields(node, "spool.Config", problems);
  std::string mode = "always";
  std::string full = "block";
  bool enabled = true;
  fields.read("enabled", enabled);
  fields.read_word("mode", {"off", "overflow", "always"}, mode);
  fields.read_word("when_full", {"block", "drop_oldest"}, full);
  fields.read("directory", out.directory);
  fields.read_bytes("max_bytes", out.bytes_max);
  fields.read_bytes("memory_bytes", out.memory_bytes_max);
  fields.read("fsync", out.fsync);
  fields.finish();
  out.chosen = true;
  out.drop_oldest = full == "drop_oldest";
  out.mode = !enabled || mode == "off" ? SpoolConfig::Mode::kOff
             : mode == "overflow"      ? SpoolConfig::Mode::kOverflow
                                       : SpoolConfig::Mode::kAlways;
}

void read_small_blocks(YamlFields& top, Config& config) {
  YamlProblems& problems = top.problems();
  YamlFields global(top.node("global"), "config.GlobalConfig", problems);
  YamlFields watch(global.node("file_watch_config"), "file.WatchConfig", problems);
  watch.read_duration("min_poll_frequency", config.poll_min);
  watch.read_duration("max_poll_frequency", config.poll_max);
  watch.finish();
  global.read_duration("shutdown_timeout", config.shutdown_timeout);
  global.read_word("metrics_schema", {"auto", "strict", "simplified"}, config.metrics_schema);
  global.finish();
  YamlFields positions(top.node("positions"), "positions.Config", problems);
  positions.read("filename", config.positions.filename);
  positions.read_duration("sync_period", config.positions.sync_period);
  positions.read("ignore_invalid_yaml", config.positions.ignore_invalid_yaml);
  positions.finish();
  YamlFields target(top.node("target_config"), "file.Config", problems);
  target.read_duration("sync_period", config.sync_period);
  target.read("stdin", config.stdin_target);
  target.finish();
  YamlFields(top.node("options"), "config.Options", problems).finish();
  top.ignore({"tracing"});
}

/// The first six hex digits of a hash over everything that tells clients apart.
std::string derived_name(const ClientConfig& client) {
  const std::string text = print_client(client) + client.http.basic_auth.password + client.http.bearer_token;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
  return fmt::format("{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2]);
}

void finish_clients(Config& config, ClientConfig legacy, const Flags& flags) {
  StringMap shared = external_labels_of(flags);
  for (const auto& [name, value] : legacy.external_labels) shared[name] = value;
  if (!legacy.url.empty()) {
    config.warnings.emplace_back("the client block and the -client flags are deprecated, use clients");
    config.clients.push_back(std::move(legacy));
  }
  for (ClientConfig& client : config.clients) {
    for (const auto& [name, value] : shared) client.external_labels.emplace(name, value);
    if (client.name.empty()) client.name = derived_name(client);
  }
}

Result<std::string> read_config_file(const Flags& flags) {
  std::string_view rest = flags.config_files;
  std::string last;
  while (!rest.empty()) {
    const std::string path(rest.substr(0, rest.find(',')));
    rest.remove_prefix(std::min(rest.size(), path.size() + 1));
    last = path;
    KVASIR_TRY(const auto status, posix_filesystem().status(path));
    if (status) return posix_filesystem().read_all(path, kConfigBytesMax);
  }
  return fail(ErrorCode::kNotFound, fmt::format("{} does not exist, set config.file for custom config path", last));
}

Result<void> check_scrape(const ScrapeConfig& scrape, std::set<std::string>& names) {
  if (scrape.job_name.empty()) return fail(ErrorCode::kInvalidArgument, "job_name is empty");
  if (!names.insert(scrape.job_name).second) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("found multiple scrape configs with job name \"{}\"", scrape.job_name));
  }
  const bool any = scrape.has_file_discovery() || scrape.journal.set || scrape.syslog.set || scrape.gelf.set ||
                   scrape.push.set || !scrape.docker_sd.empty() || !scrape.unsupported.empty();
  if (!any) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("no valid target scrape config defined for \"{}\"", scrape.job_name));
  }
  return {};
}

Result<void> check_clients(const Config& config) {
  if (config.clients.empty()) return fail(ErrorCode::kInvalidArgument, "at least one client config must be provided");
  std::set<std::string> names;
  for (const ClientConfig& client : config.clients) {
    if (client.url.empty()) return fail(ErrorCode::kInvalidArgument, "client needs target URL");
    if (!names.insert(client.name).second) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("duplicate client configs are not allowed, found duplicate for name: {}", client.name));
    }
    KVASIR_CHECK_OK(check_http_config(client.http));
  }
  return {};
}

}  // namespace

Result<Config> parse_config(std::string_view text, const Flags& flags) {
  Config config;
  ClientConfig legacy;
  apply_flags(flags, config, legacy);
  config.source_text = text;
  KVASIR_TRY(const YamlNode root, parse_yaml(text));
  YamlProblems problems;
  YamlFields top(&root, "config.plain", problems);
  read_server_config(top.node("server"), problems, config.server);
  if (const YamlNode* node = top.node("client")) read_client(*node, problems, legacy);
  top.each("clients", [&](const YamlNode& node) { read_client(node, problems, config.clients.emplace_back()); });
  top.each("scrape_configs", [&](const YamlNode& node) {
    config.scrape_configs.push_back(read_scrape_config(node, problems));
  });
  read_limits(top.node("limits_config"), problems, config.limits);
  read_wal(top.node("wal"), problems, config.spool);
  read_spool(top.node("spool"), problems, config.spool);
  read_small_blocks(top, config);
  top.finish();
  if (!problems.empty()) return fail(problems.to_error());
  ClientConfig unused;
  apply_flags(flags, config, unused);
  config.stdin_target = config.stdin_target || flags.stdin_target;
  finish_clients(config, std::move(legacy), flags);
  if (!config.spool.chosen && config.clients.size() > 1) config.spool.mode = SpoolConfig::Mode::kOverflow;
  return config;
}

Result<Config> load_config(const Flags& flags) {
  std::string text;
  if (!flags.config_files.empty()) {
    KVASIR_TRY(text, read_config_file(flags));
    if (flags.expand_env) {
      KVASIR_TRY(text, expand_env(text, process_environment()));
    }
  }
  auto config = parse_config(text, flags);
  if (!config && !flags.expand_env && !flags.config_files.empty()) {
    return fail(
        config.error().code(),
        config.error().message() +
            ". Use `-config.expand-env=true` flag if you want to expand environment variables in your config file");
  }
  return config;
}

Result<void> check_config(const Config& config) {
  KVASIR_CHECK_OK(check_clients(config));
  std::set<std::string> names;
  for (const ScrapeConfig& scrape : config.scrape_configs) KVASIR_CHECK_OK(check_scrape(scrape, names));
  if (config.poll_min <= Duration(0) || config.poll_max <= Duration(0)) {
    return fail(ErrorCode::kInvalidArgument, "MinPollFrequency and MaxPollFrequency must be greater than 0");
  }
  if (config.poll_max < config.poll_min) {
    return fail(ErrorCode::kInvalidArgument, "MaxPollFrequency must be larger than MinPollFrequency");
  }
  if (config.server.tls_cert_file.empty() != config.server.tls_key_file.empty()) {
    return fail(ErrorCode::kInvalidArgument, "http_tls_config needs both cert_file and key_file");
  }
  return {};
}

}  // namespace kvasir::agent
