#include "promtail-agent/config/scrape_config.h"

#include <fmt/format.h>

#include "promtail-agent/config/http_config.h"

namespace kvasir::agent {

namespace {

void read_static(const YamlNode& node, YamlProblems& problems, ScrapeConfig& out) {
  YamlFields fields(&node, "targetgroup.Group", problems);
  TargetGroup group;
  fields.read("targets", group.targets);
  fields.read("labels", group.labels);
  fields.finish();
  out.static_configs.push_back(std::move(group));
}

void read_file_sd(const YamlNode& node, YamlProblems& problems, ScrapeConfig& out) {
  YamlFields fields(&node, "file.SDConfig", problems);
  FileSdConfig sd;
  fields.read("files", sd.files);
  fields.read_long_duration("refresh_interval", sd.refresh_interval);
  fields.finish();
  out.file_sd.push_back(std::move(sd));
}

void read_http_sd(const YamlNode& node, YamlProblems& problems, ScrapeConfig& out) {
  YamlFields fields(&node, "http.SDConfig", problems);
  HttpSdConfig sd;
  fields.read("url", sd.url);
  fields.read_long_duration("refresh_interval", sd.refresh_interval);
  read_http_config(fields, sd.http);
  if (sd.url.empty()) fields.problem("url", "URL is missing");
  fields.finish();
  out.http_sd.push_back(std::move(sd));
}

void read_selectors(YamlFields& fields, KubernetesSdConfig& sd) {
  fields.each("selectors", [&](const YamlNode& node) {
    YamlFields inner(&node, "kubernetes.SelectorConfig", fields.problems());
    KubernetesSdConfig::Selector selector;
    inner.read("role", selector.role);
    inner.read("label", selector.label);
    inner.read("field", selector.field);
    inner.finish();
    sd.selectors.push_back(std::move(selector));
  });
}

void read_kubernetes_sd(const YamlNode& node, YamlProblems& problems, ScrapeConfig& out) {
  YamlFields fields(&node, "kubernetes.SDConfig", problems);
  KubernetesSdConfig sd;
  fields.read_word("role", {"pod", "service", "endpoints", "endpointslice", "node", "ingress"}, sd.role);
  if (sd.role.empty()) {
    fields.problem("role", "role missing (one of: pod, service, endpoints, endpointslice, node, ingress)");
  }
  fields.read("api_server", sd.api_server);
  fields.read("kubeconfig_file", sd.kubeconfig_file);
  fields.read("node_name", sd.node_name);
  if (!sd.api_server.empty() && !sd.kubeconfig_file.empty()) {
    fields.problem("kubeconfig_file", "cannot use 'kubeconfig_file' and 'api_server' simultaneously");
  }
  YamlFields namespaces(fields.node("namespaces"), "kubernetes.NamespaceDiscovery", problems);
  namespaces.read("own_namespace", sd.own_namespace);
  namespaces.read("names", sd.namespaces);
  namespaces.finish();
  YamlFields attach(fields.node("attach_metadata"), "kubernetes.AttachMetadataConfig", problems);
  attach.read("node", sd.attach_node);
  attach.ignore({"namespace", "deployment", "job", "cronjob"});
  attach.finish();
  read_selectors(fields, sd);
  read_http_config(fields, sd.http);
  fields.finish();
  out.kubernetes_sd.push_back(std::move(sd));
}

void read_docker_sd(const YamlNode& node, YamlProblems& problems, ScrapeConfig& out) {
  YamlFields fields(&node, "moby.DockerSDConfig", problems);
  DockerSdConfig sd;
  fields.read("host", sd.host);
  fields.read("port", sd.port);
  fields.read("host_networking_host", sd.host_networking_host);
  fields.read_long_duration("refresh_interval", sd.refresh_interval);
  fields.ignore({"match_first_network"});
  fields.each("filters", [&](const YamlNode& item) {
    YamlFields inner(&item, "moby.Filter", problems);
    DockerSdConfig::Filter filter;
    inner.read("name", filter.name);
    inner.read("values", filter.values);
    inner.finish();
    sd.filters.push_back(std::move(filter));
  });
  read_http_config(fields, sd.http);
  if (sd.host.empty()) fields.problem("host", "host missing");
  fields.finish();
  out.docker_sd.push_back(std::move(sd));
}

void read_journal(const YamlNode* node, YamlProblems& problems, JournalConfig& out) {
  if (node == nullptr) return;
  out.set = true;
  YamlFields fields(node, "scrapeconfig.JournalTargetConfig", problems);
  fields.read("json", out.json);
  fields.read("max_age", out.max_age);
  fields.read("labels", out.labels);
  fields.read("path", out.path);
  fields.read("matches", out.matches);
  fields.finish();
}

void read_syslog(const YamlNode* node, YamlProblems& problems, SyslogConfig& out) {
  if (node == nullptr) return;
  out.set = true;
  YamlFields fields(node, "scrapeconfig.SyslogTargetConfig", problems);
  fields.read("listen_address", out.listen_address);
  fields.read("listen_protocol", out.listen_protocol);
  fields.read_duration("idle_timeout", out.idle_timeout);
  fields.read_duration("flush_timeout", out.flush_timeout);
  fields.read("label_structured_data", out.label_structured_data);
  fields.read("labels", out.labels);
  fields.read("use_incoming_timestamp", out.use_incoming_timestamp);
  fields.read("use_rfc5424_message", out.use_rfc5424_message);
  fields.read("syslog_format", out.format);
  fields.read("max_message_length", out.max_message_length);
  read_tls_config(fields.node("tls_config"), problems, out.tls);
  fields.finish();
}

void read_gelf(const YamlNode* node, YamlProblems& problems, GelfConfig& out) {
  if (node == nullptr) return;
  out.set = true;
  YamlFields fields(node, "scrapeconfig.GelfTargetConfig", problems);
  fields.read("listen_address", out.listen_address);
  fields.read("labels", out.labels);
  fields.read("use_incoming_timestamp", out.use_incoming_timestamp);
  fields.finish();
}

void read_push(const YamlNode* node, YamlProblems& problems, PushTargetConfig& out) {
  if (node == nullptr) return;
  out.set = true;
  YamlFields fields(node, "scrapeconfig.PushTargetConfig", problems);
  read_server_config(fields.node("server"), problems, out.server);
  fields.read("labels", out.labels);
  fields.read("use_incoming_timestamp", out.use_incoming_timestamp);
  fields.read("forward_tenant", out.forward_tenant);
  fields.read_bytes("max_send_msg_size", out.body_bytes_max);
  fields.finish();
}

void read_decompression(const YamlNode* node, YamlProblems& problems, DecompressionConfig& out) {
  YamlFields fields(node, "scrapeconfig.DecompressionConfig", problems);
  fields.read("enabled", out.enabled);
  fields.read_duration("initial_delay", out.initial_delay);
  fields.read("format", out.format);
  fields.finish();
}

void read_file_options(const YamlNode* node, YamlProblems& problems, FileOptions& out) {
  YamlFields fields(node, "scrapeconfig.FileOptions", problems);
  std::string start = "beginning";
  std::string overlong = "split";
  fields.read_word("start_at", {"beginning", "end"}, start);
  fields.read_long_duration("ignore_older", out.ignore_older);
  fields.read_duration("rotate_wait", out.rotate_wait);
  fields.read_duration("partial_flush_timeout", out.partial_flush_timeout);
  fields.read_bytes("max_line_bytes", out.max_line_bytes);
  fields.read_word("on_overlong", {"drop", "truncate", "split"}, overlong);
  fields.finish();
  out.start_at_end = start == "end";
  out.on_overlong = overlong == "drop"       ? FileOptions::Overlong::kDrop
                    : overlong == "truncate" ? FileOptions::Overlong::kTruncate
                                             : FileOptions::Overlong::kSplit;
}

void read_http_listener(YamlFields& fields, ServerConfig& out) {
  fields.read("http_listen_address", out.listen_address);
  fields.read("http_listen_port", out.listen_port);
  fields.read("http_listen_conn_limit", out.connection_limit);
  fields.read("http_path_prefix", out.path_prefix);
  fields.read_duration("http_server_read_timeout", out.read_timeout);
  fields.read_duration("http_server_write_timeout", out.write_timeout);
  fields.read_duration("http_server_idle_timeout", out.idle_timeout);
  fields.read_duration("graceful_shutdown_timeout", out.graceful_shutdown_timeout);
  YamlFields tls(fields.node("http_tls_config"), "server.TLSConfig", fields.problems());
  tls.read("cert_file", out.tls_cert_file);
  tls.read("key_file", out.tls_key_file);
  tls.read("client_ca_file", out.tls_client_ca_file);
  tls.read("client_auth_type", out.tls_client_auth);
  tls.ignore({"cert", "key", "client_ca"});
  tls.finish();
}

/// Keys of the gRPC listener (no port is opened) and of logging details that have no counterpart here.
void ignore_server_details(YamlFields& fields) {
  fields.ignore({"http_listen_network", "http_server_read_header_timeout", "grpc_listen_network",
                 "grpc_listen_address", "grpc_listen_conn_limit", "grpc_tls_config", "tls_cipher_suites",
                 "tls_min_version", "proxy_protocol_enabled", "log_source_ips_enabled", "log_source_ips_full",
                 "log_source_ips_header", "log_source_ips_regex", "log_request_headers",
                 "log_request_at_info_level_enabled", "log_request_exclude_headers_list", "trace_request_headers",
                 "trace_request_exclude_headers_list", "http_log_closed_connections_without_response_enabled",
                 "report_grpc_codes_in_instrumentation_label_enabled", "grpc_server_max_recv_msg_size",
                 "grpc_server_max_send_msg_size", "grpc_server_max_concurrent_streams",
                 "grpc_server_max_connection_idle", "grpc_server_max_connection_age",
                 "grpc_server_max_connection_age_grace", "grpc_server_keepalive_time",
                 "grpc_server_keepalive_timeout", "grpc_server_min_time_between_pings",
                 "grpc_server_ping_without_stream_allowed", "grpc_server_num_workers",
                 "grpc_server_stats_tracking_enabled", "grpc_server_recv_buffer_pools_enabled",
                 "grpc_collect_max_streams_by_conn", "cluster_validation"});
  int grpc_port = 0;
  fields.read("grpc_listen_port", grpc_port);
}

}  // namespace

void read_server_config(const YamlNode* node, YamlProblems& problems, ServerConfig& out) {
  YamlFields fields(node, "server.Config", problems);
  read_http_listener(fields, out);
  fields.read("register_instrumentation", out.register_instrumentation);
  fields.read("health_check_target", out.health_check_target);
  fields.read("disable", out.disable);
  fields.read("profiling_enabled", out.profiling_enabled);
  fields.read("enable_runtime_reload", out.enable_runtime_reload);
  fields.read("external_url", out.external_url);
  fields.read_word("log_level", {"debug", "info", "warn", "error"}, out.log_level);
  fields.read_word("log_format", {"logfmt", "json"}, out.log_format);
  ignore_server_details(fields);
  fields.finish();
}

ScrapeConfig read_scrape_config(const YamlNode& node, YamlProblems& problems) {
  YamlFields fields(&node, "scrapeconfig.Config", problems);
  ScrapeConfig out;
  out.line = fields.line();
  fields.read("job_name", out.job_name);
  fields.read("encoding", out.encoding);
  if (const YamlNode* stages = fields.node("pipeline_stages")) out.pipeline_stages = *stages;
  if (const YamlNode* rules = fields.node("relabel_configs")) out.relabel_configs = *rules;
  read_decompression(fields.node("decompression"), problems, out.decompression);
  read_file_options(fields.node("file"), problems, out.file);
  fields.each("static_configs", [&](const YamlNode& item) { read_static(item, problems, out); });
  fields.each("file_sd_configs", [&](const YamlNode& item) { read_file_sd(item, problems, out); });
  fields.each("http_sd_configs", [&](const YamlNode& item) { read_http_sd(item, problems, out); });
  fields.each("kubernetes_sd_configs", [&](const YamlNode& item) { read_kubernetes_sd(item, problems, out); });
  fields.each("docker_sd_configs", [&](const YamlNode& item) { read_docker_sd(item, problems, out); });
  read_journal(fields.node("journal"), problems, out.journal);
  read_syslog(fields.node("syslog"), problems, out.syslog);
  read_gelf(fields.node("gelf"), problems, out.gelf);
  read_push(fields.node("loki_push_api"), problems, out.push);
  for (const char* later : {"gcplog", "windows_events", "kafka", "azure_event_hubs", "cloudflare", "heroku_drain",
                            "dns_sd_configs", "consul_sd_configs", "consulagent_sd_configs", "digitalocean_sd_configs",
                            "dockerswarm_sd_configs", "serverset_sd_configs", "nerve_sd_configs",
                            "marathon_sd_configs", "gce_sd_configs", "ec2_sd_configs", "openstack_sd_configs",
                            "azure_sd_configs", "triton_sd_configs"}) {
    if (fields.has(later)) out.unsupported.emplace_back(later);
  }
  fields.finish();
  return out;
}

}  // namespace kvasir::agent
