// The keys of scrape_configs: where lines come from.
#include <fmt/format.h>

#include "promtail-agent/config/blocks.h"
#include "promtail-agent/config/value_rules.h"

namespace kvasir::agent {

namespace {

constexpr std::string_view kRoles[] = {"pod", "service", "endpoints", "endpointslice", "node", "ingress"};
/// Sources that are known and not built, and what does their work.
struct NotBuilt {
  const char* block;
  const char* instead;
};
constexpr const char* kCollector =
    "let a collector that reads it push to a loki_push_api job of this agent, or to the server itself";
constexpr const char* kTargetList =
    "write its targets into a file for file_sd_configs, or serve them as a list for http_sd_configs";
constexpr NotBuilt kNotBuilt[] = {
    {"gcplog", kCollector},
    {"windows_events", "there are none on Linux"},
    {"kafka", kCollector},
    {"azure_event_hubs", kCollector},
    {"cloudflare", kCollector},
    {"heroku_drain", kCollector},
    {"dns_sd_configs", kTargetList},
    {"consul_sd_configs", kTargetList},
    {"consulagent_sd_configs", kTargetList},
    {"digitalocean_sd_configs", kTargetList},
    {"dockerswarm_sd_configs", kTargetList},
    {"serverset_sd_configs", kTargetList},
    {"nerve_sd_configs", kTargetList},
    {"marathon_sd_configs", kTargetList},
    {"gce_sd_configs", kTargetList},
    {"ec2_sd_configs", kTargetList},
    {"openstack_sd_configs", kTargetList},
    {"azure_sd_configs", kTargetList},
    {"triton_sd_configs", kTargetList}};

/// A folder without patterns, one `*` at most in the file's name, and an ending that tells the form.
bool is_target_file(std::string_view pattern) {
  const std::size_t star = pattern.find('*');
  const bool one_star = star == std::string_view::npos || pattern.find_first_of("*/", star + 1) == std::string_view::npos;
  return one_star && (pattern.ends_with(".json") || pattern.ends_with(".yml") || pattern.ends_with(".yaml"));
}

void demand_address(Fields& f, const std::string& address) {
  const std::string problem = find_address_problem(address);
  f.demand(problem.empty(), "listen_address", fmt::format("listen_address \"{}\": {}", address, problem));
}

bool has_credentials(const HttpConfig& http) {
  return http.basic_auth.set || http.authorization_set || http.oauth2.set || !http.bearer_token.empty() ||
         !http.bearer_token_file.empty();
}

void describe_file_sd(Fields& f, FileSdConfig& sd) {
  f.texts({"files", "patterns of files that hold a list of {targets, labels}, YAML or JSON"}, sd.files);
  for (const std::string& pattern : sd.files) {
    f.demand(is_target_file(pattern), "files", "path name \"" + pattern + "\" is not valid for file discovery");
  }
  f.advise(!sd.files.empty(), "files", "files: the list is empty, no target comes of it");
  f.some_time({"refresh_interval", "changes are seen within a second"}, sd.refresh_interval, DurationForm::kPrometheus);
}

void describe_http_sd(Fields& f, HttpSdConfig& sd) {
  f.url({"url", "answers a list of {targets, labels}"}, sd.url);
  f.some_time({"refresh_interval", ""}, sd.refresh_interval, DurationForm::kPrometheus);
  describe_http(f, sd.http);
  f.demand(!sd.url.empty(), "url", "URL is missing");
}

void describe_selector(Fields& f, KubernetesSdConfig::Selector& selector) {
  f.text({"role", "which objects"}, selector.role);
  f.text({"label", "label selector"}, selector.label);
  f.text({"field", "field selector"}, selector.field);
}

void describe_kubernetes_sd(Fields& f, KubernetesSdConfig& sd) {
  f.word({"role", "what is a target: pod, service, endpoints, endpointslice, node, ingress"}, sd.role, kRoles);
  f.demand(!sd.role.empty(), "role", "role missing (one of: pod, service, endpoints, endpointslice, node, ingress)");
  f.url({"api_server", "default: that of the cluster this runs in, with the pod's service account"}, sd.api_server);
  f.text({"kubeconfig_file", ""}, sd.kubeconfig_file);
  f.demand(sd.api_server.empty() || sd.kubeconfig_file.empty(), "kubeconfig_file",
           "cannot use 'kubeconfig_file' and 'api_server' simultaneously");
  f.text({"node_name", "whose pods; default: $NODE_NAME, else the name of this host"}, sd.node_name);
  f.block({"namespaces", "default: all"}, "kubernetes.NamespaceDiscovery", nullptr, [&sd](Fields& n) {
    n.flag({"own_namespace", "that of the service account"}, sd.own_namespace);
    n.texts({"names", ""}, sd.namespaces);
  });
  f.block({"attach_metadata", "labels of related objects for pods"}, "kubernetes.AttachMetadataConfig", nullptr,
          [&sd](Fields& a) {
            a.flag({"node", "labels and annotations of the node"}, sd.attach_node);
            a.flag({"namespace", "labels and annotations of the namespace"}, sd.attach_namespace);
            a.flag({"deployment", "name of the deployment"}, sd.attach_deployment);
            a.flag({"job", "name of the job"}, sd.attach_job);
            a.flag({"cronjob", "name of the cron job"}, sd.attach_cronjob);
          });
  f.blocks({"selectors", "which objects the API server sends"}, "kubernetes.SelectorConfig", sd.selectors, describe_selector);
  describe_http(f, sd.http);
  f.demand(!has_credentials(sd.http) || !sd.api_server.empty(), "api_server",
           "to use custom HTTP client configuration please provide the 'api_server' URL explicitly");
}

void describe_filter(Fields& f, DockerSdConfig::Filter& filter) {
  f.text({"name", ""}, filter.name);
  f.texts({"values", ""}, filter.values);
}

void describe_docker_sd(Fields& f, DockerSdConfig& sd) {
  f.url({"host", "unix:///var/run/docker.sock, tcp://host:port, http(s)://host:port"}, sd.host);
  f.integer({"port", "of containers without a port"}, sd.port, {0, 65535});
  f.text({"host_networking_host", "address of containers in the host's network"}, sd.host_networking_host);
  f.some_time({"refresh_interval", "how often containers are listed"}, sd.refresh_interval, DurationForm::kPrometheus);
  f.flag({"match_first_network", "no effect: logs are read once, with the labels of the first network by name"}, sd.match_first_network);
  f.blocks({"filters", "which containers, as `docker ps --filter`"}, "moby.Filter", sd.filters, describe_filter);
  describe_http(f, sd.http);
  f.demand(!sd.host.empty(), "host", "host missing");
}

void describe_journal(Fields& f, JournalConfig& journal) {
  journal.line = f.line();
  f.flag({"json", "the line is a JSON object of all fields"}, journal.json);
  f.text({"max_age", "oldest entry that is read without a position"}, journal.max_age);
  f.labels({"labels", ""}, journal.labels);
  f.text({"path", "folder of the journal; default: those of the system"}, journal.path);
  f.text({"matches", "FIELD=value terms; `+` between terms is an or"}, journal.matches);
}

void describe_syslog(Fields& f, SyslogConfig& syslog) {
  syslog.line = f.line();
  f.text({"listen_address", "host:port"}, syslog.listen_address);
  if (!syslog.listen_address.empty()) demand_address(f, syslog.listen_address);
  f.text({"listen_protocol", "tcp or udp"}, syslog.listen_protocol);
  f.duration({"idle_timeout", "a silent connection is closed"}, syslog.idle_timeout);
  f.duration({"flush_timeout", "silence that completes a message framed by newlines"}, syslog.flush_timeout);
  f.flag({"label_structured_data", "labels out of RFC 5424 structured data"}, syslog.label_structured_data);
  f.labels({"labels", ""}, syslog.labels);
  f.flag({"use_incoming_timestamp", "the message's time instead of now"}, syslog.use_incoming_timestamp);
  f.flag({"use_rfc5424_message", "the line is the whole message"}, syslog.use_rfc5424_message);
  f.text({"syslog_format", "rfc5424 or rfc3164"}, syslog.format);
  f.text({"location", "time zone of RFC 3164 times, an IANA name or Local"}, syslog.location);
  f.integer({"max_message_length", "in bytes; 0: 8192"}, syslog.max_message_length);
  f.demand(syslog.max_message_length >= 0, "max_message_length",
           fmt::format("max_message_length {}: must not be negative", syslog.max_message_length));
  describe_tls(f, {"tls_config", "cert_file and key_file switch TLS on, ca_file asks clients for certificates"},
               syslog.tls);
}

void describe_gelf(Fields& f, GelfConfig& gelf) {
  f.text({"listen_address", "host:port, UDP"}, gelf.listen_address);
  demand_address(f, gelf.listen_address);
  f.labels({"labels", ""}, gelf.labels);
  f.flag({"use_incoming_timestamp", "the message's time instead of now"}, gelf.use_incoming_timestamp);
}

void describe_push(Fields& f, PushTargetConfig& push) {
  f.block({"server", "the listener"}, "server.Config", nullptr,
          [&push](Fields& s) { describe_server(s, push.server); });
  f.labels({"labels", ""}, push.labels);
  f.flag({"use_incoming_timestamp", "the entries' times instead of now"}, push.use_incoming_timestamp);
  f.flag({"forward_tenant", "X-Scope-OrgID of the push becomes the tenant"}, push.forward_tenant);
  f.bytes({"max_send_msg_size", "largest push, decompressed"}, push.body_bytes_max);
}

void describe_decompression(Fields& f, DecompressionConfig& decompression) {
  decompression.line = f.line();
  f.flag({"enabled", "the files are compressed"}, decompression.enabled);
  f.duration({"initial_delay", "before a file is opened"}, decompression.initial_delay);
  f.text({"format", "gz, z, bz2, zst; default: the first bytes tell"}, decompression.format);
}

void describe_file(Fields& f, FileOptions& file) {
  using Overlong = FileOptions::Overlong;
  f.choice<bool>({"start_at", "beginning or end, for files without a position"}, file.start_at_end,
                 {{"beginning", false}, {"end", true}});
  f.duration({"ignore_older", "files not written to for so long start at their end; 0: none"}, file.ignore_older,
             DurationForm::kPrometheus);
  f.duration({"rotate_wait", "how long a rotated file is followed after its last byte"}, file.rotate_wait);
  f.duration({"partial_flush_timeout", "send a line without newline after so much silence; 0: wait"},
             file.partial_flush_timeout);
  f.bytes({"max_line_bytes", "longest line; 0: 2 MiB"}, file.max_line_bytes);
  f.choice<Overlong>({"on_overlong", "what happens to longer ones: split, truncate, drop"}, file.on_overlong,
                     {{"split", Overlong::kSplit}, {"truncate", Overlong::kTruncate}, {"drop", Overlong::kDrop}});
}

template <class Block>
void optional_block(Fields& f, Key key, std::string_view type, Block& block, void (*describe_it)(Fields&, Block&)) {
  f.block(key, type, &block.set, [&block, describe_it](Fields& inside) { describe_it(inside, block); });
}

void describe_sources(Fields& f, ScrapeConfig& scrape) {
  f.blocks({"static_configs", "files by `__path__`, with labels"}, "targetgroup.Group", scrape.static_configs, describe_group);
  f.blocks({"file_sd_configs", "targets out of files"}, "file.SDConfig", scrape.file_sd, describe_file_sd);
  f.blocks({"http_sd_configs", "targets from an address"}, "http.SDConfig", scrape.http_sd, describe_http_sd);
  f.blocks({"kubernetes_sd_configs", "targets from the Kubernetes API"}, "kubernetes.SDConfig", scrape.kubernetes_sd, describe_kubernetes_sd);
  f.blocks({"docker_sd_configs", "logs of containers through the Docker API"}, "moby.DockerSDConfig",
           scrape.docker_sd, describe_docker_sd);
  optional_block(f, {"journal", "the systemd journal"}, "scrapeconfig.JournalTargetConfig", scrape.journal, describe_journal);
  optional_block(f, {"syslog", "a syslog receiver"}, "scrapeconfig.SyslogTargetConfig", scrape.syslog, describe_syslog);
  optional_block(f, {"gelf", "a GELF receiver"}, "scrapeconfig.GelfTargetConfig", scrape.gelf, describe_gelf);
  optional_block(f, {"loki_push_api", "a receiver of pushes"}, "scrapeconfig.PushTargetConfig", scrape.push, describe_push);
  for (const auto& [name, instead] : kNotBuilt) {
    YamlNode block;
    f.yaml({name, "known, not built: the start fails and names it"}, block);
    if (!block.is_null()) scrape.unsupported.push_back({name, instead, block.line});
  }
}

}  // namespace

void describe_group(Fields& f, TargetGroup& group) {
  f.texts({"targets", "for file targets only `__address__`"}, group.targets);
  group.line = f.line();
  f.labels({"labels", "`__path__`, `__path_exclude__` and `__host__` choose files; the others go with the lines"},
          group.labels);
}

void describe_scrape(Fields& f, ScrapeConfig& scrape) {
  scrape.line = f.line();
  f.text({"job_name", "its own for each scrape config; no label comes of it"}, scrape.job_name);
  f.yaml({"pipeline_stages", "see [stages](stages.md)"}, scrape.pipeline_stages);
  f.yaml({"relabel_configs", "Prometheus' relabel rules"}, scrape.relabel_configs);
  f.text({"encoding", "character set of the files, by its IANA name; default: UTF-8"}, scrape.encoding);
  f.block({"decompression", ""}, "scrapeconfig.DecompressionConfig", nullptr,
          [&scrape](Fields& d) { describe_decompression(d, scrape.decompression); });
  f.block({"file", "how files are read"}, "scrapeconfig.FileOptions", nullptr,
          [&scrape](Fields& o) { describe_file(o, scrape.file); });
  describe_sources(f, scrape);
}

}  // namespace kvasir::agent
