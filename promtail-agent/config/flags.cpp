#include "promtail-agent/config/flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "common/nearest_word.h"
#include "common/number.h"
#include "promtail-agent/config/blocks.h"
#include "promtail-agent/config/field_setter.h"

namespace kvasir::agent {

namespace {

/// A flag stands for a field of the file, or is accepted without effect.
struct FlagSpec {
  std::string_view name;
  std::string_view path;  // "": no effect, or read elsewhere
  FieldType type = FieldType::kNone;  // where there is no path
};

constexpr FlagSpec kFlags[] = {
    {"target.sync-period", "target_config.sync_period"},
    {"positions.file", "positions.filename"},
    {"positions.sync-period", "positions.sync_period"},
    {"positions.ignore-invalid-yaml", "positions.ignore_invalid_yaml"},
    {"file-watch.min_poll_frequency", "global.file_watch_config.min_poll_frequency"},
    {"file-watch.max_poll_frequency", "global.file_watch_config.max_poll_frequency"},
    {"limit.readline-rate", "limits_config.readline_rate"},
    {"limit.readline-burst", "limits_config.readline_burst"},
    {"limit.readline-rate-enabled", "limits_config.readline_rate_enabled"},
    {"limit.readline-rate-drop", "limits_config.readline_rate_drop"},
    {"max-streams", "limits_config.max_streams"},
    {"max-line-size", "limits_config.max_line_size"},
    {"max-line-size-truncate", "limits_config.max_line_size_truncate"},
    {"client.url", "client.url"},
    {"client.batch-wait", "client.batchwait"},
    {"client.batch-size-bytes", "client.batchsize"},
    {"client.max-retries", "client.backoff_config.max_retries"},
    {"client.min-backoff", "client.backoff_config.min_period"},
    {"client.max-backoff", "client.backoff_config.max_period"},
    {"client.timeout", "client.timeout"},
    {"client.tenant-id", "client.tenant_id"},
    {"client.drop-rate-limited-batches", "client.drop_rate_limited_batches"},
    {"client.external-labels", "", FieldType::kText},
    {"log.level", "server.log_level"},
    {"log.format", "server.log_format"},
    {"tracing.enabled", "", FieldType::kFlag},
    {"server.disable", "server.disable"},
    {"server.profiling_enabled", "server.profiling_enabled"},
    {"server.enable-runtime-reload", "server.enable_runtime_reload"},
    {"server.http-listen-address", "server.http_listen_address"},
    {"server.http-listen-port", "server.http_listen_port"},
    {"server.http-conn-limit", "server.http_listen_conn_limit"},
    {"server.path-prefix", "server.http_path_prefix"},
    {"server.http-read-timeout", "server.http_server_read_timeout"},
    {"server.http-read-header-timeout", "server.http_server_read_header_timeout"},
    {"server.http-write-timeout", "server.http_server_write_timeout"},
    {"server.http-idle-timeout", "server.http_server_idle_timeout"},
    {"server.graceful-shutdown-timeout", "server.graceful_shutdown_timeout"},
    {"server.register-instrumentation", "server.register_instrumentation"},
    {"server.http-tls-cert-path", "server.http_tls_config.cert_file"},
    {"server.http-tls-key-path", "server.http_tls_config.key_file"},
    {"server.http-tls-ca-path", "server.http_tls_config.client_ca_file"},
    {"server.http-tls-client-auth", "server.http_tls_config.client_auth_type"},
    {"server.tls-cipher-suites", "server.tls_cipher_suites"},
    {"server.tls-min-version", "server.tls_min_version"},
    {"server.http-listen-network", "", FieldType::kText},
    {"server.grpc-listen-network", "", FieldType::kText},
    {"server.grpc-listen-address", "", FieldType::kText},
    {"server.grpc-listen-port", "", FieldType::kInteger},
    {"server.grpc-conn-limit", "", FieldType::kInteger},
    {"server.grpc-tls-cert-path", "", FieldType::kText},
    {"server.grpc-tls-key-path", "", FieldType::kText},
    {"server.grpc-tls-ca-path", "", FieldType::kText},
    {"server.grpc-tls-client-auth", "", FieldType::kText},
    {"server.grpc-max-recv-msg-size-bytes", "", FieldType::kInteger},
    {"server.grpc-max-send-msg-size-bytes", "", FieldType::kInteger},
    {"server.grpc-max-concurrent-streams", "", FieldType::kInteger},
    {"server.proxy-protocol-enabled", "", FieldType::kFlag},
    {"server.log-source-ips-enabled", "", FieldType::kFlag},
    {"server.log-source-ips-full", "", FieldType::kFlag},
    {"server.log-source-ips-header", "", FieldType::kText},
    {"server.log-source-ips-regex", "", FieldType::kText},
    {"server.log-request-headers", "", FieldType::kFlag},
    {"server.log-request-at-info-level-enabled", "", FieldType::kFlag},
    {"server.throughput.latency-cutoff", "", FieldType::kDuration},
    {"server.throughput.unit", "", FieldType::kText},
};

/// A switch that is no field of the file.
struct ModeSpec {
  std::string_view name;
  std::string_view meaning;
};

constexpr ModeSpec kModes[] = {
    {"config.file", "the file; several divided by commas: the first that exists"},
    {"config.expand-env", "replace ${VAR}, ${VAR:-default}, ${file:/path} in the file"},
    {"check-syntax", "read the file, build every pipeline, report all problems and end; parse-only: only read it"},
    {"dry-run", "print entries instead of sending them; final: as they would be sent"},
    {"inspect", "print what each stage changes"},
    {"stdin", "read standard input instead of the sources"},
    {"version", "print the version and end"},
    {"print-config-stderr", "print the configuration in force"},
    {"log-config-reverse-order", "log the configuration in force, last line first"},
    {"help", "print this and end"},
};

const FlagSpec* find_flag(std::string_view name) {
  const auto* found = std::find_if(std::begin(kFlags), std::end(kFlags), [&](const auto& f) { return f.name == name; });
  return found == std::end(kFlags) ? nullptr : found;
}

/// Walks one field of the file.
FieldSetter at_path(std::string_view path, std::optional<std::string> text, Config& config, ClientConfig& client) {
  FieldSetter field(path, std::move(text));
  ConfigFile file{config, client};
  describe_config(field, file);
  return field;
}

FieldSetter looked_at(std::string_view path, std::optional<std::string> text) {
  Config config;
  ClientConfig client;
  return at_path(path, std::move(text), config, client);
}

FieldType type_of(const FlagSpec& spec) { return spec.path.empty() ? spec.type : looked_at(spec.path, {}).type(); }

bool fits(const FlagSpec& spec, const std::string& text) {
  if (!spec.path.empty()) return looked_at(spec.path, text).fits();
  if (spec.type == FieldType::kFlag) return parse_go_bool(text).has_value();
  if (spec.type == FieldType::kInteger) return parse_int64(text).has_value();
  if (spec.type == FieldType::kDuration) return parse_go_duration(text).has_value();
  return true;
}

/// The switches that choose what the program does; nullptr for other names.
bool* mode_switch(Flags& flags, std::string_view name) {
  if (name == "config.expand-env") return &flags.expand_env;
  if (name == "inspect") return &flags.inspect;
  if (name == "stdin") return &flags.stdin_target;
  if (name == "version") return &flags.version;
  if (name == "help" || name == "h") return &flags.help;
  if (name == "print-config-stderr") return &flags.print_config;
  if (name == "log-config-reverse-order") return &flags.log_config_reverse;
  return nullptr;
}

Error bad_value(std::string_view name, std::string_view value) {
  return Error(ErrorCode::kInvalidArgument, fmt::format("invalid value \"{}\" for flag -{}: parse error", value, name));
}

/// Go's words, then the flag that was meant.
Error unknown_flag(std::string_view name) {
  std::vector<std::string> names;
  for (const FlagSpec& spec : kFlags) names.emplace_back(spec.name);
  for (const ModeSpec& mode : kModes) names.emplace_back(mode.name);
  std::string text = fmt::format("flag provided but not defined: -{}", name);
  if (const auto near = nearest_word(name, names)) text += fmt::format(" (did you mean -{}?)", *near);
  return Error(ErrorCode::kInvalidArgument, std::move(text));
}

bool is_switch(Flags& flags, std::string_view name) {
  if (name == "check-syntax" || name == "dry-run" || mode_switch(flags, name) != nullptr) return true;
  const FlagSpec* spec = find_flag(name);
  return spec != nullptr && type_of(*spec) == FieldType::kFlag;
}

Result<void> set_flag(Flags& flags, const std::string& name, const std::string& value) {
  if (name == "config.file") {
    flags.config_files = value;
    return {};
  }
  if (name == "check-syntax" && value == "parse-only") {
    flags.check_syntax = SyntaxCheck::kParseOnly;
    return {};
  }
  if (name == "dry-run" && value == "final") {
    flags.dry_run = DryRun::kFinal;
    return {};
  }
  const auto on = parse_go_bool(value);
  if (is_switch(flags, name) && !on) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("invalid boolean value \"{}\" for -{}: parse error", value, name));
  }
  if (name == "check-syntax") {
    flags.check_syntax = *on ? SyntaxCheck::kFull : SyntaxCheck::kNo;
  } else if (name == "dry-run") {
    flags.dry_run = *on ? DryRun::kEntries : DryRun::kNo;
  } else if (bool* mode = mode_switch(flags, name)) {
    *mode = *on;
  } else {
    const FlagSpec* spec = find_flag(name);
    if (spec == nullptr) return fail(unknown_flag(name));
    if (!fits(*spec, value)) return fail(bad_value(name, value));
    flags.values[name] = value;
  }
  return {};
}

}  // namespace

Result<Flags> parse_flags(std::span<const std::string> arguments) {
  Flags flags;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view word = arguments[i];
    if (word.size() < 2 || word[0] != '-' || word == "--") break;
    word.remove_prefix(word[1] == '-' ? 2 : 1);
    if (word.empty() || word[0] == '-' || word[0] == '=') {
      return fail(ErrorCode::kInvalidArgument, fmt::format("bad flag syntax: {}", arguments[i]));
    }
    const std::size_t equals = word.find('=');
    const std::string name(word.substr(0, equals));
    if (equals != std::string_view::npos) {
      KVASIR_CHECK_OK(set_flag(flags, name, std::string(word.substr(equals + 1))));
    } else if (is_switch(flags, name)) {
      KVASIR_CHECK_OK(set_flag(flags, name, "true"));
    } else if (find_flag(name) == nullptr && name != "config.file") {
      return fail(unknown_flag(name));
    } else if (i + 1 == arguments.size()) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("flag needs an argument: -{}", name));
    } else {
      KVASIR_CHECK_OK(set_flag(flags, name, arguments[++i]));
    }
  }
  return flags;
}

void apply_flags(const Flags& flags, Config& config, ClientConfig& client) {
  for (const auto& [name, value] : flags.values) {
    const FlagSpec* spec = find_flag(name);
    if (spec != nullptr && !spec->path.empty()) at_path(spec->path, value, config, client);
  }
}

StringMap external_labels_of(const Flags& flags) {
  StringMap labels;
  const auto found = flags.values.find("client.external-labels");
  if (found == flags.values.end()) return labels;
  std::string_view rest = found->second;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos) labels[std::string(pair.substr(0, equals))] = pair.substr(equals + 1);
  }
  return labels;
}

std::string flags_usage() {
  std::string text = "Usage of kvasir-agent:\n";
  for (const ModeSpec& mode : kModes) text += fmt::format("  -{}\n    \t{}\n", mode.name, mode.meaning);
  for (const FlagSpec& spec : kFlags) {
    const FieldSetter field = looked_at(spec.path, {});
    text += fmt::format("  -{}\n    \t", spec.name);
    if (spec.path.empty()) {
      text += spec.name == "client.external-labels" ? "labels of every client: a=1,b=2\n" : "accepted without effect\n";
      continue;
    }
    text += fmt::format("{}{}{}", spec.path, field.meaning().empty() ? "" : ": ", field.meaning());
    text += field.value().empty() ? "\n" : fmt::format(" (default {})\n", field.value());
  }
  return text;
}

}  // namespace kvasir::agent
