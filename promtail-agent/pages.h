// pages.h -- the agent's HTTP listener: /metrics, /ready, /targets, /service-discovery, /config, /reload.
//
// Threads:  handlers run on the server's own; they call the agent's page functions.
// Errors:   start(): io if the port is taken.
#pragma once

#include <memory>
#include <string>

#include "common/net/http_server.h"
#include "promtail-agent/config/config.h"
#include "promtail-agent/process_metrics.h"

namespace kvasir::agent {

class Agent;

class AgentPages {
 public:
  AgentPages(Agent& agent, ServerConfig config);
  ~AgentPages();
  Result<void> start();
  void stop();

 private:
  void add(const std::string& path, std::vector<std::string> methods,
           std::function<net::HttpResponse(const net::HttpRequest&)> answer);
  net::HttpResponse metrics_page(const net::HttpRequest& request);
  net::HttpResponse ready_page() const;
  net::HttpResponse targets_page(const net::HttpRequest& request) const;
  net::HttpResponse discovery_page(const net::HttpRequest& request) const;
  net::HttpResponse config_page(const net::HttpRequest& request) const;
  net::HttpResponse reload_page();

  Agent& agent_;
  const ServerConfig config_;
  ProcessMetrics process_;
  std::unique_ptr<net::HttpServer> server_;
};

/// Server options from a `server` block.
net::HttpServerOptions http_server_options(const ServerConfig& config);

}  // namespace kvasir::agent
