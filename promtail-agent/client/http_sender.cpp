#include "promtail-agent/client/http_sender.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "common/filesystem.h"
#include "promtail-agent/version.h"
#include "common/number.h"

namespace kvasir::agent {

namespace {

inline constexpr std::uint64_t kSecretBytesMax = 1 << 20;

Result<std::string> secret(const std::string& direct, const std::string& file) {
  if (file.empty()) return direct;
  KVASIR_TRY(std::string text, posix_filesystem().read_all(file, kSecretBytesMax));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

/// A path under which inline PEM text can be read for as long as the process lives.
std::string memory_file(const std::string& text) {
  const int fd = ::memfd_create("pem", MFD_CLOEXEC);
  if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) return {};
  return fmt::format("/proc/self/fd/{}", fd);
}

std::string pem_path(const std::string& text, const std::string& file) {
  return text.empty() ? file : memory_file(text);
}

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

std::string proxy_for(const HttpConfig& config, const std::string& url) {
  const auto parts = net::parse_url(url);
  if (!parts) return {};
  if (!config.proxy_from_environment) return bypasses_proxy(parts->host, config.no_proxy) ? "" : config.proxy_url;
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

/// The value of a top-level key in a small JSON object; enough for a token answer.
std::string json_value(std::string_view json, std::string_view key) {
  const std::size_t at = json.find(fmt::format("\"{}\"", key));
  if (at == std::string_view::npos) return {};
  std::size_t i = json.find(':', at);
  if (i == std::string_view::npos) return {};
  ++i;
  while (i < json.size() && (json[i] == ' ' || json[i] == '"')) ++i;
  const std::size_t end = json.find_first_of("\",}\n ", i);
  return std::string(json.substr(i, end == std::string_view::npos ? end : end - i));
}

}  // namespace

Result<std::unique_ptr<HttpSender>> HttpSender::create(HttpConfig config, std::string unix_socket, const Clock& clock) {
  std::unique_ptr<HttpSender> sender(new HttpSender(std::move(config), std::move(unix_socket), clock));
  KVASIR_TRY(const auto probe, sender->make_client(sender->config_.proxy_url));
  (void)probe;
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
  options.proxy_url = proxy;
  options.unix_socket = unix_socket_;
  options.idle_timeout = std::chrono::minutes(5);
  return net::make_http_client(std::move(options));
}

Result<std::shared_ptr<net::HttpClient>> HttpSender::client(const std::string& url) {
  const std::string proxy = proxy_for(config_, url);
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

Result<std::string> HttpSender::oauth_token() {
  {
    const MutexLock lock(mutex_);
    if (!token_.empty() && clock_.steady() < token_until_) return token_;
  }
  const OAuth2Config& oauth = config_.oauth2;
  KVASIR_TRY(const std::string client_secret, secret(oauth.client_secret, oauth.client_secret_file));
  net::HttpParams form;
  form.add("grant_type", "client_credentials");
  std::string scopes;
  for (const auto& scope : oauth.scopes) scopes += (scopes.empty() ? "" : " ") + scope;
  if (!scopes.empty()) form.add("scope", scopes);
  for (const auto& [name, value] : oauth.endpoint_params) form.add(name, value);
  net::HttpCall call;
  call.method = "POST";
  call.url = oauth.token_url;
  call.body = form.encode();
  call.headers.set("Content-Type", "application/x-www-form-urlencoded");
  call.headers.set("Authorization", net::basic_auth(oauth.client_id, client_secret));
  KVASIR_TRY(const auto http, client(call.url));
  KVASIR_TRY(const net::HttpResponse response, http->send(call));
  const std::string token = json_value(response.body, "access_token");
  if (response.status != 200 || token.empty()) {
    return fail(ErrorCode::kUnavailable, fmt::format("oauth2: cannot fetch token: status {}", response.status));
  }
  const std::int64_t lifetime = parse_int64(json_value(response.body, "expires_in")).value_or(3600);
  const MutexLock lock(mutex_);
  token_ = token;
  token_until_ = clock_.steady() + std::chrono::seconds(std::max<std::int64_t>(lifetime - 10, 1));
  return token;
}

Result<void> HttpSender::authorize(net::HttpCall& call) {
  for (const auto& [name, header] : config_.http_headers) {
    for (const auto& value : header.values) call.headers.add(name, value);
    for (const auto& value : header.secrets) call.headers.add(name, value);
    for (const auto& file : header.files) {
      KVASIR_TRY(std::string value, secret({}, file));
      call.headers.add(name, std::move(value));
    }
  }
  std::string value;
  if (config_.basic_auth.set) {
    KVASIR_TRY(const std::string user, secret(config_.basic_auth.username, config_.basic_auth.username_file));
    KVASIR_TRY(const std::string password, secret(config_.basic_auth.password, config_.basic_auth.password_file));
    value = net::basic_auth(user, password);
  } else if (!config_.bearer_token.empty() || !config_.bearer_token_file.empty()) {
    KVASIR_TRY(const std::string token, secret(config_.bearer_token, config_.bearer_token_file));
    value = "Bearer " + token;
  } else if (config_.authorization_set) {
    KVASIR_TRY(const std::string token, secret(config_.credentials, config_.credentials_file));
    value = config_.authorization_type + " " + token;
  } else if (config_.oauth2.set) {
    KVASIR_TRY(const std::string token, oauth_token());
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
