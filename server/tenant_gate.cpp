#include "server/tenant_gate.h"

#include <algorithm>

#include "server/answer.h"

namespace kvasir::server {
namespace {

constexpr std::string_view kSingleTenant = "fake";

bool is_tenant_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!-_.*'()").find(c) != std::string_view::npos;
}

Unexpected bad(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

}  // namespace

Result<void> check_tenant_id(std::string_view id) {
  const auto wrong = std::find_if_not(id.begin(), id.end(), is_tenant_character);
  if (wrong != id.end()) {
    return bad("tenant ID '" + std::string(id) + "' contains unsupported character '" + std::string(1, *wrong) + "'");
  }
  if (id.size() > kTenantIdBytesMax) return bad("tenant ID is too long: max 150 characters");
  if (id == "." || id == "..") return bad("tenant ID is '.' or '..'");
  return {};
}

Result<std::vector<std::string>> parse_tenant_ids(std::string_view header) {
  std::vector<std::string> ids;
  for (std::size_t at = 0; at <= header.size();) {
    const std::size_t bar = std::min(header.find('|', at), header.size());
    std::string_view id = header.substr(at, bar - at);
    id = id.substr(0, id.find(':'));
    KVASIR_CHECK_OK(check_tenant_id(id));
    if (!id.empty()) ids.emplace_back(id);
    at = bar + 1;
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

void TenantGate::set_authenticator(std::shared_ptr<const Authenticator> authenticator) {
  MutexLock lock(mutex_);
  authenticator_ = std::move(authenticator);
}

std::shared_ptr<const Authenticator> TenantGate::authenticator() const {
  const MutexLock lock(mutex_);
  return authenticator_;
}

bool TenantGate::open_to_all() const { return !authenticator()->required(); }

bool TenantGate::is_slow(const net::HttpRequest& request) const { return authenticator()->is_slow(request); }

std::optional<Principal> TenantGate::principal(const net::HttpRequest& request, net::HttpReply& reply, Role role) {
  auto principal = authenticator()->identify(request);
  if (!principal) {
    refused_.add(request, 401, "", principal.error().message());
    auto response = plain_error(401, "unauthorized");
    response.headers.set("WWW-Authenticate", "Basic realm=\"kvasir\"");
    reply.send(std::move(response));
    return std::nullopt;
  }
  if (principal->role < role) {
    refused_.add(request, 403, principal->name, "the role is too low");
    reply.send(plain_error(403, "this credential may not do that"));
    return std::nullopt;
  }
  return *std::move(principal);
}

std::optional<std::vector<std::string>> TenantGate::ids(const Principal& caller, const net::HttpRequest& request,
                                                        net::HttpReply& reply, bool reading) {
  if (!options_.auth_enabled) return std::vector<std::string>{std::string(kSingleTenant)};
  const auto header = request.headers.get("X-Scope-OrgID").value_or("");
  auto ids = parse_tenant_ids(header);
  if (!ids) {
    reply.send(reading ? bare_error(400, ids.error().message()) : plain_error(400, ids.error().message()));
    return std::nullopt;
  }
  if (ids->empty() && caller.tenants.size() == 1) ids->push_back(caller.tenants.front());
  if (ids->empty()) {
    reply.send(plain_error(401, "no org id"));
    return std::nullopt;
  }
  for (const auto& id : *ids) {
    if (caller.may_use(id)) continue;
    refused_.add(request, 403, caller.name, "not for tenant " + id);
    reply.send(plain_error(403, "this credential is not for tenant " + id));
    return std::nullopt;
  }
  return *std::move(ids);
}

std::optional<RequestContext> TenantGate::single_tenant(const net::HttpRequest& request, net::HttpReply& reply,
                                                        Role role) {
  const auto caller = principal(request, reply, role);
  if (!caller) return std::nullopt;
  if (caller->policy != nullptr) {
    reply.send(plain_error(403, "this credential has a read policy, which this route does not apply"));
    return std::nullopt;
  }
  auto tenants = ids(*caller, request, reply, role == Role::kRead);
  if (!tenants) return std::nullopt;
  if (tenants->size() > 1) {
    reply.send(plain_error(400, "multiple org IDs present"));
    return std::nullopt;
  }
  auto settings = settings_.of(tenants->front());
  return RequestContext{std::move(tenants->front()), std::move(settings), caller->name};
}

std::optional<QueryTenants> TenantGate::query_tenants(const net::HttpRequest& request, net::HttpReply& reply) {
  auto caller = principal(request, reply, Role::kRead);
  if (!caller) return std::nullopt;
  auto tenants = ids(*caller, request, reply, true);
  if (!tenants) return std::nullopt;
  if (tenants->size() > 1 && !options_.several_allowed) {
    reply.send(bare_error(400, "multiple org IDs present"));
    return std::nullopt;
  }
  QueryTenants out;
  out.several = tenants->size() > 1;
  out.caller = std::move(caller->name);
  out.policy = std::move(caller->policy);
  for (auto& tenant : *tenants) {
    auto settings = settings_.of(tenant);
    out.tenants.push_back({std::move(tenant), std::move(settings), out.caller});
  }
  return out;
}

std::optional<std::string> TenantGate::admin(const net::HttpRequest& request, net::HttpReply& reply) {
  auto caller = principal(request, reply, Role::kAdmin);
  return caller ? std::optional(std::move(caller->name)) : std::nullopt;
}

}  // namespace kvasir::server
