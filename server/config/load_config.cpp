#include "server/config/load_config.h"

#include <algorithm>

#include "common/filesystem.h"
#include "common/log.h"

namespace kvasir::server {
namespace {

Unexpected bad(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

std::vector<std::string> candidates_of(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    if (comma > at) out.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

bool* switch_of(CommandLine& line, std::string_view name) {
  if (name == "config.expand-env") return &line.expand_env;
  if (name == "verify-config") return &line.verify_only;
  if (name == "print-config-stderr") return &line.print_config;
  if (name == "version") return &line.version;
  if (name == "help" || name == "h") return &line.help;
  if (name == "list-targets") return &line.list_targets;
  if (name == "health") return &line.health;
  return nullptr;
}

const Setting* find_flag(std::span<const Setting> table, std::string_view name) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const Setting& s) { return flag_name(s) == name; });
  return found == table.end() ? nullptr : &*found;
}

Result<void> read_switch(bool* out, const std::string& name, const std::string& value, bool has_value) {
  if (has_value && value != "true" && value != "false") {
    return bad("invalid boolean value \"" + value + "\" for -" + name);
  }
  *out = !has_value || value == "true";
  return {};
}

Result<std::string> pick_file(const CommandLine& line, Filesystem& filesystem) {
  std::string names;
  for (const auto& candidate : line.config_files) {
    KVASIR_TRY(const auto status, filesystem.status(candidate));
    if (status && !status->is_directory) return candidate;
    names += (names.empty() ? "" : ",") + candidate;
  }
  if (!line.config_file_given) return std::string();
  return fail(ErrorCode::kNotFound, names + " does not exist, set config.file for custom config path");
}

Result<void> read_file(LoadedConfig& loaded, const CommandLine& line, const EnvSource& environment) {
  KVASIR_TRY(std::string text, environment.file(loaded.file));
  if (line.expand_env) {
    KVASIR_TRY(text, expand_env(text, environment));
  }
  auto root = parse_yaml(text);
  const std::string hint =
      line.expand_env
          ? ""
          : ". Use `-config.expand-env=true` flag if you want to expand environment variables in your config file";
  if (!root) return fail(root.error().code(), loaded.file + ": " + root.error().message() + hint);
  const auto table = settings(loaded.config);
  auto read = read_settings(*root, "", table, ignored_keys(), loaded.notes);
  if (!read) return fail(read.error().code(), loaded.file + ": " + read.error().message() + hint);
  return {};
}

Result<void> finish(ServerConfig& config) {
  const auto& sync = config.ingester.wal_sync;
  if (sync != "group" && sync != "interval" && sync != "never")
    return bad("ingester.wal.sync must be group, interval or never");
  if (config.http.log_format != "logfmt" && config.http.log_format != "json") {
    return bad("server.log_format must be logfmt or json");
  }
  const auto& mode = config.limits.retention.deletion_mode;
  if (mode != "disabled" && mode != "filter-only" && mode != "filter-and-delete") {
    return bad("limits_config.deletion_mode must be disabled, filter-only or filter-and-delete");
  }
  const auto& auth = config.http.tls_client_auth_type;
  auto& tls = config.http.tls;
  if (auth == "RequireAndVerifyClientCert" || auth == "RequireAnyClientCert") {
    tls.client_auth = net::TlsClientAuth::kRequireAndVerify;
  } else if (auth == "RequestClientCert" || auth == "VerifyClientCertIfGiven") {
    tls.client_auth = net::TlsClientAuth::kRequest;
  } else if (!auth.empty() && auth != "NoClientCert") {
    return bad("server.http_tls_config.client_auth_type: unknown type \"" + auth + "\"");
  }
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    return bad("server.http_tls_config needs both cert_file and key_file");
  }
  if (config.kvasir.client_certificate_is_enough && tls.client_ca_file.empty()) {
    return bad("kvasir.auth.client_certificate_is_enough needs server.http_tls_config.client_ca_file");
  }
  auto& prefix = config.http.path_prefix;
  while (prefix.ends_with('/')) prefix.pop_back();
  if (!prefix.empty() && !prefix.starts_with('/')) prefix.insert(0, "/");
  return {};
}

}  // namespace

Result<CommandLine> parse_command_line(std::span<const std::string> arguments) {
  CommandLine line;
  line.config_files = {"config.yaml", "config/config.yaml"};
  ServerConfig probe;
  const auto table = settings(probe);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view text = arguments[i];
    if (!text.starts_with('-') || text == "-") return bad("unexpected argument: " + std::string(text));
    text.remove_prefix(text.starts_with("--") ? 2 : 1);
    const std::size_t equals = text.find('=');
    const std::string name(text.substr(0, equals));
    const bool has_value = equals != std::string_view::npos;
    std::string value(has_value ? text.substr(equals + 1) : std::string_view());
    if (bool* target = switch_of(line, name)) {
      KVASIR_CHECK_OK(read_switch(target, name, value, has_value));
      continue;
    }
    const Setting* setting = find_flag(table, name);
    if (setting == nullptr && name != "config.file" && name != "health.url")
      return bad("flag provided but not defined: -" + name);
    const bool is_bool = setting != nullptr && std::holds_alternative<bool*>(setting->target);
    if (!has_value && is_bool) {
      value = "true";
    } else if (!has_value) {
      if (++i == arguments.size()) return bad("flag needs an argument: -" + name);
      value = arguments[i];
    }
    if (name == "config.file") {
      line.config_files = candidates_of(value);
      line.config_file_given = true;
    } else if (name == "health.url") {
      line.health_url = value;
    } else {
      line.settings.emplace_back(name, value);
    }
  }
  return line;
}

Result<std::unique_ptr<LoadedConfig>> load_config(const CommandLine& line, const EnvSource& environment) {
  auto loaded = std::make_unique<LoadedConfig>();
  KVASIR_TRY(loaded->file, pick_file(line, posix_filesystem()));
  if (loaded->file.empty()) {
    loaded->config.auth_enabled = false;
  } else {
    loaded->config.http.listen_address.clear();
    KVASIR_CHECK_OK(read_file(*loaded, line, environment));
  }
  const auto table = settings(loaded->config);
  for (const auto& [name, value] : line.settings) {
    const Setting* setting = find_flag(table, name);
    auto set = set_from_text(*setting, value);
    if (!set) return bad("invalid value for flag -" + name + ": " + set.error().message());
    loaded->notes.given.insert(setting->path);
  }
  KVASIR_CHECK_OK(finish(loaded->config));
  return loaded;
}

DataFolders data_folders(const ServerConfig& config, const EnvSource& environment) {
  const auto& s = config.storage;
  const std::string& chunks = s.chunks_directory.empty() ? s.directory : s.chunks_directory;
  DataFolders folders;
  if (!s.path_prefix.empty()) {
    folders.root = s.path_prefix;
  } else if (!chunks.empty()) {
    folders.root = parent_directory(chunks);
  } else {
    const auto state = environment.variable("XDG_STATE_HOME").value_or("");
    folders.root = state.empty() ? "kvasir-data" : join_path(state, "kvasir");
  }
  folders.segments = chunks.empty() ? join_path(folders.root, "chunks") : chunks;
  folders.wal = config.ingester.wal_directory.empty() ? join_path(folders.root, "wal") : config.ingester.wal_directory;
  folders.rules = s.rules_directory;
  if (!config.ruler.local_directory.empty()) folders.rules = config.ruler.local_directory;
  if (folders.rules.empty()) folders.rules = join_path(folders.root, "rules");
  return folders;
}

std::string flags_text() {
  std::string out =
      "  -config.file string\n        YAML file; several candidates may be divided by commas\n"
      "  -config.expand-env\n        replace ${VAR} forms in the file\n"
      "  -verify-config\n        read and check the configuration, then end\n"
      "  -print-config-stderr\n        print the effective configuration\n"
      "  -health, -health.url string\n        ask a running server whether it is ready\n"
      "  -version, -list-targets, -help\n";
  ServerConfig defaults;
  for (const auto& setting : settings(defaults)) {
    out += "  -" + flag_name(setting) + " (default " + print_value(setting) + ")\n        " + setting.meaning + "\n";
  }
  return out;
}

}  // namespace kvasir::server
