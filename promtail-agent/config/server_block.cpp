// The keys of a block `server`: the agent's own pages, and the listener of loki_push_api.
#include <fmt/format.h>

#include "promtail-agent/config/blocks.h"
#include "promtail-agent/config/value_rules.h"

namespace kvasir::agent {

namespace {

constexpr Fields::Bounds kPorts = {0, 65535};
constexpr Fields::Bounds kCounts = {0, INT32_MAX};
constexpr std::string_view kTlsNames[] = {"VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"};
constexpr std::string_view kClientAuth[] = {"NoClientCert", "RequestClientCert", "RequireAnyClientCert",
                                            "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"};
constexpr std::string_view kLevels[] = {"debug", "info", "warn", "error"};
constexpr std::string_view kFormats[] = {"logfmt", "json"};

void demand_host(Fields& f, std::string_view key, const std::string& host) {
  const std::string problem = find_host_problem(host);
  f.demand(problem.empty(), key, fmt::format("{} \"{}\": {}", key, host, problem));
}

void describe_listener(Fields& f, ServerConfig& server) {
  f.text({"http_listen_address", "default: every address"}, server.listen_address);
  demand_host(f, "http_listen_address", server.listen_address);
  f.integer({"http_listen_port", "0: any free port"}, server.listen_port, kPorts);
  f.integer({"http_listen_conn_limit", "connections at a time; 0: 4096"}, server.connection_limit, kCounts);
  f.text({"http_path_prefix", "in front of every path"}, server.path_prefix);
  f.duration({"http_server_read_timeout", "for the body of a request"}, server.read_timeout);
  f.duration({"http_server_read_header_timeout", "for its headers; 0: as read_timeout"}, server.read_header_timeout);
  f.duration({"http_server_write_timeout", "for an answer that makes no progress"}, server.write_timeout);
  f.duration({"http_server_idle_timeout", "between requests"}, server.idle_timeout);
  f.duration({"graceful_shutdown_timeout", "for running requests at the end"}, server.graceful_shutdown_timeout);
}

void describe_listener_tls(Fields& f, ServerConfig& server) {
  f.block({"http_tls_config", ""}, "server.TLSConfig", nullptr, [&server](Fields& t) {
    t.text({"cert", "certificate, PEM"}, server.tls_cert);
    t.secret({"key", "its key, PEM"}, server.tls_key);
    t.text({"client_ca", "authority of client certificates, PEM"}, server.tls_client_ca);
    t.text({"cert_file", ""}, server.tls_cert_file);
    t.text({"key_file", ""}, server.tls_key_file);
    t.text({"client_ca_file", ""}, server.tls_client_ca_file);
    t.word({"client_auth_type", "default: NoClientCert"}, server.tls_client_auth, kClientAuth);
  });
  f.text({"tls_cipher_suites", "names of TLS 1.2 suites, divided by commas"}, server.tls_cipher_suites);
  f.word({"tls_min_version", "default: VersionTLS12"}, server.tls_min_version, kTlsNames);
}

void accept_grpc(Fields& f) {
  int no_port = 0;
  f.integer({"grpc_listen_port", "any number is accepted; no gRPC port is opened"}, no_port);
  f.accept({"grpc_listen_network", "grpc_listen_address", "grpc_listen_conn_limit", "grpc_tls_config",
            "grpc_server_max_recv_msg_size", "grpc_server_max_send_msg_size",
            "grpc_server_max_concurrent_streams", "grpc_server_max_connection_idle", "grpc_server_max_connection_age",
            "grpc_server_max_connection_age_grace", "grpc_server_keepalive_time", "grpc_server_keepalive_timeout",
            "grpc_server_min_time_between_pings", "grpc_server_ping_without_stream_allowed", "grpc_server_num_workers",
            "grpc_server_stats_tracking_enabled", "grpc_server_recv_buffer_pools_enabled",
            "grpc_collect_max_streams_by_conn", "report_grpc_codes_in_instrumentation_label_enabled"},
           "no gRPC port is opened");
}

}  // namespace

void describe_server(Fields& f, ServerConfig& server) {
  server.line = f.line();
  describe_listener(f, server);
  describe_listener_tls(f, server);
  f.flag({"register_instrumentation", "serve /metrics"}, server.register_instrumentation);
  f.flag({"health_check_target", "/ready waits for a target"}, server.health_check_target);
  f.flag({"disable", "listen nowhere"}, server.disable);
  f.flag({"profiling_enabled", "accepted; there are no profiles"}, server.profiling_enabled);
  f.flag({"enable_runtime_reload", "serve /reload and /-/reload"}, server.enable_runtime_reload);
  f.text({"external_url", "its path goes in front of links"}, server.external_url);
  f.word({"log_level", ""}, server.log_level, kLevels);
  f.word({"log_format", ""}, server.log_format, kFormats);
  accept_grpc(f);
  f.accept({"http_listen_network", "proxy_protocol_enabled"}, "the listener is plain TCP");
  f.accept({"log_source_ips_enabled", "log_source_ips_full", "log_source_ips_header", "log_source_ips_regex",
            "log_request_headers", "log_request_at_info_level_enabled", "log_request_exclude_headers_list",
            "trace_request_headers", "trace_request_exclude_headers_list",
            "http_log_closed_connections_without_response_enabled"},
           "requests are not logged");
  f.accept({"cluster_validation"}, "there is no cluster");
}

}  // namespace kvasir::agent
