#include "server/start_ruler.h"

#include <algorithm>

#include <fmt/format.h>

#include "common/number.h"

namespace kvasir::server {
namespace {

std::string text_of(const YamlNode& node, std::string_view key) {
  const YamlNode* found = node.find(key);
  return found == nullptr ? "" : found->as_text().value_or("");
}

std::string without_last_slashes(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

std::vector<std::string> split_urls(std::string_view list) {
  std::vector<std::string> urls;
  while (!list.empty()) {
    const auto comma = list.find(',');
    std::string url(list.substr(0, comma));
    std::erase(url, ' ');
    url = without_last_slashes(std::move(url));
    if (!url.empty()) urls.push_back(std::move(url));
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  }
  return urls;
}

// The tls_config block of Prometheus, or the flat tls_* keys that Loki uses for Alertmanager.
net::TlsClientOptions tls_of(const YamlNode& node, std::string_view prefix) {
  const auto key = [&](std::string_view name) { return text_of(node, std::string(prefix) + std::string(name)); };
  net::TlsClientOptions tls;
  tls.ca_file = prefix.empty() ? key("ca_file") : key("ca_path");
  tls.cert_file = prefix.empty() ? key("cert_file") : key("cert_path");
  tls.key_file = prefix.empty() ? key("key_file") : key("key_path");
  tls.server_name = key("server_name");
  const YamlNode* skip = node.find(std::string(prefix) + "insecure_skip_verify");
  tls.insecure_skip_verify = skip != nullptr && skip->as_bool().value_or(false);
  return tls;
}

Result<std::unique_ptr<alerts::Notifier>> make_notifier(const RulerConfig& config) {
  alerts::NotifierOptions options;
  options.urls = split_urls(config.alertmanager_url);
  if (options.urls.empty()) return nullptr;
  options.timeout = config.notification_timeout;
  options.queue_capacity = config.notification_queue_capacity;
  const auto& client = config.alertmanager_client;
  if (const auto user = text_of(client, "basic_auth_username"); !user.empty()) {
    options.headers.set("Authorization", net::basic_auth(user, text_of(client, "basic_auth_password")));
  } else if (const auto credentials = text_of(client, "credentials"); !credentials.empty()) {
    const auto type = text_of(client, "type");
    options.headers.set("Authorization", (type.empty() ? "Bearer" : type) + " " + credentials);
  }
  KVASIR_TRY(auto http, net::make_http_client({.tls = tls_of(client, "tls_")}));
  return std::make_unique<alerts::Notifier>(std::move(options), std::move(http));
}

struct RemoteWriteClient {
  std::string name;
  const YamlNode* node = nullptr;
};

// The one client: `client:`, or the first of the map `clients:`.
RemoteWriteClient remote_write_client(const YamlNode& node) {
  if (const YamlNode* client = node.find("client"); client != nullptr && client->is_map()) {
    return {text_of(*client, "name"), client};
  }
  const YamlNode* clients = node.find("clients");
  if (clients == nullptr || !clients->is_map() || clients->entries.empty()) return {};
  return {clients->entries.front().key, &clients->entries.front().value};
}

void add_remote_write_headers(const YamlNode& client, net::HttpHeaders& headers) {
  if (const YamlNode* listed = client.find("headers"); listed != nullptr) {
    for (const auto& entry : listed->entries) headers.set(entry.key, entry.value.as_text().value_or(""));
  }
  if (const YamlNode* basic = client.find("basic_auth"); basic != nullptr && basic->is_map()) {
    headers.set("Authorization", net::basic_auth(text_of(*basic, "username"), text_of(*basic, "password")));
  }
}

Result<std::unique_ptr<alerts::RemoteWriter>> make_remote_writer(const RulerConfig& config, const Path& folder,
                                                                 Filesystem& filesystem) {
  const YamlNode* enabled = config.remote_write.find("enabled");
  if (enabled == nullptr || !enabled->as_bool().value_or(false)) return nullptr;
  const auto [name, client] = remote_write_client(config.remote_write);
  if (client == nullptr) return fail(ErrorCode::kInvalidArgument, "ruler.remote_write: enabled without a client");
  alerts::RemoteWriteOptions options;
  options.name = name;
  options.url = text_of(*client, "url");
  if (options.url.empty()) return fail(ErrorCode::kInvalidArgument, "ruler.remote_write: the client has no url");
  options.directory = join_path(folder, "remote-write");
  add_remote_write_headers(*client, options.headers);
  if (const auto text = text_of(*client, "remote_timeout"); !text.empty()) {
    const auto timeout = parse_prometheus_duration(text);
    if (!timeout) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("ruler.remote_write: remote_timeout is no duration: \"{}\"", text));
    }
    options.timeout = *timeout;
  }
  const YamlNode* org_id = config.remote_write.find("add_org_id_header");
  options.add_org_id_header = org_id == nullptr || org_id->as_bool().value_or(true);
  const YamlNode* tls = client->find("tls_config");
  KVASIR_TRY(auto http, net::make_http_client({.tls = tls == nullptr ? net::TlsClientOptions() : tls_of(*tls, "")}));
  return alerts::RemoteWriter::open(std::move(options), filesystem, std::move(http));
}

}  // namespace

Result<RulerParts> start_ruler(const RulerConfig& config, const RulerFolders& folders, const Clock& clock,
                               Filesystem& filesystem, RuleQueries queries) {
  RulerParts parts;
  KVASIR_TRY(parts.notifier, make_notifier(config));
  KVASIR_TRY(parts.remote_write, make_remote_writer(config, folders.state, filesystem));
  alerts::RulerOptions options;
  options.rules_directory = folders.rules;
  options.state_directory = join_path(folders.state, "alerts");
  options.evaluation_interval = config.evaluation_interval;
  options.poll_interval = config.poll_interval;
  options.resend_delay = config.resend_delay;
  options.for_outage_tolerance = config.for_outage_tolerance;
  options.for_grace_period = config.for_grace_period;
  options.external_url = without_last_slashes(config.external_url);
  options.datasource_uid = config.datasource_uid;
  for (const auto& entry : config.external_labels.entries) {
    options.external_labels.set(entry.key, entry.value.as_text().value_or(""));
  }
  if (auto relabel = Relabeler::parse(config.alert_relabel_configs)) {
    options.alert_relabel = std::move(*relabel);
  } else {
    return fail(relabel.error().with_context("ruler.alert_relabel_configs"));
  }
  parts.ruler = std::make_unique<alerts::Ruler>(
      std::move(options), alerts::RulerPorts{clock, filesystem, std::move(queries.values), std::move(queries.lines),
                                             parts.notifier.get(), parts.remote_write.get()});
  return parts;
}

}  // namespace kvasir::server
