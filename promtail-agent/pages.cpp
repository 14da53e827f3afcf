#include "promtail-agent/pages.h"

#include <fmt/format.h>

#include "common/json_writer.h"
#include "promtail-agent/agent.h"
#include "promtail-agent/client/pem_file.h"

namespace kvasir::agent {

namespace {

inline constexpr std::size_t kDroppedShownMax = 100;

std::string html_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&#34;"; break;
      default: out += c;
    }
  }
  return out;
}

net::HttpResponse html(const std::string& title, const std::string& body) {
  net::HttpResponse response;
  response.headers.set("Content-Type", "text/html; charset=utf-8");
  response.body = fmt::format(
      "<!DOCTYPE html><html><head><title>{0}</title><style>body{{font-family:sans-serif;margin:2em}}"
      "table{{border-collapse:collapse}}td,th{{border:1px solid #ccc;padding:.3em .6em;text-align:left}}</style></head>"
      "<body><p><a href=\"targets\">Targets</a> <a href=\"service-discovery\">Service discovery</a> "
      "<a href=\"config\">Configuration</a></p><h1>{0}</h1>{1}</body></html>\n",
      title, body);
  return response;
}

bool wants(const net::HttpRequest& request, std::string_view format) { return request.params.get("format") == format; }

void write_labels(JsonWriter& json, std::string_view key, const Labels& labels) {
  json.key(key).begin_object();
  for (const Label& label : labels) json.key(label.name).string(label.value);
  json.end_object();
}

std::string status_json(const std::vector<Agent::JobStatus>& jobs) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  for (const auto& job : jobs) {
    json.key(job.name).begin_array();
    for (const TargetStatus& target : job.targets) {
      json.begin_object().key("type").string(target.type).key("ready").boolean(target.ready);
      write_labels(json, "discovered", target.discovered);
      write_labels(json, "labels", target.labels);
      json.key("dropped").string(target.dropped).key("details").begin_object();
      for (const auto& [name, value] : target.details) json.key(name).string(value);
      json.end_object().end_object();
    }
    json.end_array();
  }
  json.end_object();
  return out;
}

net::TlsServerOptions tls_options(const ServerConfig& config) {
  net::TlsServerOptions tls;
  tls.cert_file = pem_path(config.tls_cert, config.tls_cert_file);
  tls.key_file = pem_path(config.tls_key, config.tls_key_file);
  tls.client_ca_file = pem_path(config.tls_client_ca, config.tls_client_ca_file);
  tls.cipher_suites = config.tls_cipher_suites;
  constexpr std::string_view kVersionPrefix = "Version";  // of VersionTLS12
  if (!config.tls_min_version.empty()) tls.min_version = config.tls_min_version.substr(kVersionPrefix.size());
  const std::string& asked = config.tls_client_auth;
  if (asked == "RequireAndVerifyClientCert" || asked == "RequireAnyClientCert") {
    tls.client_auth = net::TlsClientAuth::kRequireAndVerify;
  } else if (asked == "VerifyClientCertIfGiven" || asked == "RequestClientCert") {
    tls.client_auth = net::TlsClientAuth::kRequest;
  }
  return tls;
}

}  // namespace

net::HttpServerOptions http_server_options(const ServerConfig& config) {
  net::HttpServerOptions options;
  // Promtail's files write an IPv6 address in brackets.
  const std::string_view address = config.listen_address;
  const bool brackets = address.starts_with('[') && address.ends_with(']');
  options.address = brackets ? address.substr(1, address.size() - 2) : address;
  options.port = static_cast<std::uint16_t>(config.listen_port);
  if (config.connection_limit > 0) options.connections_max = static_cast<std::size_t>(config.connection_limit);
  options.body_timeout = config.read_timeout;
  options.write_timeout = config.write_timeout;
  options.idle_timeout = config.idle_timeout;
  if (config.read_header_timeout > Duration(0)) options.header_timeout = config.read_header_timeout;
  options.tls = tls_options(config);
  return options;
}

AgentPages::AgentPages(Agent& agent, ServerConfig config)
    : agent_(agent), config_(std::move(config)), process_(agent.metrics()) {
  net::HttpServerOptions options = http_server_options(config_);
  process_.set_connections_limit(options.connections_max);
  options.on_exchange = [this](const net::HttpExchange& exchange) { process_.count_exchange(exchange); };
  options.pools.push_back({"pages", 2, 64});
  server_ = std::make_unique<net::HttpServer>(std::move(options));
  add("/ready", {"GET", "HEAD"}, [this](const net::HttpRequest&) { return ready_page(); });
  add("/healthz", {"GET", "HEAD"}, [](const net::HttpRequest&) { return net::HttpResponse::text(200, "ok\n"); });
  add("/targets", {"GET"}, [this](const net::HttpRequest& request) { return targets_page(request); });
  add("/service-discovery", {"GET"}, [this](const net::HttpRequest& request) { return discovery_page(request); });
  add("/config", {"GET"}, [this](const net::HttpRequest& request) { return config_page(request); });
  add("/", {"GET"}, [this](const net::HttpRequest&) {
    net::HttpResponse response;
    response.status = 303;
    const std::size_t host = config_.external_url.find("://");
    const std::size_t path = host == std::string::npos ? host : config_.external_url.find('/', host + 3);
    std::string base = path == std::string::npos ? config_.path_prefix : config_.external_url.substr(path);
    while (base.ends_with('/')) base.pop_back();
    response.headers.set("Location", base + "/targets");
    return response;
  });
  if (config_.register_instrumentation) {
    add("/metrics", {"GET", "HEAD"}, [this](const net::HttpRequest& request) { return metrics_page(request); });
  }
  if (config_.enable_runtime_reload) {
    for (const char* path : {"/reload", "/-/reload"}) {
      add(path, {}, [this](const net::HttpRequest&) { return reload_page(); });
    }
  }
}

AgentPages::~AgentPages() { stop(); }

void AgentPages::add(const std::string& path, std::vector<std::string> methods,
                     std::function<net::HttpResponse(const net::HttpRequest&)> answer) {
  net::HttpRoute route;
  route.methods = std::move(methods);
  std::string prefix = config_.path_prefix;
  while (prefix.ends_with('/')) prefix.pop_back();
  route.pattern = prefix + path;
  route.pool = "pages";
  route.handler = [this, path, answer = std::move(answer)](net::HttpRequest request,
                                                           std::shared_ptr<net::HttpReply> reply) {
    const SeriesPtr inflight = process_.inflight(request.method, path);
    inflight->add(1);
    reply->send(answer(request));
    inflight->add(-1);
  };
  server_->add(std::move(route));
}

Result<void> AgentPages::start() { return server_->start(); }

void AgentPages::stop() { server_->drain(std::chrono::milliseconds(500)); }

net::HttpResponse AgentPages::metrics_page(const net::HttpRequest& request) {
  process_.refresh();
  process_.set_connections(server_->connection_count());
  const auto accept = request.headers.get("Accept");
  const bool open = accept && accept->find("application/openmetrics-text") != std::string_view::npos;
  net::HttpResponse response;
  response.headers.set("Content-Type", open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                            : "text/plain; version=0.0.4; charset=utf-8");
  response.body = agent_.metrics().render(open ? MetricsFormat::kOpenMetrics : MetricsFormat::kPrometheus);
  return response;
}

net::HttpResponse AgentPages::ready_page() const {
  if (agent_.ready()) return net::HttpResponse::text(200, "Ready\n");
  return net::HttpResponse::text(
      500, "Not ready: Unable to find any logs to tail. Please verify permissions, volumes, scrape_config, etc.\n");
}

net::HttpResponse AgentPages::targets_page(const net::HttpRequest& request) const {
  const auto jobs = agent_.status();
  if (wants(request, "json")) return net::HttpResponse::json(200, status_json(jobs));
  std::string body;
  for (const auto& job : jobs) {
    body += fmt::format("<h2>{}</h2><table><tr><th>Type</th><th>Ready</th><th>Labels</th><th>Details</th></tr>",
                        html_escaped(job.name));
    for (const TargetStatus& target : job.targets) {
      if (!target.dropped.empty()) continue;
      std::string details;
      for (const auto& [name, value] : target.details)
        details += html_escaped(name) + ": " + html_escaped(value) + "<br>";
      body += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", target.type, target.ready,
                          html_escaped(target.labels.to_string()), details);
    }
    body += "</table>";
  }
  return html("Targets", body);
}

net::HttpResponse AgentPages::discovery_page(const net::HttpRequest& request) const {
  const auto jobs = agent_.status();
  if (wants(request, "json")) return net::HttpResponse::json(200, status_json(jobs));
  std::string body;
  for (const auto& job : jobs) {
    body += fmt::format("<h2>{}</h2><table><tr><th>Discovered</th><th>Labels</th><th>Dropped</th></tr>",
                        html_escaped(job.name));
    std::size_t dropped = 0;
    for (const TargetStatus& target : job.targets) {
      if (target.discovered.empty()) continue;
      if (!target.dropped.empty() && ++dropped > kDroppedShownMax) continue;
      body += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>", html_escaped(target.discovered.to_string()),
                          html_escaped(target.labels.to_string()), html_escaped(target.dropped));
    }
    body += "</table>";
  }
  return html("Service discovery", body);
}

net::HttpResponse AgentPages::config_page(const net::HttpRequest& request) const {
  const std::string text = agent_.config_text();
  if (wants(request, "yaml")) return net::HttpResponse::text(200, text);
  return html("Configuration", "<pre>" + html_escaped(text) + "</pre>");
}

net::HttpResponse AgentPages::reload_page() {
  const auto reloaded = agent_.reload();
  if (!reloaded)
    return net::HttpResponse::text(500, fmt::format("failed to reload config: {}\n", reloaded.error().message()));
  return net::HttpResponse::text(200, *reloaded ? "" : "config has not changed\n");
}

}  // namespace kvasir::agent
