// The keys of clients and of everything that asks over HTTP.
#include "promtail-agent/config/blocks.h"

namespace kvasir::agent {

namespace {

constexpr std::string_view kNoSecretStore = "there is no secret store to refer to; use the key that ends in _file";
constexpr std::string_view kTlsVersions[] = {"TLS10", "TLS11", "TLS12", "TLS13"};
constexpr std::string_view kAlgorithms[] = {"RS256", "RS384", "RS512"};

void describe_proxy(Fields& f, ProxyConfig& proxy) {
  f.url({"proxy_url", "http://[user:password@]host:port"}, proxy.url);
  f.text({"no_proxy", "hosts that are asked directly, divided by commas"}, proxy.no_proxy);
  f.flag({"proxy_from_environment", "take HTTP_PROXY, HTTPS_PROXY and NO_PROXY"}, proxy.from_environment);
  f.secrets({"proxy_connect_header", "headers that go with CONNECT: a list of values for each name"},
            proxy.connect_header);
  f.demand(proxy.connect_header.empty() || !proxy.url.empty() || proxy.from_environment, "proxy_connect_header",
           "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured");
}

void describe_basic_auth(Fields& f, BasicAuthConfig& auth) {
  f.text({"username", ""}, auth.username);
  f.text({"username_file", "read again for every request"}, auth.username_file);
  f.secret({"password", ""}, auth.password);
  f.text({"password_file", "read again for every request"}, auth.password_file);
  f.refuse({"username_ref", "password_ref"}, kNoSecretStore);
}

void describe_assertion(Fields& f, OAuth2Config& oauth) {
  using Grant = OAuth2Config::Grant;
  f.choice({"grant_type", "how the token is asked for: with the secret, or with a signed assertion"}, oauth.grant,
           {{"client_credentials", Grant::kClientCredentials},
            {"urn:ietf:params:oauth:grant-type:jwt-bearer", Grant::kJwtBearer}});
  f.text({"client_certificate_key_id", "`kid` of the assertion"}, oauth.key_id);
  f.secret({"client_certificate_key", "private key that signs the assertion, PEM"}, oauth.key);
  f.text({"client_certificate_key_file", "the same from a file"}, oauth.key_file);
  f.word({"signature_algorithm", "of the assertion"}, oauth.algorithm, kAlgorithms);
  f.text({"iss", "issuer of the assertion; default: client_id"}, oauth.issuer);
  f.text({"audience", "of the assertion; default: token_url"}, oauth.audience);
  f.pairs({"claims", "more claims of the assertion"}, oauth.claims);
  f.refuse({"client_secret_ref", "client_certificate_key_ref"}, kNoSecretStore);
}

void describe_oauth2(Fields& f, OAuth2Config& oauth) {
  f.text({"client_id", ""}, oauth.client_id);
  f.secret({"client_secret", ""}, oauth.client_secret);
  f.text({"client_secret_file", "read again for every token"}, oauth.client_secret_file);
  f.text({"token_url", "where tokens are asked for"}, oauth.token_url);
  f.texts({"scopes", ""}, oauth.scopes);
  f.pairs({"endpoint_params", "more parameters of the token request"}, oauth.endpoint_params);
  describe_tls(f, {"tls_config", "for token_url"}, oauth.tls);
  describe_proxy(f, oauth.proxy);
  describe_assertion(f, oauth);
}

void describe_header(Fields& f, HttpHeaderConfig& header) {
  f.texts({"values", ""}, header.values);
  f.texts({"files", "values read from files for every request"}, header.files);
  f.secret_texts({"secrets", "values that are not shown"}, header.secrets);
}

void describe_backoff(Fields& f, BackoffConfig& backoff) {
  f.duration({"min_period", "first pause before a batch is sent again"}, backoff.min_period);
  f.duration({"max_period", "longest pause"}, backoff.max_period);
  f.advise(backoff.max_period >= backoff.min_period, "max_period", "max_period is shorter than min_period and cuts it");
  f.integer({"max_retries", "how often a batch is sent in all; 0: for ever"}, backoff.max_retries, {0, INT32_MAX});
}

}  // namespace

void describe_tls(Fields& f, Key key, TlsConfig& tls) {
  f.block(key, "config.TLSConfig", nullptr, [&tls](Fields& t) {
    t.text({"ca", "authority that is trusted, PEM; default: those of the system"}, tls.ca);
    t.text({"ca_file", "the same from a file; files are read again when they change"}, tls.ca_file);
    t.text({"cert", "own certificate, PEM"}, tls.cert);
    t.text({"cert_file", ""}, tls.cert_file);
    t.secret({"key", "key of the own certificate, PEM"}, tls.key);
    t.text({"key_file", ""}, tls.key_file);
    t.text({"server_name", "name to expect in the other's certificate; default: the host of the URL"}, tls.server_name);
    t.flag({"insecure_skip_verify", "trust any certificate"}, tls.insecure_skip_verify);
    t.word({"min_version", "default: TLS12"}, tls.min_version, kTlsVersions);
    t.word({"max_version", "default: the newest"}, tls.max_version, kTlsVersions);
    t.refuse({"ca_ref", "cert_ref", "key_ref"}, kNoSecretStore);
  });
}

void describe_http(Fields& fields, HttpConfig& http) {
  fields.shared("HTTP options", [&http](Fields& f) {
    f.block({"basic_auth", ""}, "config.BasicAuth", &http.basic_auth.set,
            [&http](Fields& b) { describe_basic_auth(b, http.basic_auth); });
    f.block({"authorization", ""}, "config.Authorization", &http.authorization_set, [&http](Fields& a) {
      a.text({"type", "first word of the header"}, http.authorization_type);
      a.secret({"credentials", ""}, http.credentials);
      a.text({"credentials_file", "read again for every request"}, http.credentials_file);
      a.refuse({"credentials_ref"}, kNoSecretStore);
    });
    f.secret({"bearer_token", ""}, http.bearer_token);
    f.text({"bearer_token_file", "read again for every request"}, http.bearer_token_file);
    f.block({"oauth2", ""}, "config.OAuth2", &http.oauth2.set,
            [&http](Fields& o) { describe_oauth2(o, http.oauth2); });
    describe_tls(f, {"tls_config", ""}, http.tls);
    describe_proxy(f, http.proxy);
    f.flag({"follow_redirects", ""}, http.follow_redirects);
    std::vector<std::string> names;
    for (const auto& [name, header] : http.http_headers) names.push_back(name);
    f.named({"http_headers", "more headers by name"}, "config.Header", names,
            [&http](Fields& h, const std::string& name) { describe_header(h, http.http_headers[name]); });
    f.accept({"enable_http2"}, "requests are HTTP/1.1");
  });
}

void describe_client(Fields& f, ClientConfig& client) {
  client.line = f.line();
  f.text({"name", "tells clients apart and names its spool; default: from a hash over url and tenant_id"}, client.name);
  f.url({"url", "where to push, with the path: http://kvasir:3100/loki/api/v1/push"}, client.url);
  f.text({"tenant_id", "tenant of entries that no stage gives one"}, client.tenant_id);
  f.duration({"batchwait", "a batch is sent when it is so old"}, client.batch_wait);
  f.integer({"batchsize", "or so large"}, client.batch_bytes);
  f.advise(client.batch_bytes > 0, "batchsize", "batchsize 0: each line is sent in a request of its own");
  f.some_time({"timeout", "of one request"}, client.timeout);
  f.block({"backoff_config", ""}, "backoff.Config", nullptr,
          [&client](Fields& b) { describe_backoff(b, client.backoff); });
  f.flag({"drop_rate_limited_batches", "do not send again what was answered 429"}, client.drop_rate_limited_batches);
  f.flag({"retry_auth_errors", "send again what was answered 401, 403, 404, 407 or 408"}, client.retry_auth_errors);
  f.labels({"external_labels", "labels for every entry that does not have them"}, client.external_labels);
  f.pairs({"headers", "more headers of the push"}, client.headers);
  describe_http(f, client.http);
}

}  // namespace kvasir::agent
