#include "server/config/server_config.h"

#include <algorithm>

#include "common/json_writer.h"
#include "common/labels.h"
#include "server/data_folder.h"

namespace kvasir::server {
namespace {

Unexpected bad(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

/// A subtree kept as it is for the part of the program that reads it.
CustomTarget subtree(YamlNode* node) {
  return {[node](const YamlNode& given) -> Result<void> {
            *node = given;
            return {};
          },
          [node] { return std::string(node->is_null() ? "null" : "\"********\""); }};  // may hold secrets
}

Result<Credential> read_credential(const YamlNode& node) {
  Credential out;
  std::vector<Setting> table = {{"name", &out.name, ""},         {"token", &out.token, ""},
                                {"username", &out.username, ""}, {"password", &out.password, ""},
                                {"role", &out.role, ""},         {"tenants", &out.tenants, ""},
                                {"policy", &out.policy, ""},     {"password_hash", &out.password_hash, ""}};
  ConfigNotes notes;
  KVASIR_CHECK_OK(read_settings(node, "", table, {}, notes));
  if (!notes.warnings.empty()) return bad(notes.warnings.front());
  if (out.token.empty() == out.username.empty()) return bad("a credential has a token, or a username with a password");
  if (!out.username.empty() && out.password.empty() == out.password_hash.empty()) {
    return bad("the credential of \"" + out.username + "\" needs a password or a password_hash");
  }
  if (out.role != "read" && out.role != "write" && out.role != "admin") return bad("role must be read, write or admin");
  return out;
}

std::string flow_text(std::string_view text) {
  std::string out;
  append_go_quoted(out, text);
  return out;
}

std::string flow_list(const std::vector<std::string>& items) {
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : ", ") + item;
  return "[" + out + "]";
}

std::string flow_texts(std::vector<std::string> texts) {
  for (auto& text : texts) text = flow_text(text);
  return flow_list(texts);
}

/// What it may do, without what proves it.
std::string shown(const Credential& credential) {
  std::string out = "{name: " + flow_text(credential.name);
  if (!credential.token.empty()) out += ", token: \"********\"";
  if (!credential.username.empty()) out += ", username: " + flow_text(credential.username);
  if (!credential.password.empty()) out += ", password: \"********\"";
  if (!credential.password_hash.empty()) out += ", password_hash: \"********\"";
  out += ", role: " + credential.role + ", tenants: " + flow_texts(credential.tenants);
  return out + ", policy: " + flow_text(credential.policy) + "}";
}

std::string shown(const PolicyConfig& policy) {
  return "{name: " + flow_text(policy.name) + ", selector: " + flow_text(policy.selector) +
         ", mask: " + flow_texts(policy.mask) + "}";
}

template <class Item>
std::string shown_list(const std::vector<Item>& list) {
  std::vector<std::string> texts;
  for (const auto& item : list) texts.push_back(shown(item));
  return flow_list(texts);
}

CustomTarget policy_list(std::vector<PolicyConfig>* list) {
  return {[list](const YamlNode& node) -> Result<void> {
            if (!node.is_sequence() && !node.is_null()) return bad("policies are a list");
            std::vector<PolicyConfig> read;
            for (const auto& item : node.items) {
              PolicyConfig policy;
              std::vector<Setting> table = {{"name", &policy.name, ""}, {"selector", &policy.selector, ""}, {"mask", &policy.mask, ""}};
              ConfigNotes notes;
              KVASIR_CHECK_OK(read_settings(item, "", table, {}, notes));
              if (!notes.warnings.empty()) return bad(notes.warnings.front());
              if (policy.name.empty()) return bad("a policy has a name");
              read.push_back(std::move(policy));
            }
            *list = std::move(read);
            return {};
          },
          [list] { return shown_list(*list); }};
}

CustomTarget credential_list(std::vector<Credential>* list) {
  return {[list](const YamlNode& node) -> Result<void> {
            if (!node.is_sequence() && !node.is_null()) return bad("credentials are a list");
            std::vector<Credential> read;
            for (const auto& item : node.items) {
              KVASIR_TRY(Credential credential, read_credential(item));
              read.push_back(std::move(credential));
            }
            *list = std::move(read);
            return {};
          },
          [list] { return shown_list(*list); }};
}

void add_server(ServerConfig& c, std::vector<Setting>& t) {
  auto& h = c.http;
  t.insert(t.end(),
           {{"target", &c.target, "accepted for compatibility; every part runs in this process"},
            {"auth_enabled", &c.auth_enabled, "tenants come from X-Scope-OrgID; without it everything belongs to tenant fake",
             "auth.enabled"},
            {"shutdown_delay", &c.shutdown_delay, "time between the signal and the end of service; /ready says 503 meanwhile"},
            {"server.http_listen_address", &h.listen_address, "address to listen on; empty is every address"},
            {"server.http_listen_port", &h.listen_port, "port to listen on; 0 lets the system choose"},
            {"server.http_listen_conn_limit", &h.connections_max, "open connections; 0 is the built-in limit"},
            {"server.http_server_read_timeout", &h.read_timeout, "for the headers, and for the body, of a request"},
            {"server.http_server_write_timeout", &h.write_timeout, "a client that takes nothing for so long is cut off"},
            {"server.http_server_idle_timeout", &h.idle_timeout, "between two requests of a connection"},
            {"server.graceful_shutdown_timeout", &h.graceful_shutdown_timeout, "for requests under way at the end"},
            {"server.http_path_prefix", &h.path_prefix, "in front of every route"},
            {"server.http_tls_config.cert_file", &h.tls.cert_file, "certificate chain; turns TLS on", "server.http-tls-cert-path"},
            {"server.http_tls_config.key_file", &h.tls.key_file, "private key", "server.http-tls-key-path"},
            {"server.http_tls_config.client_auth_type", &h.tls_client_auth_type,
             "NoClientCert, RequestClientCert, VerifyClientCertIfGiven, RequireAnyClientCert or RequireAndVerifyClientCert",
             "server.http-tls-client-auth"},
            {"server.http_tls_config.client_ca_file", &h.tls.client_ca_file, "authorities for client certificates",
             "server.http-tls-ca-path"},
            {"server.log_level", &h.log_level, "debug, info, warn or error", "log.level"},
            {"server.log_format", &h.log_format, "logfmt or json", "log.format"}});
}

void add_storage(ServerConfig& c, std::vector<Setting>& t) {
  auto& s = c.storage;
  auto& i = c.ingester;
  t.insert(t.end(),
           {{"common.path_prefix", &s.path_prefix, "folder of all data: segments, index, log and rules lie below it"},
            {"common.storage.filesystem.chunks_directory", &s.chunks_directory, "folder of the segments"},
            {"common.storage.filesystem.rules_directory", &s.rules_directory, "folder of the rule groups"},
            {"storage_config.filesystem.directory", &s.directory, "as common.storage.filesystem.chunks_directory",
             "local.chunk-directory"},
            {"ingester.chunk_idle_period", &i.chunk_idle_period, "a stream without new entries is sealed after this"},
            {"ingester.max_chunk_age", &i.max_chunk_age,
             "a chunk is sealed after this; entries older than the newest of their stream by half of it are refused",
             "ingester.max-chunk-age"},
            {"ingester.concurrent_flushes", &i.concurrent_flushes, "threads that write segments"},
            {"ingester.wal.enabled", &i.wal_enabled, "false: the log is written but not synced, as with ingester.wal.sync: never", "ingester.wal-enabled"},
            {"ingester.wal.dir", &i.wal_directory, "folder of the write-ahead log", "ingester.wal-dir"},
            {"ingester.wal.sync", &i.wal_sync, "group: acknowledged when synced; interval; never (not in Loki)", "ingester.wal-sync"},
            {"ingester.wal.sync_interval", &i.wal_sync_interval, "for sync: interval (not in Loki)", "ingester.wal-sync-interval"},
            {"ingester.wal.flush_on_shutdown", &i.flush_on_shutdown, "write segments before the end; otherwise the log is replayed",
             "ingester.flush-on-shutdown"},
            {"distributor.max_recv_msg_size", BytesTarget{&i.max_recv_msg_size}, "largest push body as sent"},
            {"distributor.max_decompressed_size", BytesTarget{&i.max_decompressed_size}, "largest push body after decompression"}});
}

void add_queries(ServerConfig& c, std::vector<Setting>& t) {
  auto& q = c.querier;
  t.insert(t.end(),
           {{"querier.tail_max_duration", &q.tail_max_duration, "a live tail is closed after this", "querier.tail-max-duration"},
            {"querier.max_concurrent", &q.max_concurrent, "queries at work at one time; others wait, tenants in turn"},
            {"querier.multi_tenant_queries_enabled", &q.multi_tenant_queries_enabled, "allow X-Scope-OrgID: a|b on queries",
             "querier.multi-tenant-queries-enabled"},
            {"querier.per_request_limits_enabled", &q.per_request_limits_enabled, "heed X-Loki-Query-Limits",
             "querier.per-request-limits-enabled"},
            {"frontend.max_outstanding_per_tenant", &q.max_outstanding_per_tenant, "waiting queries of a tenant; more are answered 429",
             "querier.max-outstanding-requests-per-tenant"},
            {"frontend.compress_responses", &q.compress_responses, "answer in gzip or zstd to clients that accept it",
             "querier.compress-http-responses"},
            {"frontend.log_queries_longer_than", &q.log_queries_longer_than, "only queries slower than this are logged; 0 logs all"},
            {"query_range.cache_results", &q.cache_results, "keep parts of range queries over metrics that can no longer change",
             "querier.cache-results"},
            {"query_range.results_cache.cache.embedded_cache.max_size_mb", &q.result_cache_mb, "MiB that they may take; 0 keeps none"},
            {"pattern_ingester.enabled", &c.pattern_ingester_enabled, "serve /loki/api/v1/patterns"}});
}

void add_compactor(ServerConfig& c, std::vector<Setting>& t) {
  auto& k = c.compactor;
  t.insert(t.end(),
           {{"compactor.retention_enabled", &k.retention_enabled, "delete what is older than its retention period; needed for the delete API"},
            {"compactor.delete_request_store", &k.delete_request_store, "any value; required when retention is enabled"},
            {"compactor.compaction_interval", &k.compaction_interval, "between two rounds of retention; merging looks for work every 15 s"},
            {"compactor.retention_delete_delay", &k.retention_delete_delay, "accepted; files go when no query reads them"},
            {"compactor.delete_request_cancel_period", &k.delete_request_cancel_period, "a delete request may be cancelled so long"},
            {"compactor.delete_max_interval", &k.delete_max_interval, "largest max_interval of a delete request"}});
}

void add_ruler(ServerConfig& c, std::vector<Setting>& t) {
  auto& r = c.ruler;
  t.insert(t.end(),
           {{"ruler.storage.type", &r.storage_type, "local; other stores are kept in the data folder"},
            {"ruler.storage.local.directory", &r.local_directory, "folder of rule files: <tenant>/<namespace>"},
            {"ruler.rule_path", &r.rule_path, "accepted"},
            {"ruler.external_url", &r.external_url, "base of links in alerts"},
            {"ruler.datasource_uid", &r.datasource_uid, "Grafana data source in links of alerts"},
            {"ruler.alertmanager_url", &r.alertmanager_url, "comma-separated Alertmanager addresses"},
            {"ruler.enable_api", &r.enable_api, "serve the rule routes"},
            {"ruler.evaluation_interval", &r.evaluation_interval, "of groups without one"},
            {"ruler.poll_interval", &r.poll_interval, "how often rule files are read again"},
            {"ruler.resend_delay", &r.resend_delay, "between two notifications of a firing alert"},
            {"ruler.for_outage_tolerance", &r.for_outage_tolerance, "longest outage over which `for` is restored"},
            {"ruler.for_grace_period", &r.for_grace_period, "least time between a restored alert and its firing"},
            {"ruler.notification_timeout", &r.notification_timeout, "for one request to an Alertmanager"},
            {"ruler.notification_queue_capacity", &r.notification_queue_capacity, "notifications that may wait"},
            {"ruler.remote_write", subtree(&r.remote_write), "where recorded series are sent"},
            {"ruler.alertmanager_client", subtree(&r.alertmanager_client), "credentials for Alertmanager"},
            {"ruler.external_labels", subtree(&r.external_labels), "added to every alert"},
            {"ruler.alert_relabel_configs", subtree(&r.alert_relabel_configs), "applied to alerts before they are sent"},
            {"ruler.wal", subtree(&r.wal), "accepted"}});
}

void add_ours(ServerConfig& c, std::vector<Setting>& t) {
  auto& k = c.kvasir;
  t.insert(t.end(),
           {{"kvasir.otlp_grpc_listen_port", &k.otlp_grpc_port,
             "OTLP over gRPC, on server.http_listen_address and with its TLS; 0: none. Without this key a port that is taken is no error",
             "kvasir.otlp-grpc-listen-port"},
            {"kvasir.memory_limit", BytesTarget{&k.memory_limit}, "bytes for heads, caches and queries; 0 is a quarter of the machine's, half of a control group's"},
            {"kvasir.head_limit", BytesTarget{&k.head_limit}, "bytes of new lines in memory before they are written as segments; 0 is a quarter of the memory limit, at most 128MB"},
            {"kvasir.block_cache_size", BytesTarget{&k.block_cache_size}, "bytes of opened blocks and decoded columns kept between queries, within the memory limit; 0 is a quarter of it"},
            {"kvasir.retention_size", BytesTarget{&k.retention_size}, "bytes of stored segments; beyond it the oldest are removed; 0: any"},
            {"kvasir.disk_reserve", BytesTarget{&k.disk_reserve}, "with less free space on the disk of the data, pushes are refused until there is more; 0: never"},
            {"kvasir.merge_cpu_percent", &k.merge_cpu_percent, "of one core, how much merging small segments into large ones may use; 0: any"},
            {"kvasir.merge_rate", BytesTarget{&k.merge_rate}, "bytes of lines a second that merging may read and write again; 0: any"},
            {"kvasir.auth.required", &k.require_authentication, "refuse requests without a valid credential"},
            {"kvasir.auth.credentials", credential_list(&k.credentials), "list of {name, token | username, password | password_hash, role, tenants, policy}"},
            {"kvasir.auth.policies", policy_list(&k.policies), "list of {name, selector, mask}: what a reader may see"},
            {"kvasir.auth.reader_policy", &k.reader_policy, "policy of readers whose credential or token names none"},
            {"kvasir.auth.client_certificate_is_enough", &k.client_certificate_is_enough,
             "a verified client certificate counts as a credential"},
            {"kvasir.auth.client_certificate_role", &k.client_certificate_role, "its role: read, write or admin"},
            {"kvasir.auth.jwt.hmac_secret", &k.jwt.hmac_secret, "key of HS256 tokens", "", true},
            {"kvasir.auth.jwt.public_key_file", &k.jwt.public_key_file, "PEM public key of RS256 or ES256 tokens"},
            {"kvasir.auth.jwt.jwks_file", &k.jwt.jwks_file, "key set of RS256 and ES256 tokens"},
            {"kvasir.auth.jwt.jwks_url", &k.jwt.jwks_url, "where to get the key set instead"},
            {"kvasir.auth.jwt.jwks_ca_file", &k.jwt.jwks_ca_file, "authority of that server; empty is the system's"},
            {"kvasir.auth.jwt.jwks_refresh", &k.jwt.jwks_refresh, "time after which the key set is read again"},
            {"kvasir.auth.jwt.issuer", &k.jwt.issuer, "required `iss`; empty accepts any"},
            {"kvasir.auth.jwt.audience", &k.jwt.audience, "required `aud`; empty accepts any"},
            {"kvasir.auth.jwt.tenant_claim", &k.jwt.tenant_claim, "claim that names the tenant or tenants"},
            {"kvasir.auth.jwt.role_claim", &k.jwt.role_claim, "claim that names the role; absent is read"},
            {"kvasir.auth.jwt.policy_claim", &k.jwt.policy_claim, "claim that names the read policy"}});
}

}  // namespace

std::uint64_t effective_memory_limit(const KvasirConfig& config) {
  if (config.memory_limit != 0) return config.memory_limit;
  auto& filesystem = posix_filesystem();
  return usable_memory(filesystem) / (control_group_memory(filesystem) != 0 ? 2 : 4);
}

std::vector<Setting> settings(ServerConfig& config) {
  std::vector<Setting> table;
  add_server(config, table);
  add_storage(config, table);
  add_queries(config, table);
  auto limits = tenant_settings_table(config.limits, "limits_config");
  table.insert(table.end(), std::make_move_iterator(limits.begin()), std::make_move_iterator(limits.end()));
  add_compactor(config, table);
  add_ruler(config, table);
  table.insert(table.end(), {{"runtime_config.file", &config.runtime.files, "comma-separated files with `overrides:` per tenant"},
                             {"runtime_config.period", &config.runtime.period, "how often they are read again"},
                             {"tenant_limits_allow_publish", &config.limits_to_publish, "limits that /drilldown-limits shows"}});
  add_ours(config, table);
  return table;
}

std::span<const std::string_view> ignored_keys() {
  static const std::vector<std::string_view> kKeys = [] {
    static const std::vector<std::string> limits = [] {
      std::vector<std::string> out;
      for (const auto key : ignored_limits()) out.push_back("limits_config." + std::string(key));
      return out;
    }();
    std::vector<std::string_view> keys = {
        "ballast_bytes", "metrics_namespace", "internal_server", "schema_config", "memberlist", "analytics", "tracing",
        "operational_config", "table_manager", "chunk_store_config", "ingester_client", "ingest_limits", "ingest_limits_frontend",
        "ingest_limits_frontend_client", "kafka_config", "dataobj", "bloom_build", "bloom_gateway", "index_gateway", "query_engine",
        "ui", "frontend_worker", "query_scheduler", "compactor_client", "compactor_grpc_client", "block_builder",
        "block_scheduler", "pattern_ingester", "query_range", "ruler_storage", "http_prefix",
        "server.http_listen_network", "server.grpc_listen_network", "server.grpc_listen_address", "server.grpc_listen_port",
        "server.grpc_listen_conn_limit", "server.grpc_tls_config", "server.tls_cipher_suites", "server.tls_min_version",
        "server.log_source_ips_enabled", "server.log_source_ips_full", "server.log_source_ips_header",
        "server.log_source_ips_regex", "server.log_request_headers", "server.log_request_at_info_level_enabled",
        "server.log_request_exclude_headers_list", "server.register_instrumentation",
        "server.report_grpc_codes_in_instrumentation_label_enabled", "server.proxy_protocol_enabled",
        "server.http_server_read_header_timeout", "server.http_log_closed_connections_without_response_enabled",
        "server.grpc_server_max_recv_msg_size", "server.grpc_server_max_send_msg_size",
        "server.grpc_server_max_concurrent_streams", "server.grpc_server_max_connection_idle",
        "server.grpc_server_max_connection_age", "server.grpc_server_max_connection_age_grace",
        "server.grpc_server_keepalive_time", "server.grpc_server_keepalive_timeout",
        "server.grpc_server_min_time_between_pings", "server.grpc_server_ping_without_stream_allowed",
        "server.grpc_server_num_workers", "common.replication_factor", "common.ring", "common.instance_addr",
        "common.instance_interface_names", "common.instance_enable_ipv6", "common.compactor_address",
        "common.compactor_grpc_address", "common.persist_tokens", "common.storage.s3", "common.storage.gcs",
        "common.storage.azure", "common.storage.swift", "common.storage.alibabacloud", "common.storage.bos",
        "common.storage.cos", "common.storage.object_store", "common.storage.hedging", "common.storage.congestion_control",
        "storage_config.aws", "storage_config.gcs", "storage_config.azure", "storage_config.swift", "storage_config.cos",
        "storage_config.alibabacloud", "storage_config.bos", "storage_config.named_stores", "storage_config.hedging",
        "storage_config.congestion_control", "storage_config.use_thanos_objstore", "storage_config.object_store",
        "storage_config.tsdb_shipper", "storage_config.boltdb_shipper", "storage_config.bloom_shipper",
        "storage_config.bigtable", "storage_config.cassandra", "storage_config.boltdb", "storage_config.grpc_store",
        "storage_config.index_cache_validity", "storage_config.max_chunk_batch_size", "storage_config.max_parallel_get_chunk",
        "storage_config.index_queries_cache_config", "storage_config.disable_broad_index_queries",
        "distributor.ring", "distributor.push_worker_count", "distributor.rate_store",
        "distributor.write_failures_logging", "distributor.default_policy_stream_mappings", "distributor.kafka_writes_enabled",
        "distributor.ingester_writes_enabled", "distributor.ingest_limits_enabled", "distributor.tenant_topic",
        "ingester.lifecycler", "ingester.chunk_retain_period", "ingester.chunk_block_size", "ingester.chunk_target_size",
        "ingester.chunk_encoding", "ingester.flush_check_period", "ingester.flush_op_timeout", "ingester.flush_op_backoff",
        "ingester.sync_period", "ingester.sync_min_utilization", "ingester.index_shards", "ingester.autoforget_unhealthy",
        "ingester.max_returned_stream_errors", "ingester.wal.checkpoint_duration", "ingester.wal.replay_memory_ceiling",
        "ingester.wal.disk_full_threshold", "ingester.query_store_max_look_back_period", "ingester.shutdown_marker_path",
        "ingester.owned_streams_check_interval", "ingester.chunk_filterer", "ingester.kafka_ingestion",
        "querier.query_ingesters_within", "querier.query_store_only", "querier.query_ingester_only", "querier.engine",
        "querier.extra_query_delay", "querier.query_partition_ingesters", "frontend.max_body_size",
        "frontend.query_stats_enabled", "frontend.downstream_url", "frontend.tail_proxy_url", "frontend.tail_tls_config",
        "frontend.scheduler_address", "frontend.scheduler_dns_lookup_period", "frontend.scheduler_worker_concurrency",
        "frontend.grpc_client_config", "frontend.encoding", "frontend.support_parquet_encoding",
        "frontend.graceful_shutdown_timeout", "frontend.instance_interface_names", "frontend.address", "frontend.port",
        "frontend.querier_forget_delay", "frontend.log_query_request_headers", "frontend.experimental_retries_enabled",
        "compactor.working_directory", "compactor.apply_retention_interval", "compactor.retention_delete_worker_count",
        "compactor.retention_table_timeout", "compactor.retention_backoff_config", "compactor.delete_request_store_key_prefix",
        "compactor.delete_request_store_db_type", "compactor.backup_delete_request_store_db_type", "compactor.delete_batch_size",
        "compactor.max_compaction_parallelism", "compactor.upload_parallelism", "compactor.compactor_ring",
        "compactor.tables_to_compact", "compactor.skip_latest_n_tables", "compactor.horizontal_scaling_mode",
        "compactor.worker_config", "compactor.jobs_config", "compactor.shared_store", "compactor.run_once",
        "ruler.storage.s3", "ruler.storage.gcs", "ruler.storage.azure", "ruler.storage.swift", "ruler.storage.cos",
        "ruler.storage.alibabacloud", "ruler.storage.bos", "ruler.ring", "ruler.ruler_client", "ruler.wal_cleaner",
        "ruler.evaluation", "ruler.enable_sharding", "ruler.sharding_strategy", "ruler.sharding_algo", "ruler.search_pending_for",
        "ruler.flush_period", "ruler.enabled_tenants", "ruler.disabled_tenants", "ruler.enable_alertmanager_v2",
        "ruler.enable_alertmanager_discovery", "ruler.alertmanager_refresh_interval", "ruler.query_stats_enabled",
        "ruler.disable_rule_group_label"};
    keys.insert(keys.end(), limits.begin(), limits.end());
    return keys;
  }();
  return kKeys;
}

}  // namespace kvasir::server
