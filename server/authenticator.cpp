#include "server/authenticator.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>

#include "common/net/http_client.h"
#include "server/jwt.h"

namespace kvasir::server {
namespace {

Unexpected refuse(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

/// What follows `Bearer ` or `Basic `; empty when the scheme is another.
std::string_view after_scheme(std::string_view header, std::string_view scheme) {
  if (header.size() <= scheme.size() || !net::equal_ignore_case(header.substr(0, scheme.size()), scheme)) return {};
  header.remove_prefix(scheme.size());
  if (header.front() != ' ') return {};
  header.remove_prefix(std::min(header.find_first_not_of(' '), header.size()));
  return header;
}

}  // namespace

std::optional<Role> parse_role(std::string_view text) {
  if (text == "read") return Role::kRead;
  if (text == "write") return Role::kWrite;
  if (text == "admin") return Role::kAdmin;
  return std::nullopt;
}

bool Principal::may_use(std::string_view tenant) const {
  return tenants.empty() || std::find(tenants.begin(), tenants.end(), tenant) != tenants.end();
}

Authenticator::Authenticator() = default;
Authenticator::~Authenticator() = default;

Authenticator::Digest Authenticator::digest_of(std::string_view secret) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), digest.data());
  return digest;
}

Result<std::shared_ptr<const Authenticator>> Authenticator::create(const KvasirConfig& config, const Clock& clock) {
  auto out = std::make_shared<Authenticator>();
  const bool has_jwt = !config.jwt.hmac_secret.empty() || !config.jwt.public_key_file.empty();
  out->certificate_is_enough_ = config.client_certificate_is_enough;
  out->required_ = config.require_authentication || has_jwt || !config.credentials.empty();
  if (out->required_ && !has_jwt && config.credentials.empty() && !out->certificate_is_enough_) {
    return refuse("kvasir.auth.required is set, but there is no credential that could be presented");
  }
  for (const auto& credential : config.credentials) {
    Known known;
    known.basic = credential.token.empty();
    known.digest = digest_of(known.basic ? credential.username + ":" + credential.password : credential.token);
    known.principal.name = credential.name.empty() ? credential.username : credential.name;
    known.principal.role = parse_role(credential.role).value_or(Role::kRead);
    known.principal.tenants = credential.tenants;
    out->known_.push_back(std::move(known));
  }
  if (has_jwt) {
    KVASIR_TRY(out->jwt_, JwtVerifier::create(config.jwt, clock));
  }
  return std::shared_ptr<const Authenticator>(std::move(out));
}

const Principal* Authenticator::find(std::string_view secret, bool basic) const {
  const Digest digest = digest_of(secret);
  const Principal* found = nullptr;
  for (const auto& known : known_) {  // every one is compared, so that the time tells nothing
    const bool same = CRYPTO_memcmp(digest.data(), known.digest.data(), digest.size()) == 0;
    if (same && known.basic == basic) found = &known.principal;
  }
  return found;
}

Result<Principal> Authenticator::identify(const net::HttpRequest& request) const {
  if (!required_) return Principal{"anonymous", Role::kAdmin, {}};
  const auto header = request.headers.get("Authorization").value_or("");
  if (const auto token = after_scheme(header, "Bearer"); !token.empty()) {
    if (const Principal* principal = find(token, false)) return *principal;
    if (jwt_ == nullptr) return refuse("unknown token");
    KVASIR_TRY(JwtClaims claims, jwt_->verify(token));
    const auto role = claims.role.empty() ? Role::kRead : parse_role(claims.role);
    if (!role) return refuse("token names an unknown role");
    if (claims.tenants.empty()) return refuse("token names no tenant");
    return Principal{std::move(claims.subject), *role, std::move(claims.tenants)};
  }
  if (const auto encoded = after_scheme(header, "Basic"); !encoded.empty()) {
    const auto pair = net::base64_decode(encoded);
    const Principal* principal = pair ? find(*pair, true) : nullptr;
    if (principal == nullptr) return refuse("unknown user or wrong password");
    return *principal;
  }
  if (certificate_is_enough_ && !request.tls_subject.empty()) return Principal{request.tls_subject, Role::kAdmin, {}};
  return refuse("credentials are missing");
}

}  // namespace kvasir::server
