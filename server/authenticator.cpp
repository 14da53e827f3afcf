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

Result<std::shared_ptr<const Authenticator>> Authenticator::create(const KvasirConfig& config, const Clock& clock,
                                                                   const Authenticator* before) {
  auto out = std::make_shared<Authenticator>();
  if (before != nullptr) out->passwords_ = before->passwords_;
  const auto& jwt = config.jwt;
  const bool has_jwt =
      !jwt.hmac_secret.empty() || !jwt.public_key_file.empty() || !jwt.jwks_file.empty() || !jwt.jwks_url.empty();
  out->certificate_is_enough_ = config.client_certificate_is_enough;
  const auto certificate_role = parse_role(config.client_certificate_role);
  if (!certificate_role) return refuse("kvasir.auth.client_certificate_role must be read, write or admin");
  out->certificate_role_ = *certificate_role;
  out->required_ = config.require_authentication || has_jwt || !config.credentials.empty();
  if (out->required_ && !has_jwt && config.credentials.empty() && !out->certificate_is_enough_) {
    return refuse("kvasir.auth.required is set, but there is no credential that could be presented");
  }
  KVASIR_CHECK_OK(out->read_policies(config));
  KVASIR_CHECK_OK(out->read_credentials(config));
  if (has_jwt) {
    KVASIR_TRY(out->jwt_, JwtVerifier::create(config.jwt, clock));
  }
  return std::shared_ptr<const Authenticator>(std::move(out));
}

Result<void> Authenticator::read_policies(const KvasirConfig& config) {
  for (const auto& written : config.policies) {
    auto policy = ReadPolicy::create(written.name, written.selector, written.mask);
    if (!policy) return fail(policy.error().with_context("policy " + written.name));
    if (!policies_.emplace(written.name, std::move(*policy)).second)
      return refuse("policy " + written.name + " is there twice");
  }
  reader_policy_ = config.reader_policy;
  if (!reader_policy_.empty() && !policies_.contains(reader_policy_))
    return refuse("there is no policy " + reader_policy_);
  return {};
}

Result<void> Authenticator::read_credentials(const KvasirConfig& config) {
  for (const auto& credential : config.credentials) {
    Known known;
    known.basic = credential.token.empty();
    known.password_hash = credential.password_hash;
    const bool hashed = !known.password_hash.empty();
    if (hashed) {
      auto checked = check_password_hash(known.password_hash);
      if (!checked) return fail(checked.error().with_context("the password hash of " + credential.username));
    }
    known.digest = digest_of(!known.basic ? credential.token
                             : hashed     ? credential.username
                                          : credential.username + ":" + credential.password);
    known.principal.name = credential.name.empty() ? credential.username : credential.name;
    known.principal.role = parse_role(credential.role).value_or(Role::kRead);
    known.principal.tenants = credential.tenants;
    KVASIR_TRY(known.principal.policy, policy_of(credential.policy, known.principal.role));
    known_.push_back(std::move(known));
  }
  return {};
}

/// A policy narrows what is read; who may write could read all of it back, so only readers have one.
Result<std::shared_ptr<const ReadPolicy>> Authenticator::policy_of(const std::string& name, Role role) const {
  if (!name.empty() && role != Role::kRead) return refuse("a policy needs the role read");
  const std::string& wanted = name.empty() && role == Role::kRead ? reader_policy_ : name;
  if (wanted.empty()) return std::shared_ptr<const ReadPolicy>();
  const auto found = policies_.find(wanted);
  if (found == policies_.end()) return refuse("there is no policy " + wanted);
  return found->second;
}

/// The first hashed credential of the user in `pair` that `accepts` says yes to.
template <class Accepts>
const Principal* Authenticator::find_hashed(std::string_view pair, Accepts accepts) const {
  const auto colon = pair.find(':');
  if (colon == std::string_view::npos) return nullptr;
  const Digest user = digest_of(pair.substr(0, colon));
  const std::string password(pair.substr(colon + 1));
  for (const auto& known : known_) {
    const bool same = !known.password_hash.empty() && CRYPTO_memcmp(user.data(), known.digest.data(), user.size()) == 0;
    if (same && accepts(known.password_hash, password)) return &known.principal;
  }
  return nullptr;
}

const Principal* Authenticator::find_remembered(std::string_view pair) const {
  return find_hashed(pair, [this](const std::string& hash, const std::string& password) {
    return passwords_->knows(hash, password);
  });
}

bool Authenticator::is_slow(const net::HttpRequest& request) const {
  const auto pair = net::base64_decode(after_scheme(request.headers.value_or_empty("Authorization"), "Basic"));
  if (!pair || find_remembered(*pair) != nullptr) return false;
  return find_hashed(*pair, [](const std::string&, const std::string&) { return true; }) != nullptr;
}

const Principal* Authenticator::find(std::string_view secret, bool basic) const {
  const Digest digest = digest_of(secret);
  const Principal* found = nullptr;
  for (const auto& known : known_) {  // every one is compared, so that the time tells nothing
    const bool same = CRYPTO_memcmp(digest.data(), known.digest.data(), digest.size()) == 0;
    if (same && known.basic == basic && known.password_hash.empty()) found = &known.principal;
  }
  return found;
}

Result<Principal> Authenticator::from_token(std::string_view token) const {
  if (const Principal* principal = find(token, false)) return *principal;
  if (jwt_ == nullptr) return refuse("unknown token");
  KVASIR_TRY(JwtClaims claims, jwt_->verify(token));
  const auto role = claims.role.empty() ? Role::kRead : parse_role(claims.role);
  if (!role) return refuse("token names an unknown role");
  if (claims.tenants.empty()) return refuse("token names no tenant");
  KVASIR_TRY(auto policy, policy_of(claims.policy, *role));
  return Principal{std::move(claims.subject), *role, std::move(claims.tenants), std::move(policy)};
}

Result<Principal> Authenticator::identify(const net::HttpRequest& request) const {
  if (!required_) return Principal{"anonymous", Role::kAdmin, {}, nullptr};
  const auto header = request.headers.value_or_empty("Authorization");
  if (const auto token = after_scheme(header, "Bearer"); !token.empty()) {
    return from_token(token);
  }
  if (const auto encoded = after_scheme(header, "Basic"); !encoded.empty()) {
    const auto pair = net::base64_decode(encoded);
    const Principal* principal = pair ? find(*pair, true) : nullptr;
    if (pair && principal == nullptr) principal = find_remembered(*pair);
    if (pair && principal == nullptr) {
      principal = find_hashed(*pair, [this](const std::string& hash, const std::string& password) {
        return passwords_->verify(hash, password);
      });
    }
    if (principal == nullptr) return refuse("unknown user or wrong password");
    return *principal;
  }
  if (certificate_is_enough_ && !request.tls_subject.empty()) {
    KVASIR_TRY(auto policy, policy_of("", certificate_role_));
    return Principal{request.tls_subject, certificate_role_, {}, std::move(policy)};
  }
  return refuse("credentials are missing");
}

}  // namespace kvasir::server
