// config.h -- everything a configuration file and the command line can say, as plain values.
//
// Shape:    one struct per YAML block; members carry the defaults of the file format. Unread blocks are kept as
//           YamlNode where another part reads them (pipeline stages, relabel rules).
// Units:    durations ns, sizes bytes.
// Lifetime: values; a Config is immutable once loaded.
// Source:   docs/agent/configuration.md
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/time.h"
#include "common/yaml.h"

namespace kvasir::agent {

using StringMap = std::map<std::string, std::string>;

struct TlsConfig {
  std::string ca, ca_file, cert, cert_file, key, key_file, server_name, min_version, max_version;
  bool insecure_skip_verify = false;
};

struct BasicAuthConfig {
  bool set = false;
  std::string username, username_file, password, password_file;
};

struct ProxyConfig {
  std::string url, no_proxy;
  bool from_environment = false;
  std::map<std::string, std::vector<std::string>> connect_header;  // sent with CONNECT
};

struct OAuth2Config {
  enum class Grant { kClientCredentials, kJwtBearer };
  bool set = false;
  std::string client_id, client_secret, client_secret_file, token_url;
  std::vector<std::string> scopes;
  StringMap endpoint_params;
  TlsConfig tls;
  ProxyConfig proxy;
  Grant grant = Grant::kClientCredentials;
  // Of the signed assertion (kJwtBearer).
  std::string key_id, key, key_file;
  std::string algorithm = "RS256", issuer, audience;
  StringMap claims;
};

struct HttpHeaderConfig {
  std::vector<std::string> values, secrets, files;
};

/// The options every HTTP client block shares.
struct HttpConfig {
  BasicAuthConfig basic_auth;
  bool authorization_set = false;
  std::string authorization_type = "Bearer", credentials, credentials_file;
  std::string bearer_token, bearer_token_file;
  OAuth2Config oauth2;
  TlsConfig tls;
  ProxyConfig proxy;
  bool follow_redirects = true;
  std::map<std::string, HttpHeaderConfig> http_headers;
};

struct BackoffConfig {
  Duration min_period = std::chrono::milliseconds(500);
  Duration max_period = std::chrono::minutes(5);
  int max_retries = 10;  // sends in all; 0: for ever
};

struct ClientConfig {
  int line = 0;  // in the file
  std::string name;
  std::string url;
  std::string tenant_id;
  Duration batch_wait = std::chrono::seconds(1);
  std::uint64_t batch_bytes = 1 << 20;
  Duration timeout = std::chrono::seconds(10);
  BackoffConfig backoff;
  bool drop_rate_limited_batches = false;
  bool retry_auth_errors = true;
  StringMap external_labels;
  StringMap headers;
  HttpConfig http;
};

struct ServerConfig {
  int line = 0;  // in the file
  std::string listen_address;
  int listen_port = 80;
  std::string path_prefix;
  std::string tls_cert, tls_key, tls_client_ca;  // PEM text instead of the files
  std::string tls_cert_file, tls_key_file, tls_client_ca_file, tls_client_auth;
  std::string tls_min_version, tls_cipher_suites;
  Duration read_header_timeout{0};               // 0: read_timeout
  Duration read_timeout = std::chrono::seconds(30);
  Duration write_timeout = std::chrono::seconds(30);
  Duration idle_timeout = std::chrono::minutes(2);
  Duration graceful_shutdown_timeout = std::chrono::seconds(30);
  int connection_limit = 0;
  bool register_instrumentation = true;
  bool health_check_target = true;
  bool disable = false;
  bool profiling_enabled = false;
  bool enable_runtime_reload = false;
  std::string external_url;
  std::string log_level = "info";
  std::string log_format = "logfmt";
};

struct PositionsConfig {
  std::string filename = "/var/log/positions.yaml";
  Duration sync_period = std::chrono::seconds(10);
  bool ignore_invalid_yaml = false;
};

struct LimitsConfig {
  double readline_rate = 10000;
  int readline_burst = 10000;
  bool readline_rate_enabled = false;
  bool readline_rate_drop = true;
  int max_streams = 0;
  std::uint64_t max_line_size = 0;
  bool max_line_size_truncate = false;
};

struct SpoolConfig {
  enum class Mode {
    kOff,       // memory only; a full queue holds the sources back
    kOverflow,  // what does not fit into memory goes to disk
    kAlways,    // every batch is on disk before it is sent
  };
  Mode mode = Mode::kOff;
  bool enabled = true;              // false: kOff, whatever mode says
  bool chosen = false;              // the file says something about it
  std::string directory;            // "" = <positions file>.spool
  std::uint64_t bytes_max = 1 << 30;
  std::uint64_t memory_bytes_max = 8 << 20;  // waiting batches of one client
  bool drop_oldest = false;         // when full; otherwise the sources wait
  bool fsync = true;
};

/// Promtail's log of what was read; switched on, it stands for our spool.
struct WalConfig {
  bool enabled = false;
  std::string directory;
};

struct TargetGroup {
  int line = 0;  // in the file
  std::vector<std::string> targets;
  StringMap labels;
};

struct FileSdConfig {
  std::vector<std::string> files;
  Duration refresh_interval = std::chrono::minutes(5);
};

struct HttpSdConfig {
  std::string url;
  Duration refresh_interval = std::chrono::seconds(60);
  HttpConfig http;
};

struct KubernetesSdConfig {
  std::string role, api_server, kubeconfig_file, node_name;
  bool own_namespace = false;
  std::vector<std::string> namespaces;
  struct Selector {
    std::string role, label, field;
  };
  std::vector<Selector> selectors;
  bool attach_node = false, attach_namespace = false;
  bool attach_deployment = false, attach_job = false, attach_cronjob = false;
  HttpConfig http;
};

struct DockerSdConfig {
  std::string host;
  int port = 80;
  std::string host_networking_host = "localhost";
  bool match_first_network = true;
  struct Filter {
    std::string name;
    std::vector<std::string> values;
  };
  std::vector<Filter> filters;
  Duration refresh_interval = std::chrono::seconds(60);
  HttpConfig http;
};

struct JournalConfig {
  int line = 0;  // in the file
  bool set = false;
  bool json = false;
  std::string max_age = "7h";
  StringMap labels;
  std::string path, matches;
};

struct SyslogConfig {
  int line = 0;  // in the file
  bool set = false;
  std::string listen_address, listen_protocol = "tcp", format = "rfc5424";
  std::string location = "UTC";                      // of RFC 3164 times
  Duration idle_timeout = std::chrono::seconds(120);
  Duration flush_timeout = std::chrono::seconds(1);  // silence that completes a newline-framed message
  bool label_structured_data = false;
  StringMap labels;
  bool use_incoming_timestamp = false;
  bool use_rfc5424_message = false;
  std::int64_t max_message_length = 8192;
  TlsConfig tls;
};

struct GelfConfig {
  bool set = false;
  std::string listen_address = ":12201";
  StringMap labels;
  bool use_incoming_timestamp = false;
};

struct PushTargetConfig {
  bool set = false;
  ServerConfig server;
  StringMap labels;
  bool use_incoming_timestamp = false;
  bool forward_tenant = false;
  std::uint64_t body_bytes_max = 100 << 20;
};

struct DecompressionConfig {
  int line = 0;  // in the file
  bool enabled = false;
  Duration initial_delay{0};
  std::string format;  // gz, z, bz2, zst; "" looks at the first bytes
};

/// Our additions for file targets (`file:` in a scrape config).
struct FileOptions {
  bool start_at_end = false;
  Duration ignore_older{0};                          // 0: off
  Duration rotate_wait = std::chrono::seconds(5);
  Duration partial_flush_timeout{0};                 // 0: a line without its newline waits
  std::uint64_t max_line_bytes = 0;                  // 0: LineLimits::line_bytes_max
  enum class Overlong { kDrop, kTruncate, kSplit } on_overlong = Overlong::kSplit;
};

struct ScrapeConfig {
  /// A source that is known and not built.
  struct Unsupported {
    std::string block;
    std::string instead;  // what to do
    int line = 0;
  };
  int line = 0;  // in the file
  std::string job_name;
  YamlNode pipeline_stages;
  YamlNode relabel_configs;
  std::string encoding;
  DecompressionConfig decompression;
  FileOptions file;
  std::vector<TargetGroup> static_configs;
  std::vector<FileSdConfig> file_sd;
  std::vector<HttpSdConfig> http_sd;
  std::vector<KubernetesSdConfig> kubernetes_sd;
  std::vector<DockerSdConfig> docker_sd;
  JournalConfig journal;
  SyslogConfig syslog;
  GelfConfig gelf;
  PushTargetConfig push;
  std::vector<Unsupported> unsupported;

  bool has_file_discovery() const {
    return !static_configs.empty() || !file_sd.empty() || !http_sd.empty() || !kubernetes_sd.empty();
  }
};

struct Config {
  ServerConfig server;
  std::vector<ClientConfig> clients;
  PositionsConfig positions;
  LimitsConfig limits;
  SpoolConfig spool;
  WalConfig wal;
  std::vector<ScrapeConfig> scrape_configs;
  Duration sync_period = std::chrono::seconds(10);
  bool stdin_target = false;
  int poll_line = 0;                     // of file_watch_config
  Duration poll_min = std::chrono::milliseconds(250);
  Duration poll_max = std::chrono::milliseconds(250);
  Duration shutdown_timeout = std::chrono::seconds(20);
  std::string metrics_schema = "auto";
  std::string source_text;               // after expansion; equal texts are equal configurations
  std::vector<std::string> warnings;     // told once at start and by a check
};

}  // namespace kvasir::agent
