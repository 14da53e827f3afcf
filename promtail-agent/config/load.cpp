#include "promtail-agent/config/load.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <set>

#include "common/env_expand.h"
#include "common/filesystem.h"
#include "promtail-agent/config/blocks.h"
#include "promtail-agent/config/check_http.h"
#include "promtail-agent/config/field_printer.h"
#include "promtail-agent/config/field_reader.h"

namespace kvasir::agent {

namespace {

inline constexpr std::uint64_t kConfigBytesMax = 16 << 20;

/// A file that speaks of a spool means one.
void choose_spool_default(const YamlNode& root, SpoolConfig& spool) {
  const YamlNode* block = root.find("spool");
  if (block != nullptr && !block->is_null()) spool.mode = SpoolConfig::Mode::kAlways;
}

void resolve_spool(Config& config) {
  SpoolConfig& spool = config.spool;
  if (config.wal.enabled) {
    if (!spool.chosen) spool.mode = SpoolConfig::Mode::kAlways;
    spool.chosen = true;
    if (spool.directory.empty()) spool.directory = config.wal.directory;
  }
  if (!spool.enabled) spool.mode = SpoolConfig::Mode::kOff;
}

/// The first six hex digits of a hash: over where the client sends to, so that what is spooled for it is found under
/// other settings too; over everything where several unnamed clients send to one place.
std::string derived_name(const ClientConfig& client, const std::vector<ClientConfig>& all) {
  const auto same_place = [&](const ClientConfig& other) {
    return other.name.empty() && other.url == client.url && other.tenant_id == client.tenant_id;
  };
  const bool alone = std::count_if(all.begin(), all.end(), same_place) == 1;
  const std::string text = alone ? client.url + "\n" + client.tenant_id : client_identity(client);
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
  }
  std::vector<std::string> names;
  for (const ClientConfig& client : config.clients) {
    names.push_back(client.name.empty() ? derived_name(client, config.clients) : client.name);
  }
  for (std::size_t i = 0; i < names.size(); ++i) config.clients[i].name = names[i];
}

/// The first of the files that exists. Errors: not_found.
Result<std::string> find_config_file(const Flags& flags) {
  std::string_view rest = flags.config_files;
  std::string last;
  while (!rest.empty()) {
    last = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), last.size() + 1));
    KVASIR_TRY(const auto status, posix_filesystem().status(last));
    if (status) return last;
  }
  return fail(ErrorCode::kNotFound, fmt::format("{} does not exist, set config.file for custom config path", last));
}

/// What Promtail says behind a file it cannot read; a question keeps its own mark.
std::string with_expand_hint(const std::string& message) {
  return message + (message.ends_with('?') ? "" : ".") +
         " Use `-config.expand-env=true` flag if you want to expand environment variables in your config file";
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

Result<void> check_discoveries(const ScrapeConfig& scrape) {
  for (const auto& sd : scrape.http_sd) KVASIR_CHECK_OK(check_http_config(sd.http));
  for (const auto& sd : scrape.kubernetes_sd) KVASIR_CHECK_OK(check_http_config(sd.http));
  for (const auto& sd : scrape.docker_sd) KVASIR_CHECK_OK(check_http_config(sd.http));
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
  choose_spool_default(root, config.spool);
  ConfigFile file{config, legacy};
  YamlProblems problems;
  FieldReader reader(&root, "config.plain", problems);
  describe_config(reader, file);
  reader.finish();
  if (!problems.empty()) return fail(problems.to_error());
  resolve_spool(config);
  ClientConfig unused;
  apply_flags(flags, config, unused);
  config.stdin_target = config.stdin_target || flags.stdin_target;
  finish_clients(config, std::move(legacy), flags);
  if (!config.spool.chosen && config.clients.size() > 1) config.spool.mode = SpoolConfig::Mode::kOverflow;
  return config;
}

Result<Config> load_config(const Flags& flags) {
  if (flags.config_files.empty()) return parse_config("", flags);
  KVASIR_TRY(const std::string path, find_config_file(flags));
  KVASIR_TRY(std::string text, posix_filesystem().read_all(path, kConfigBytesMax));
  if (flags.expand_env) {
    auto expanded = expand_env(text, process_environment());
    if (!expanded) return fail(expanded.error().with_context(path));
    text = std::move(*expanded);
  }
  auto config = parse_config(text, flags);
  if (config) return config;
  const Error error = config.error().with_context(path);
  return fail(error.code(), flags.expand_env ? error.message() : with_expand_hint(error.message()));
}

namespace {

Result<void> check_listener(const ServerConfig& server) {
  const bool cert = !server.tls_cert.empty() || !server.tls_cert_file.empty();
  const bool key = !server.tls_key.empty() || !server.tls_key_file.empty();
  if (cert == key) return {};
  return fail(ErrorCode::kInvalidArgument, "http_tls_config needs both cert_file and key_file");
}

}  // namespace

Result<void> check_config(const Config& config) {
  KVASIR_CHECK_OK(check_clients(config));
  std::set<std::string> names;
  for (const ScrapeConfig& scrape : config.scrape_configs) {
    KVASIR_CHECK_OK(check_scrape(scrape, names));
    KVASIR_CHECK_OK(check_discoveries(scrape));
  }
  if (config.poll_min <= Duration(0) || config.poll_max <= Duration(0)) {
    return fail(ErrorCode::kInvalidArgument, "MinPollFrequency and MaxPollFrequency must be greater than 0");
  }
  if (config.poll_max < config.poll_min) {
    return fail(ErrorCode::kInvalidArgument, "MaxPollFrequency must be larger than MinPollFrequency");
  }
  KVASIR_CHECK_OK(check_listener(config.server));
  for (const ScrapeConfig& scrape : config.scrape_configs) KVASIR_CHECK_OK(check_listener(scrape.push.server));
  return {};
}

std::string print_client(const ClientConfig& client) {
  ClientConfig shown = client;
  FieldPrinter printer(Secrets::kHidden);
  describe_client(printer, shown);
  return printer.yaml_text();
}

std::string client_identity(const ClientConfig& client) {
  ClientConfig shown = client;
  FieldPrinter printer(Secrets::kShown);
  describe_client(printer, shown);
  return printer.yaml_text();
}

std::string print_config(const Config& config) {
  Config shown = config;
  ClientConfig none;
  ConfigFile file{shown, none};
  FieldPrinter printer(Secrets::kHidden);
  describe_config(printer, file);
  return printer.yaml_text();
}

}  // namespace kvasir::agent
