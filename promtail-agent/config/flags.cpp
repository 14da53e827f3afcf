#include "promtail-agent/config/flags.h"

#include <fmt/format.h>

#include <functional>
#include <optional>
#include <string_view>

#include "common/number.h"
#include "promtail-agent/config/yaml_fields.h"

namespace kvasir::agent {

namespace {

enum class FlagType { kBool, kText, kDuration, kInteger, kFloat, kBytes };

/// Where a flag's text goes; the text has been checked against the type.
using Setter = std::function<void(std::string_view, Config&, ClientConfig&)>;

struct FlagSpec {
  std::string_view name;
  FlagType type;
  Setter set;  // empty: accepted without effect
};

Duration to_duration(std::string_view text) { return parse_go_duration(text).value_or(Duration(0)); }
int to_int(std::string_view text) { return static_cast<int>(parse_int64(text).value_or(0)); }
bool to_bool(std::string_view text) {
  return text == "1" || text == "t" || text == "T" || text == "true" || text == "TRUE" || text == "True";
}
bool is_bool(std::string_view text) {
  return to_bool(text) || text == "0" || text == "f" || text == "F" || text == "false" || text == "FALSE" ||
         text == "False";
}

#define KVASIR_FLAG(name, type, statement)                                                                             \
  FlagSpec {                                                                                                           \
    name, FlagType::type, [](std::string_view v, Config& c, ClientConfig& l) { (void)v, (void)c, (void)l, statement; } \
  }

const std::vector<FlagSpec>& agent_flags() {
  static const std::vector<FlagSpec> flags = {
      KVASIR_FLAG("target.sync-period", kDuration, c.sync_period = to_duration(v)),
      KVASIR_FLAG("positions.file", kText, c.positions.filename = v),
      KVASIR_FLAG("positions.sync-period", kDuration, c.positions.sync_period = to_duration(v)),
      KVASIR_FLAG("positions.ignore-invalid-yaml", kBool, c.positions.ignore_invalid_yaml = to_bool(v)),
      KVASIR_FLAG("file-watch.min_poll_frequency", kDuration, c.poll_min = to_duration(v)),
      KVASIR_FLAG("file-watch.max_poll_frequency", kDuration, c.poll_max = to_duration(v)),
      KVASIR_FLAG("limit.readline-rate", kFloat, c.limits.readline_rate = parse_go_float(v).value_or(0)),
      KVASIR_FLAG("limit.readline-burst", kInteger, c.limits.readline_burst = to_int(v)),
      KVASIR_FLAG("limit.readline-rate-enabled", kBool, c.limits.readline_rate_enabled = to_bool(v)),
      KVASIR_FLAG("limit.readline-rate-drop", kBool, c.limits.readline_rate_drop = to_bool(v)),
      KVASIR_FLAG("max-streams", kInteger, c.limits.max_streams = to_int(v)),
      KVASIR_FLAG("max-line-size", kBytes, c.limits.max_line_size = parse_binary_size(v).value_or(0)),
      KVASIR_FLAG("max-line-size-truncate", kBool, c.limits.max_line_size_truncate = to_bool(v)),
      KVASIR_FLAG("client.url", kText, l.url = v),
      KVASIR_FLAG("client.batch-wait", kDuration, l.batch_wait = to_duration(v)),
      KVASIR_FLAG("client.batch-size-bytes", kInteger, l.batch_bytes = static_cast<std::uint64_t>(to_int(v))),
      KVASIR_FLAG("client.max-retries", kInteger, l.backoff.max_retries = to_int(v)),
      KVASIR_FLAG("client.min-backoff", kDuration, l.backoff.min_period = to_duration(v)),
      KVASIR_FLAG("client.max-backoff", kDuration, l.backoff.max_period = to_duration(v)),
      KVASIR_FLAG("client.timeout", kDuration, l.timeout = to_duration(v)),
      KVASIR_FLAG("client.tenant-id", kText, l.tenant_id = v),
      KVASIR_FLAG("client.drop-rate-limited-batches", kBool, l.drop_rate_limited_batches = to_bool(v)),
      {"client.external-labels", FlagType::kText, {}},
      KVASIR_FLAG("log.level", kText, c.server.log_level = v),
      KVASIR_FLAG("log.format", kText, c.server.log_format = v),
      {"tracing.enabled", FlagType::kBool, {}},
  };
  return flags;
}

const std::vector<FlagSpec>& server_flags() {
  static const std::vector<FlagSpec> flags = {
      KVASIR_FLAG("server.disable", kBool, c.server.disable = to_bool(v)),
      KVASIR_FLAG("server.profiling_enabled", kBool, c.server.profiling_enabled = to_bool(v)),
      KVASIR_FLAG("server.enable-runtime-reload", kBool, c.server.enable_runtime_reload = to_bool(v)),
      KVASIR_FLAG("server.http-listen-address", kText, c.server.listen_address = v),
      KVASIR_FLAG("server.http-listen-port", kInteger, c.server.listen_port = to_int(v)),
      KVASIR_FLAG("server.http-conn-limit", kInteger, c.server.connection_limit = to_int(v)),
      KVASIR_FLAG("server.path-prefix", kText, c.server.path_prefix = v),
      KVASIR_FLAG("server.http-read-timeout", kDuration, c.server.read_timeout = to_duration(v)),
      KVASIR_FLAG("server.http-write-timeout", kDuration, c.server.write_timeout = to_duration(v)),
      KVASIR_FLAG("server.http-idle-timeout", kDuration, c.server.idle_timeout = to_duration(v)),
      KVASIR_FLAG("server.graceful-shutdown-timeout", kDuration, c.server.graceful_shutdown_timeout = to_duration(v)),
      KVASIR_FLAG("server.register-instrumentation", kBool, c.server.register_instrumentation = to_bool(v)),
      KVASIR_FLAG("server.http-tls-cert-path", kText, c.server.tls_cert_file = v),
      KVASIR_FLAG("server.http-tls-key-path", kText, c.server.tls_key_file = v),
      KVASIR_FLAG("server.http-tls-ca-path", kText, c.server.tls_client_ca_file = v),
      KVASIR_FLAG("server.http-tls-client-auth", kText, c.server.tls_client_auth = v),
      {"server.http-listen-network", FlagType::kText, {}},
      {"server.http-read-header-timeout", FlagType::kDuration, {}},
      {"server.grpc-listen-network", FlagType::kText, {}},
      {"server.grpc-listen-address", FlagType::kText, {}},
      {"server.grpc-listen-port", FlagType::kInteger, {}},
      {"server.grpc-conn-limit", FlagType::kInteger, {}},
      {"server.grpc-tls-cert-path", FlagType::kText, {}},
      {"server.grpc-tls-key-path", FlagType::kText, {}},
      {"server.grpc-tls-ca-path", FlagType::kText, {}},
      {"server.grpc-tls-client-auth", FlagType::kText, {}},
      {"server.grpc-max-recv-msg-size-bytes", FlagType::kInteger, {}},
      {"server.grpc-max-send-msg-size-bytes", FlagType::kInteger, {}},
      {"server.grpc-max-concurrent-streams", FlagType::kInteger, {}},
      {"server.tls-cipher-suites", FlagType::kText, {}},
      {"server.tls-min-version", FlagType::kText, {}},
      {"server.proxy-protocol-enabled", FlagType::kBool, {}},
      {"server.log-source-ips-enabled", FlagType::kBool, {}},
      {"server.log-source-ips-full", FlagType::kBool, {}},
      {"server.log-source-ips-header", FlagType::kText, {}},
      {"server.log-source-ips-regex", FlagType::kText, {}},
      {"server.log-request-headers", FlagType::kBool, {}},
      {"server.log-request-at-info-level-enabled", FlagType::kBool, {}},
      {"server.throughput.latency-cutoff", FlagType::kDuration, {}},
      {"server.throughput.unit", FlagType::kText, {}},
  };
  return flags;
}
#undef KVASIR_FLAG

const FlagSpec* find_flag(std::string_view name) {
  for (const auto* list : {&agent_flags(), &server_flags()}) {
    for (const FlagSpec& spec : *list) {
      if (spec.name == name) return &spec;
    }
  }
  return nullptr;
}

bool fits(FlagType type, std::string_view text) {
  switch (type) {
    case FlagType::kBool: return is_bool(text);
    case FlagType::kText: return true;
    case FlagType::kDuration: return parse_go_duration(text).has_value();
    case FlagType::kInteger: return parse_int64(text).has_value();
    case FlagType::kFloat: return parse_go_float(text).has_value();
    case FlagType::kBytes: return parse_binary_size(text).has_value();
  }
  return false;
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

bool is_switch(Flags& flags, std::string_view name) {
  if (name == "check-syntax" || name == "dry-run" || mode_switch(flags, name) != nullptr) return true;
  const FlagSpec* spec = find_flag(name);
  return spec != nullptr && spec->type == FlagType::kBool;
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
  if (is_switch(flags, name) && !is_bool(value)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("invalid boolean value \"{}\" for -{}: parse error", value, name));
  }
  if (name == "check-syntax") {
    flags.check_syntax = to_bool(value) ? SyntaxCheck::kFull : SyntaxCheck::kNo;
  } else if (name == "dry-run") {
    flags.dry_run = to_bool(value) ? DryRun::kEntries : DryRun::kNo;
  } else if (bool* mode = mode_switch(flags, name)) {
    *mode = to_bool(value);
  } else {
    const FlagSpec* spec = find_flag(name);
    if (spec == nullptr) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("flag provided but not defined: -{}", name));
    }
    if (!fits(spec->type, value)) return fail(bad_value(name, value));
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
      return fail(ErrorCode::kInvalidArgument, fmt::format("flag provided but not defined: -{}", name));
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
    if (spec != nullptr && spec->set) spec->set(value, config, client);
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
  std::string text = "Usage of kvasir-agent:\n  -config.file\n  -config.expand-env\n  -check-syntax[=parse-only]\n";
  text += "  -dry-run[=final]\n  -inspect\n  -stdin\n  -version\n  -print-config-stderr\n  -log-config-reverse-order\n";
  for (const auto* list : {&agent_flags(), &server_flags()}) {
    for (const FlagSpec& spec : *list) text += fmt::format("  -{}\n", spec.name);
  }
  return text;
}

}  // namespace kvasir::agent
