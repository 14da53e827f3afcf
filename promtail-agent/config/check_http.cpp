#include "promtail-agent/config/check_http.h"

#include <fmt/format.h>

#include <algorithm>

namespace kvasir::agent {

namespace {

using Problems = std::vector<std::string>;

void check_tls(const TlsConfig& tls, Problems& problems) {
  if (!tls.ca.empty() && !tls.ca_file.empty()) {
    problems.emplace_back("at most one of ca, ca_file & ca_ref must be configured");
  }
  if (!tls.cert.empty() && !tls.cert_file.empty()) {
    problems.emplace_back("at most one of cert, cert_file & cert_ref must be configured");
  }
  if (!tls.key.empty() && !tls.key_file.empty()) {
    problems.emplace_back("at most one of key and key_file must be configured");
  }
  const bool has_cert = !tls.cert.empty() || !tls.cert_file.empty();
  const bool has_key = !tls.key.empty() || !tls.key_file.empty();
  if (has_cert && !has_key) {
    problems.emplace_back("exactly one of key or key_file must be configured when a client certificate is configured");
  }
  if (has_key && !has_cert) {
    problems.emplace_back("exactly one of cert or cert_file must be configured when a client key is configured");
  }
  if (!tls.min_version.empty() && !tls.max_version.empty() && tls.max_version < tls.min_version) {
    problems.emplace_back(
        "tls_config.max_version must be greater than or equal to tls_config.min_version if both are specified");
  }
}

void check_secrets(const HttpConfig& c, Problems& problems) {
  const bool bearer = !c.bearer_token.empty() || !c.bearer_token_file.empty();
  if (!c.bearer_token.empty() && !c.bearer_token_file.empty()) {
    problems.emplace_back("at most one of bearer_token & bearer_token_file must be configured");
  }
  if (bearer && (c.basic_auth.set || c.oauth2.set)) {
    problems.emplace_back("at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured");
  }
  if (!c.basic_auth.username.empty() && !c.basic_auth.username_file.empty()) {
    problems.emplace_back("at most one of basic_auth username, username_file & username_ref must be configured");
  }
  if (!c.basic_auth.password.empty() && !c.basic_auth.password_file.empty()) {
    problems.emplace_back("at most one of basic_auth password, password_file & password_ref must be configured");
  }
  if (!c.authorization_set) return;
  if (bearer) problems.emplace_back("authorization is not compatible with bearer_token & bearer_token_file");
  if (!c.credentials.empty() && !c.credentials_file.empty()) {
    problems.emplace_back("at most one of authorization credentials & credentials_file must be configured");
  }
  std::string type = c.authorization_type;
  std::transform(type.begin(), type.end(), type.begin(), [](unsigned char x) { return std::tolower(x); });
  if (type == "basic") {
    problems.emplace_back("authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
  }
  if (c.basic_auth.set || c.oauth2.set) {
    problems.emplace_back("at most one of basic_auth, oauth2 & authorization must be configured");
  }
}

/// Headers that the client writes itself.
void check_headers(const HttpConfig& c, Problems& problems) {
  static constexpr std::string_view kReserved[] = {
      "authorization", "host",       "content-encoding",    "content-length",      "content-type",    "user-agent",
      "connection",    "keep-alive", "proxy-authenticate",  "proxy-authorization", "accept-encoding", "transfer-encoding",
      "www-authenticate"};
  for (const auto& [name, header] : c.http_headers) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char x) { return std::tolower(x); });
    if (std::find(std::begin(kReserved), std::end(kReserved), lower) != std::end(kReserved)) {
      problems.emplace_back(fmt::format("setting header \"{}\" is not allowed", name));
    }
  }
}

void check_proxy(const ProxyConfig& proxy, Problems& problems) {
  if (!proxy.connect_header.empty() && proxy.url.empty() && !proxy.from_environment) {
    problems.emplace_back(
        "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured");
  }
  if (proxy.from_environment && !proxy.url.empty()) {
    problems.emplace_back("if proxy_from_environment is configured, proxy_url must not be configured");
  }
  if (proxy.from_environment && !proxy.no_proxy.empty()) {
    problems.emplace_back("if proxy_from_environment is configured, no_proxy must not be configured");
  }
  if (!proxy.no_proxy.empty() && proxy.url.empty()) {
    problems.emplace_back("if no_proxy is configured, proxy_url must also be configured");
  }
}

void check_oauth2(const HttpConfig& c, Problems& problems) {
  if (!c.oauth2.set) return;
  if (c.basic_auth.set) problems.emplace_back("at most one of basic_auth, oauth2 & authorization must be configured");
  if (c.oauth2.client_id.empty()) problems.emplace_back("oauth2 client_id must be configured");
  if (c.oauth2.token_url.empty()) problems.emplace_back("oauth2 token_url must be configured");
  if (!c.oauth2.client_secret.empty() && !c.oauth2.client_secret_file.empty()) {
    problems.emplace_back(
        "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using "
        "grant-type=client_credentials");
  }
  if (c.oauth2.grant == OAuth2Config::Grant::kJwtBearer) {
    if (c.oauth2.key.empty() == c.oauth2.key_file.empty()) {
      problems.emplace_back(
          "exactly one of oauth2 client_certificate_key & client_certificate_key_file must be configured using "
          "grant-type=urn:ietf:params:oauth:grant-type:jwt-bearer");
    }
  }
  check_proxy(c.oauth2.proxy, problems);
  check_tls(c.oauth2.tls, problems);
}

}  // namespace

std::vector<std::string> find_http_problems(const HttpConfig& config) {
  std::vector<std::string> problems;
  check_secrets(config, problems);
  check_oauth2(config, problems);
  check_tls(config.tls, problems);
  check_headers(config, problems);
  check_proxy(config.proxy, problems);
  return problems;
}

}  // namespace kvasir::agent
