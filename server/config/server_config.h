// server_config.h -- the server's configuration: every value that the process acts on, in the shape of Loki's file.
//
// Shape:    plain values with their defaults; settings() is the table that reads and prints them.
// Order:    built-in defaults, then what `common` implies, then the file, then the command line.
// Units:    sizes bytes, times Duration.
// Lifetime: a value; tables of settings() point into it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/net/tls_options.h"
#include "common/result.h"
#include "common/time.h"
#include "server/config/settings_table.h"
#include "server/tenant_settings.h"

namespace kvasir::server {

struct HttpConfig {
  std::string listen_address = "127.0.0.1";
  std::uint16_t listen_port = 3100;
  std::uint64_t connections_max = 4096;  // 0: kept at the default
  Duration read_timeout = std::chrono::seconds(30);
  Duration write_timeout = std::chrono::minutes(2);  // longer than query_timeout, so that a timed out query can say so
  Duration idle_timeout = std::chrono::minutes(2);
  Duration graceful_shutdown_timeout = std::chrono::seconds(30);
  std::string path_prefix;
  net::TlsServerOptions tls;
  std::string tls_client_auth_type;
  std::string log_level = "info";
  std::string log_format = "logfmt";
};

struct StorageConfig {
  std::string path_prefix;               // common.path_prefix
  std::string chunks_directory;          // common.storage.filesystem.chunks_directory
  std::string rules_directory;           // common.storage.filesystem.rules_directory
  std::string directory;                 // storage_config.filesystem.directory
};

struct IngesterConfig {
  Duration chunk_idle_period = std::chrono::minutes(30);
  Duration max_chunk_age = std::chrono::hours(2);
  bool wal_enabled = true;
  std::string wal_directory;
  std::string wal_sync = "group";
  Duration wal_sync_interval = std::chrono::milliseconds(100);
  bool flush_on_shutdown = false;
  std::uint32_t concurrent_flushes = 1;
  std::uint64_t max_recv_msg_size = 100 << 20;
  std::uint64_t max_decompressed_size = std::uint64_t{5000} << 20;
};

struct QuerierConfig {
  Duration tail_max_duration = std::chrono::hours(1);
  std::uint32_t max_concurrent = 4;              // queries at work at one time
  bool multi_tenant_queries_enabled = false;
  bool per_request_limits_enabled = false;
  std::uint64_t max_outstanding_per_tenant = 2048;
  bool compress_responses = true;
  Duration log_queries_longer_than{0};
  bool cache_results = true;
  std::uint64_t result_cache_mb = 64;
};

struct CompactorConfig {
  bool retention_enabled = false;
  std::string delete_request_store;
  Duration compaction_interval = std::chrono::minutes(10);
  Duration retention_delete_delay = std::chrono::hours(2);
  Duration delete_request_cancel_period = std::chrono::hours(24);
  Duration delete_max_interval = std::chrono::hours(24);
};

/// Read for the rule evaluator (alerts/).
struct RulerConfig {
  std::string storage_type;
  std::string local_directory;
  std::string rule_path;
  std::string external_url;
  std::string datasource_uid;
  std::string alertmanager_url;
  bool enable_api = true;
  Duration evaluation_interval = std::chrono::minutes(1);
  Duration poll_interval = std::chrono::minutes(1);
  Duration resend_delay = std::chrono::minutes(1);
  Duration for_outage_tolerance = std::chrono::hours(1);
  Duration for_grace_period = std::chrono::minutes(10);
  Duration notification_timeout = std::chrono::seconds(10);
  std::uint32_t notification_queue_capacity = 10000;
  YamlNode remote_write;
  YamlNode alertmanager_client;
  YamlNode external_labels;
  YamlNode alert_relabel_configs;
  YamlNode wal;
};

/// One way to prove who one is (docs/security.md).
struct Credential {
  std::string name;                   // for logs
  std::string token;                  // Authorization: Bearer <token>
  std::string username;               // Authorization: Basic
  std::string password;
  std::string role = "read";          // read, write, admin
  std::vector<std::string> tenants;   // empty: any tenant that the request names
  std::string policy;                 // name of a read policy; only for the role read
  std::string password_hash;          // of crypt(3), instead of the password
};

/// What a reader may see.
struct PolicyConfig {
  std::string name;
  std::string selector;               // streams; empty: every one
  std::vector<std::string> mask;      // fields whose values are hidden
};

struct JwtConfig {
  std::string hmac_secret;            // HS256
  std::string public_key_file;        // RS256, ES256
  std::string jwks_file;              // a key set instead
  std::string jwks_url;
  std::string jwks_ca_file;           // for an https URL; empty: the system's
  Duration jwks_refresh = std::chrono::minutes(1);
  std::string issuer;
  std::string audience;
  std::string tenant_claim = "tenant";
  std::string role_claim = "role";
  std::string policy_claim = "policy";
};

/// Ours.
struct KvasirConfig {
  std::uint16_t otlp_grpc_port = 4317;  // 0: none; not being able to listen there matters only if the file names it
  std::uint64_t memory_limit = 0;     // 0: a quarter of the machine's memory, half of a control group's
  std::uint64_t head_limit = 0;       // bytes of lines that are not in segments yet; 0: from the memory limit
  std::uint64_t block_cache_size = 0;  // bytes of opened blocks and decoded columns; 0: a quarter of the memory limit
  std::uint64_t retention_size = 0;   // bytes of segments; beyond it the oldest go; 0: any
  std::uint64_t disk_reserve = 128u << 20;  // with less free on the disk pushes are refused; 0: never
  std::uint32_t merge_cpu_percent = 50;     // of one core, for merging segments; 0: any
  std::uint64_t merge_rate = 64u << 20;     // bytes of lines a second that merging reads and writes again; 0: any
  bool require_authentication = false;
  std::vector<Credential> credentials;
  std::vector<PolicyConfig> policies;
  std::string reader_policy;          // of readers that name none
  JwtConfig jwt;
  bool client_certificate_is_enough = false;
  std::string client_certificate_role = "read";
};

struct RuntimeConfig {
  std::vector<std::string> files;
  Duration period = std::chrono::seconds(10);
};

struct ServerConfig {
  std::string target = "all";
  bool auth_enabled = true;
  Duration shutdown_delay{0};
  HttpConfig http;
  StorageConfig storage;
  IngesterConfig ingester;
  QuerierConfig querier;
  CompactorConfig compactor;
  RulerConfig ruler;
  RuntimeConfig runtime;
  bool pattern_ingester_enabled = false;
  TenantSettings limits;
  std::vector<std::string> limits_to_publish;
  KvasirConfig kvasir;
};

/// Of the whole process: as configured, or a quarter of the machine's memory.
std::uint64_t effective_memory_limit(const KvasirConfig& config);

/// The table over one configuration, in the order in which /config prints it.
std::vector<Setting> settings(ServerConfig& config);

/// Keys of the reference server that are accepted and change nothing here, each with all that is below it.
std::span<const std::string_view> ignored_keys();

}  // namespace kvasir::server
