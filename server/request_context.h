// request_context.h -- who asks and under which limits; the first thing every tenant route does.
//
// Use:      auto context = gate.single_tenant(request, *reply); if (!context) return;   // already answered
// Lifetime: values; settings are immutable and live as long as a context holds them (a reload makes new ones).
// Threads:  RequestGate may be used from any thread.
// Errors:   answered by the gate itself: 401 `no org id`, 400 for broken ids and for several ids where one is wanted,
//           403 for a role that may not do this.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/net/http_server.h"
#include "common/net/http_types.h"

namespace kvasir::server {

struct ReadPolicy;      // server/read_policy.h
struct TenantSettings;  // server/tenant_settings.h: write half ingest::TenantLimits, read half, retention

/// What a caller may do; each right includes those above it.
enum class Role { kRead, kWrite, kAdmin };

/// One tenant.
struct RequestContext {
  std::string tenant;
  std::shared_ptr<const TenantSettings> settings;
  std::string caller;    // name of the credential, for the log
};

/// The tenants of a query, sorted, at least one.
struct QueryTenants {
  std::vector<RequestContext> tenants;
  bool several = false;  // the header named more than one id: results carry __tenant_id__
  std::string caller;    // name of the credential, for the log
  std::shared_ptr<const ReadPolicy> policy;  // null: everything; VisibleStore and QueryService apply it
};

class RequestGate {
 public:
  virtual ~RequestGate() = default;
  /// An empty optional: the reply has been sent.
  /// Refuses callers with a read policy: what goes through here does not apply it.
  virtual std::optional<RequestContext> single_tenant(const net::HttpRequest& request, net::HttpReply& reply,
                                                      Role role) = 0;
  /// As single_tenant, but `a|b` is allowed where the configuration allows it.
  virtual std::optional<QueryTenants> query_tenants(const net::HttpRequest& request, net::HttpReply& reply) = 0;
  /// For routes without a tenant that change or show the state of the server: the caller's name.
  virtual std::optional<std::string> admin(const net::HttpRequest& request, net::HttpReply& reply) = 0;
};

}  // namespace kvasir::server
