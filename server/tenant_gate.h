// tenant_gate.h -- the request gate: authenticates, then reads and checks the tenants of X-Scope-OrgID.
//
// Rules:    without auth_enabled every request belongs to tenant `fake`. A caller whose credential names exactly one
//           tenant need not send the header; a header that names a tenant he may not use is answered 403.
// Limits:   an id has at most kTenantIdBytesMax bytes of A-Z a-z 0-9 ! - _ . * ' ( ), and is not `.` or `..`.
// Threads:  any.
#pragma once

#include <memory>

#include "common/mutex.h"
#include "server/audit.h"
#include "server/authenticator.h"
#include "server/request_context.h"
#include "server/tenant_settings_store.h"

namespace kvasir::server {

inline constexpr std::size_t kTenantIdBytesMax = 150;

/// Errors: invalid_argument with the text for the client.
Result<void> check_tenant_id(std::string_view id);
/// `b|a|b:x` -> a, b. Errors: as check_tenant_id.
Result<std::vector<std::string>> parse_tenant_ids(std::string_view header);

struct TenantGateOptions {
  bool auth_enabled = true;
  bool several_allowed = false;   // on queries
};

class TenantGate final : public RequestGate {
 public:
  TenantGate(TenantGateOptions options, std::shared_ptr<const Authenticator> authenticator,
             const TenantSettingsStore& settings)
      : options_(options), settings_(settings), refused_(system_clock()), authenticator_(std::move(authenticator)) {}

  std::shared_ptr<const Authenticator> authenticator() const;
  /// From the next request on; those at work keep what they were let in with.
  void set_authenticator(std::shared_ptr<const Authenticator> authenticator);
  /// Nobody has to show a credential: what one may read all may read.
  bool open_to_all() const;
  /// A password has to be hashed for this request: its handler should run where it holds up nobody else.
  bool is_slow(const net::HttpRequest& request) const;

  std::optional<RequestContext> single_tenant(const net::HttpRequest& request, net::HttpReply& reply,
                                              Role role) override;
  std::optional<QueryTenants> query_tenants(const net::HttpRequest& request, net::HttpReply& reply) override;
  std::optional<std::string> admin(const net::HttpRequest& request, net::HttpReply& reply) override;

 private:
  std::optional<Principal> principal(const net::HttpRequest& request, net::HttpReply& reply, Role role);
  std::optional<std::vector<std::string>> ids(const Principal& caller, const net::HttpRequest& request,
                                              net::HttpReply& reply, bool reading);

  const TenantGateOptions options_;
  const TenantSettingsStore& settings_;
  RefusedCallers refused_;
  mutable Mutex mutex_;
  std::shared_ptr<const Authenticator> authenticator_ KVASIR_GUARDED_BY(mutex_);
};

}  // namespace kvasir::server
