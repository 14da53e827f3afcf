#include "promtail-agent/config/check_http.h"

#include <fmt/format.h>

#include <algorithm>

namespace kvasir::agent {

namespace {

Result<void> reject(std::string_view text) { return fail(ErrorCode::kInvalidArgument, std::string(text)); }

Result<void> check_tls(const TlsConfig& tls) {
  if (!tls.ca.empty() && !tls.ca_file.empty()) return reject("at most one of ca, ca_file & ca_ref must be configured");
  if (!tls.cert.empty() && !tls.cert_file.empty()) {
    return reject("at most one of cert, cert_file & cert_ref must be configured");
  }
  if (!tls.key.empty() && !tls.key_file.empty()) return reject("at most one of key and key_file must be configured");
  const bool has_cert = !tls.cert.empty() || !tls.cert_file.empty();
  const bool has_key = !tls.key.empty() || !tls.key_file.empty();
  if (has_cert && !has_key) {
    return reject("exactly one of key or key_file must be configured when a client certificate is configured");
  }
  if (has_key && !has_cert) {
    return reject("exactly one of cert or cert_file must be configured when a client key is configured");
  }
  if (!tls.min_version.empty() && !tls.max_version.empty() && tls.max_version < tls.min_version) {
    return reject(
        "tls_config.max_version must be greater than or equal to tls_config.min_version if both are specified");
  }
  return {};
}

Result<void> check_secrets(const HttpConfig& c) {
  const bool bearer = !c.bearer_token.empty() || !c.bearer_token_file.empty();
  if (!c.bearer_token.empty() && !c.bearer_token_file.empty()) {
    return reject("at most one of bearer_token & bearer_token_file must be configured");
  }
  if (bearer && (c.basic_auth.set || c.oauth2.set)) {
    return reject("at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured");
  }
  if (!c.basic_auth.username.empty() && !c.basic_auth.username_file.empty()) {
    return reject("at most one of basic_auth username, username_file & username_ref must be configured");
  }
  if (!c.basic_auth.password.empty() && !c.basic_auth.password_file.empty()) {
    return reject("at most one of basic_auth password, password_file & password_ref must be configured");
  }
  if (!c.authorization_set) return {};
  if (bearer) return reject("authorization is not compatible with bearer_token & bearer_token_file");
  if (!c.credentials.empty() && !c.credentials_file.empty()) {
    return reject("at most one of authorization credentials & credentials_file must be configured");
  }
  std::string type = c.authorization_type;
  std::transform(type.begin(), type.end(), type.begin(), [](unsigned char x) { return std::tolower(x); });
  if (type == "basic") return reject("authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
  if (c.basic_auth.set || c.oauth2.set) {
    return reject("at most one of basic_auth, oauth2 & authorization must be configured");
  }
  return {};
}

/// Headers that the client writes itself.
Result<void> check_headers(const HttpConfig& c) {
  static constexpr std::string_view kReserved[] = {
      "authorization", "host",       "content-encoding",    "content-length",      "content-type",    "user-agent",
      "connection",    "keep-alive", "proxy-authenticate",  "proxy-authorization", "accept-encoding", "transfer-encoding",
      "www-authenticate"};
  for (const auto& [name, header] : c.http_headers) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char x) { return std::tolower(x); });
    if (std::find(std::begin(kReserved), std::end(kReserved), lower) != std::end(kReserved)) {
      return reject(fmt::format("setting header \"{}\" is not allowed", name));
    }
  }
  return {};
}

Result<void> check_proxy(const ProxyConfig& proxy) {
  if (proxy.from_environment && !proxy.url.empty()) {
    return reject("if proxy_from_environment is configured, proxy_url must not be configured");
  }
  if (proxy.from_environment && !proxy.no_proxy.empty()) {
    return reject("if proxy_from_environment is configured, no_proxy must not be configured");
  }
  if (!proxy.no_proxy.empty() && proxy.url.empty()) {
    return reject("if no_proxy is configured, proxy_url must also be configured");
  }
  return {};
}

Result<void> check_oauth2(const HttpConfig& c) {
  if (!c.oauth2.set) return {};
  if (c.basic_auth.set) return reject("at most one of basic_auth, oauth2 & authorization must be configured");
  if (c.oauth2.client_id.empty()) return reject("oauth2 client_id must be configured");
  if (c.oauth2.token_url.empty()) return reject("oauth2 token_url must be configured");
  if (!c.oauth2.client_secret.empty() && !c.oauth2.client_secret_file.empty()) {
    return reject(
        "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using "
        "grant-type=client_credentials");
  }
  if (c.oauth2.grant == OAuth2Config::Grant::kJwtBearer) {
    if (c.oauth2.key.empty() == c.oauth2.key_file.empty()) {
      return reject(
          "exactly one of oauth2 client_certificate_key & client_certificate_key_file must be configured using "
          "grant-type=urn:ietf:params:oauth:grant-type:jwt-bearer");
    }
  }
  KVASIR_CHECK_OK(check_proxy(c.oauth2.proxy));
  return check_tls(c.oauth2.tls);
}

}  // namespace

Result<void> check_http_config(const HttpConfig& config) {
  KVASIR_CHECK_OK(check_secrets(config));
  KVASIR_CHECK_OK(check_oauth2(config));
  KVASIR_CHECK_OK(check_tls(config.tls));
  KVASIR_CHECK_OK(check_headers(config));
  return check_proxy(config.proxy);
}

}  // namespace kvasir::agent
