#include "promtail-agent/client/http_sender.h"

#include <fmt/format.h>

#include <cstdlib>

#include "common/filesystem.h"
#include "promtail-agent/client/oauth_token.h"
#include "promtail-agent/client/pem_file.h"
#include "promtail-agent/version.h"

namespace kvasir::agent {

namespace {

std::string file_state(const std::string& path) {
  if (path.empty()) return {};
  const auto status = posix_filesystem().status(path);
  if (!status || !*status) return path + ":gone";
  return fmt::format("{}:{}:{}:{}", path, (*status)->inode, (*status)->size, (*status)->modified_ns);
}

std::string environment(const char* upper, const char* lower) {
  const char* value = std::getenv(upper);
  if (value == nullptr || *value == 0) value = std::getenv(lower);
  return value == nullptr ? std::string() : std::string(value);
}

bool bypasses_proxy(std::string_view host, std::string_view rules) {
  while (!rules.empty()) {
    std::string_view rule = rules.substr(0, rules.find(','));
    rules.remove_prefix(std::min(rules.size(), rule.size() + 1));
    while (!rule.empty() && rule.front() == ' ') rule.remove_prefix(1);
    while (!rule.empty() && rule.back() == ' ') rule.remove_suffix(1);
    if (rule == "*") return true;
    if (!rule.empty() && rule.front() == '.') rule.remove_prefix(1);
    if (rule.empty()) continue;
    if (host == rule) return true;
    if (host.size() > rule.size() && host.ends_with(rule) && host[host.size() - rule.size() - 1] == '.') return true;
  }
  return false;
}

std::string proxy_for(const ProxyConfig& proxy, const std::string& url) {
  const auto parts = net::parse_url(url);
  if (!parts) return {};
  if (!proxy.from_environment) return bypasses_proxy(parts->host, proxy.no_proxy) ? "" : proxy.url;
  if (bypasses_proxy(parts->host, environment("NO_PROXY", "no_proxy"))) return {};
  if (parts->host == "localhost" || parts->host == "127.0.0.1" || parts->host == "::1") return {};
  return parts->scheme == "https" ? environment("HTTPS_PROXY", "https_proxy") : environment("HTTP_PROXY", "http_proxy");
}

/// The address a redirect leads to.
std::string resolve(const std::string& base, std::string_view location) {
  if (location.find("://") != std::string_view::npos) return std::string(location);
  const std::size_t host = base.find("://") + 3;
  const std::size_t path = base.find('/', host);
  if (!location.empty() && location[0] == '/') return base.substr(0, path) + std::string(location);
  const std::size_t last = base.rfind('/');
  return (last < host ? base + "/" : base.substr(0, last + 1)) + std::string(location);
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

HttpSender::HttpSender(HttpConfig config, std::string unix_socket, const Clock& clock)
    : config_(std::move(config)), unix_socket_(std::move(unix_socket)), clock_(clock) {}

HttpSender::~HttpSender() = default;

Result<std::unique_ptr<HttpSender>> HttpSender::create(HttpConfig config, std::string unix_socket, const Clock& clock) {
  std::unique_ptr<HttpSender> sender(new HttpSender(std::move(config), std::move(unix_socket), clock));
  KVASIR_TRY(const auto probe, sender->make_client(sender->config_.proxy.url));
  (void)probe;
  if (sender->config_.oauth2.set) {
    KVASIR_TRY(sender->oauth_, OAuthTokens::create(sender->config_.oauth2, clock));
  }
  return sender;
}

Result<std::shared_ptr<net::HttpClient>> HttpSender::make_client(const std::string& proxy) {
  net::HttpClientOptions options;
  options.user_agent = std::string(kUserAgent);
  options.tls.ca_file = pem_path(config_.tls.ca, config_.tls.ca_file);
  options.tls.cert_file = pem_path(config_.tls.cert, config_.tls.cert_file);
  options.tls.key_file = pem_path(config_.tls.key, config_.tls.key_file);
  options.tls.server_name = config_.tls.server_name;
  options.tls.insecure_skip_verify = config_.tls.insecure_skip_verify;
  options.tls.min_version = config_.tls.min_version;
  options.tls.max_version = config_.tls.max_version;
  options.proxy_url = proxy;
  for (const auto& [name, values] : config_.proxy.connect_header) {
    for (const auto& value : values) options.proxy_connect_headers.add(name, value);
  }
  options.unix_socket = unix_socket_;
  options.idle_timeout = std::chrono::minutes(5);
  return net::make_http_client(std::move(options));
}

Result<std::shared_ptr<net::HttpClient>> HttpSender::client(const std::string& url) {
  const std::string proxy = proxy_for(config_.proxy, url);
  std::string state =
      file_state(config_.tls.ca_file) + file_state(config_.tls.cert_file) + file_state(config_.tls.key_file);
  const MutexLock lock(mutex_);
  if (state != tls_state_) {
    direct_.reset();
    proxied_.reset();
    tls_state_ = std::move(state);
  }
  auto& slot = proxy.empty() ? direct_ : proxied_;
  if (slot == nullptr) {
    KVASIR_TRY(slot, make_client(proxy));
  }
  return slot;
}

Result<void> HttpSender::authorize(net::HttpCall& call) {
  for (const auto& [name, header] : config_.http_headers) {
    for (const auto& value : header.values) call.headers.add(name, value);
    for (const auto& value : header.secrets) call.headers.add(name, value);
    for (const auto& file : header.files) {
      KVASIR_TRY(std::string value, read_secret({}, file));
      call.headers.add(name, std::move(value));
    }
  }
  std::string value;
  if (config_.basic_auth.set) {
    KVASIR_TRY(const std::string user, read_secret(config_.basic_auth.username, config_.basic_auth.username_file));
    KVASIR_TRY(const std::string password, read_secret(config_.basic_auth.password, config_.basic_auth.password_file));
    value = net::basic_auth(user, password);
  } else if (!config_.bearer_token.empty() || !config_.bearer_token_file.empty()) {
    KVASIR_TRY(const std::string token, read_secret(config_.bearer_token, config_.bearer_token_file));
    value = "Bearer " + token;
  } else if (config_.authorization_set) {
    KVASIR_TRY(const std::string token, read_secret(config_.credentials, config_.credentials_file));
    value = config_.authorization_type + " " + token;
  } else if (config_.oauth2.set) {
    KVASIR_TRY(const std::string token, oauth_->token());
    value = "Bearer " + token;
  }
  if (!value.empty()) call.headers.set("Authorization", value);
  return {};
}

Result<net::HttpResponse> HttpSender::send(net::HttpCall call) {
  KVASIR_CHECK_OK(authorize(call));
  for (int redirects = 0;; ++redirects) {
    KVASIR_TRY(const auto http, client(call.url));
    KVASIR_TRY(net::HttpResponse response, http->send(call));
    const auto location = response.headers.get("Location");
    if (!config_.follow_redirects || !is_redirect(response.status) || !location) return response;
    if (redirects == kRedirectsMax) return fail(ErrorCode::kUnavailable, "stopped after 10 redirects");
    call.url = resolve(call.url, *location);
    if (response.status != 307 && response.status != 308 && call.method != "GET") {
      call.method = "GET";
      call.body.clear();
    }
  }
}

Result<net::HttpResponse> HttpSender::stream(net::HttpCall call, const net::BodySink& sink) {
  KVASIR_CHECK_OK(authorize(call));
  KVASIR_TRY(const auto http, client(call.url));
  return http->stream(call, sink);
}

}  // namespace kvasir::agent
