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

using Problems = std::vector<ConfigProblem>;

void check_http(const HttpConfig& http, int line, Problems& problems) {
  for (std::string& text : find_http_problems(http)) problems.push_back({line, std::move(text)});
}

void check_scrape(const ScrapeConfig& scrape, std::set<std::string>& names, Problems& problems) {
  const auto add = [&](std::string text) { problems.push_back({scrape.line, std::move(text)}); };
  if (scrape.job_name.empty()) {
    add("job_name is empty");
  } else if (!names.insert(scrape.job_name).second) {
    add(fmt::format("found multiple scrape configs with job name \"{}\"", scrape.job_name));
  }
  const bool any = scrape.has_file_discovery() || scrape.journal.set || scrape.syslog.set || scrape.gelf.set ||
                   scrape.push.set || !scrape.docker_sd.empty() || !scrape.unsupported.empty();
  if (!any) add(fmt::format("no valid target scrape config defined for \"{}\"", scrape.job_name));
  for (const auto& sd : scrape.http_sd) check_http(sd.http, scrape.line, problems);
  for (const auto& sd : scrape.kubernetes_sd) check_http(sd.http, scrape.line, problems);
  for (const auto& sd : scrape.docker_sd) check_http(sd.http, scrape.line, problems);
}

void check_clients(const Config& config, Problems& problems) {
  if (config.clients.empty()) problems.push_back({0, "at least one client config must be provided"});
  std::set<std::string> names;
  for (const ClientConfig& client : config.clients) {
    const auto add = [&](std::string text) { problems.push_back({client.line, std::move(text)}); };
    if (client.url.empty()) add("client needs target URL");
    if (!names.insert(client.name).second) {
      add(fmt::format("duplicate client configs are not allowed, found duplicate for name: {}", client.name));
    }
    check_http(client.http, client.line, problems);
  }
}

void check_polling(const Config& config, Problems& problems) {
  if (config.poll_min <= Duration(0) || config.poll_max <= Duration(0)) {
    problems.push_back({config.poll_line, "MinPollFrequency and MaxPollFrequency must be greater than 0"});
  } else if (config.poll_max < config.poll_min) {
    problems.push_back({config.poll_line, "MaxPollFrequency must be larger than MinPollFrequency"});
  }
}

void check_listener(const ServerConfig& server, Problems& problems) {
  const bool cert = !server.tls_cert.empty() || !server.tls_cert_file.empty();
  const bool key = !server.tls_key.empty() || !server.tls_key_file.empty();
  if (cert != key) problems.push_back({server.line, "http_tls_config needs both cert_file and key_file"});
}

}  // namespace

Result<Config> parse_config(std::string_view text, const Flags& flags, YamlProblems& problems) {
  Config config;
  ClientConfig legacy;
  apply_flags(flags, config, legacy);
  config.source_text = text;
  KVASIR_TRY(const YamlNode root, parse_yaml(text));
  choose_spool_default(root, config.spool);
  ConfigFile file{config, legacy};
  FieldReader reader(&root, "config.plain", problems);
  describe_config(reader, file);
  reader.finish();
  resolve_spool(config);
  ClientConfig unused;
  apply_flags(flags, config, unused);
  config.stdin_target = config.stdin_target || flags.stdin_target;
  finish_clients(config, std::move(legacy), flags);
  for (const auto& [line, text] : problems.advice())
    config.warnings.push_back(line > 0 ? fmt::format("line {}: {}", line, text) : text);
  if (!config.spool.chosen && config.clients.size() > 1) config.spool.mode = SpoolConfig::Mode::kOverflow;
  return config;
}

Result<Config> parse_config(std::string_view text, const Flags& flags) {
  YamlProblems problems;
  KVASIR_TRY(Config config, parse_config(text, flags, problems));
  if (!problems.empty()) return fail(problems.to_error());
  return config;
}

namespace {

struct ConfigText {
  std::string path;
  std::string text;
};

/// The file's text, expanded if the flags say so. No file: an empty text.
Result<ConfigText> read_config_text(const Flags& flags) {
  ConfigText out;
  if (flags.config_files.empty()) return out;
  KVASIR_TRY(out.path, find_config_file(flags));
  KVASIR_TRY(out.text, posix_filesystem().read_all(out.path, kConfigBytesMax));
  if (!flags.expand_env) return out;
  auto expanded = expand_env(out.text, process_environment());
  if (!expanded) return fail(expanded.error().with_context(out.path));
  out.text = std::move(*expanded);
  return out;
}

/// What users read when a file cannot be read.
Error with_file(const Error& error, const std::string& path, const Flags& flags) {
  const Error placed = path.empty() ? error : error.with_context(path);
  return Error(error.code(), flags.expand_env ? placed.message() : with_expand_hint(placed.message()));
}

}  // namespace

Result<Config> load_config(const Flags& flags) {
  KVASIR_TRY(const ConfigText file, read_config_text(flags));
  auto config = parse_config(file.text, flags);
  if (config || file.path.empty()) return config;
  return fail(with_file(config.error(), file.path, flags));
}

std::string unmarshal_words(const std::string& path, const Flags& flags) {
  const std::string words = path + ": yaml: unmarshal errors";
  return flags.expand_env ? words : with_expand_hint(words);
}

Result<LoadedConfig> load_with_problems(const Flags& flags) {
  KVASIR_TRY(const ConfigText file, read_config_text(flags));
  YamlProblems problems;
  auto config = parse_config(file.text, flags, problems);
  if (!config) return fail(with_file(config.error(), file.path, flags));
  LoadedConfig out{file.path, std::move(*config), {}};
  for (const auto& [line, text] : problems.all()) out.problems.push_back({line, text});
  return out;
}

std::vector<ConfigProblem> find_config_problems(const Config& config) {
  Problems problems;
  check_clients(config, problems);
  std::set<std::string> names;
  for (const ScrapeConfig& scrape : config.scrape_configs) check_scrape(scrape, names, problems);
  check_polling(config, problems);
  check_listener(config.server, problems);
  for (const ScrapeConfig& scrape : config.scrape_configs) check_listener(scrape.push.server, problems);
  return problems;
}

Result<void> check_config(const Config& config) {
  const auto problems = find_config_problems(config);
  if (problems.empty()) return {};
  return fail(ErrorCode::kInvalidArgument, problems.front().text);
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
