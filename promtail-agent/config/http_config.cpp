#include "promtail-agent/config/http_config.h"

#include <fmt/format.h>

#include <algorithm>

namespace kvasir::agent {

namespace {

void read_basic_auth(const YamlNode* node, YamlProblems& problems, BasicAuthConfig& out) {
  if (node == nullptr) return;
  out.set = true;
  YamlFields fields(node, "config.BasicAuth", problems);
  fields.read("username", out.username);
  fields.read("username_file", out.username_file);
  fields.read("password", out.password);
  fields.read("password_file", out.password_file);
  fields.ignore({"username_ref", "password_ref"});
  fields.finish();
}

void read_authorization(const YamlNode* node, YamlProblems& problems, HttpConfig& out) {
  if (node == nullptr) return;
  out.authorization_set = true;
  YamlFields fields(node, "config.Authorization", problems);
  fields.read("type", out.authorization_type);
  fields.read("credentials", out.credentials);
  fields.read("credentials_file", out.credentials_file);
  fields.ignore({"credentials_ref"});
  fields.finish();
}

void read_oauth2(const YamlNode* node, YamlProblems& problems, OAuth2Config& out) {
  if (node == nullptr) return;
  out.set = true;
  YamlFields fields(node, "config.OAuth2", problems);
  fields.read("client_id", out.client_id);
  fields.read("client_secret", out.client_secret);
  fields.read("client_secret_file", out.client_secret_file);
  fields.read("token_url", out.token_url);
  fields.read("scopes", out.scopes);
  fields.read("endpoint_params", out.endpoint_params);
  read_tls_config(fields.node("tls_config"), problems, out.tls);
  fields.ignore({"client_secret_ref", "proxy_url", "no_proxy", "proxy_from_environment", "proxy_connect_header",
                 "grant_type", "client_certificate_key_id", "client_certificate_key", "client_certificate_key_file",
                 "client_certificate_key_ref", "signature_algorithm", "iss", "audience", "claims"});
  fields.finish();
}

void read_headers(const YamlNode* node, YamlProblems& problems, HttpConfig& out) {
  if (node == nullptr || !node->is_map()) return;
  for (const auto& entry : node->entries) {
    YamlFields fields(&entry.value, "config.Header", problems);
    HttpHeaderConfig& header = out.http_headers[entry.key];
    fields.read("values", header.values);
    fields.read("secrets", header.secrets);
    fields.read("files", header.files);
    fields.finish();
  }
}

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
  return check_tls(c.oauth2.tls);
}

}  // namespace

void read_tls_config(const YamlNode* node, YamlProblems& problems, TlsConfig& out) {
  if (node == nullptr) return;
  YamlFields fields(node, "config.TLSConfig", problems);
  fields.read("ca", out.ca);
  fields.read("ca_file", out.ca_file);
  fields.read("cert", out.cert);
  fields.read("cert_file", out.cert_file);
  fields.read("key", out.key);
  fields.read("key_file", out.key_file);
  fields.read("server_name", out.server_name);
  fields.read("insecure_skip_verify", out.insecure_skip_verify);
  fields.read_word("min_version", {"TLS10", "TLS11", "TLS12", "TLS13"}, out.min_version);
  fields.read_word("max_version", {"TLS10", "TLS11", "TLS12", "TLS13"}, out.max_version);
  fields.ignore({"ca_ref", "cert_ref", "key_ref"});
  fields.finish();
}

void read_http_config(YamlFields& fields, HttpConfig& out) {
  YamlProblems& problems = fields.problems();
  read_basic_auth(fields.node("basic_auth"), problems, out.basic_auth);
  read_authorization(fields.node("authorization"), problems, out);
  fields.read("bearer_token", out.bearer_token);
  fields.read("bearer_token_file", out.bearer_token_file);
  read_oauth2(fields.node("oauth2"), problems, out.oauth2);
  read_tls_config(fields.node("tls_config"), problems, out.tls);
  fields.read("proxy_url", out.proxy_url);
  fields.read("no_proxy", out.no_proxy);
  fields.read("proxy_from_environment", out.proxy_from_environment);
  fields.read("follow_redirects", out.follow_redirects);
  read_headers(fields.node("http_headers"), problems, out);
  fields.ignore({"enable_http2", "proxy_connect_header"});
  if (fields.has("proxy_connect_header") && out.proxy_url.empty() && !out.proxy_from_environment) {
    fields.problem(
        "proxy_connect_header",
        "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured");
  }
}

Result<void> check_http_config(const HttpConfig& config) {
  KVASIR_CHECK_OK(check_secrets(config));
  KVASIR_CHECK_OK(check_oauth2(config));
  KVASIR_CHECK_OK(check_tls(config.tls));
  if (config.proxy_from_environment && !config.proxy_url.empty()) {
    return reject("if proxy_from_environment is configured, proxy_url must not be configured");
  }
  if (config.proxy_from_environment && !config.no_proxy.empty()) {
    return reject("if proxy_from_environment is configured, no_proxy must not be configured");
  }
  if (!config.no_proxy.empty() && config.proxy_url.empty()) {
    return reject("if no_proxy is configured, proxy_url must also be configured");
  }
  return {};
}

}  // namespace kvasir::agent
