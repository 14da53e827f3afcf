// rule_routes.h -- the rule API: groups read and written under three prefixes, state of rules and alerts.
//
// Routes:   GET/POST/DELETE /loki/api/v1/rules[/{namespace}[/{group}]] and the same under /api/prom/rules,
//           GET /prometheus/api/v1/rules, GET /prometheus/api/v1/alerts.
// Errors:   plain text as clients match it: `no rule groups found`, `group does not exist`, `unable to decoded rule
//           group` ...
// Threads:  handlers run on the "admin" pool; ruler and gate outlive the server.
#pragma once

#include "alerts/ruler.h"
#include "common/net/http_server.h"
#include "server/request_context.h"

namespace kvasir::server {

struct RuleServices {
  RequestGate& gate;
  alerts::Ruler& ruler;
  bool enable_api = true;  // false: only the state routes
};

void add_rule_routes(net::HttpServer& server, RuleServices services);

}  // namespace kvasir::server
