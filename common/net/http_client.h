// http_client.h -- a blocking HTTP/1.1 client with connection reuse, deadlines, TLS and proxies, and a WebSocket
// client.
//
// Threads:  HttpClient: any number of threads at once, each call has a connection of its own. WebSocketClient: one
//           thread.
// Errors:   invalid_argument (url, certificates), unavailable (resolve, connect, peer closed, TLS), deadline_exceeded,
//           cancelled, limit_exceeded (response larger than allowed), unsupported (scheme). A status of 4xx or 5xx is
//           an answer, not an error.
// Limits:   HttpClientOptions::response_bytes_max, header 64 KiB.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "common/net/http_types.h"
#include "common/net/tls_options.h"
#include "common/time.h"

namespace kvasir::net {

struct HttpClientOptions {
  TlsClientOptions tls;
  std::string proxy_url;                                  // http://[user:password@]host:port; CONNECT for https
  HttpHeaders proxy_connect_headers;                      // sent with CONNECT
  std::string unix_socket;                                // a path: connect there; the URL's host only goes into Host
  std::string user_agent = "kvasir";
  Duration connect_timeout = std::chrono::seconds(10);    // resolve + connect + TLS
  Duration idle_timeout = std::chrono::seconds(60);       // a kept connection older than this is not used again
  std::size_t idle_connections_max = 8;
  std::uint64_t response_bytes_max = 256ULL << 20;
};

struct HttpCall {
  std::string method = "GET";
  std::string url;              // http(s)://[user:password@]host[:port]/path?query; user:password becomes basic auth
  HttpHeaders headers;
  std::string body;
  Duration timeout = std::chrono::seconds(30);            // of the whole call
  std::stop_token stop;                                   // ends the call with cancelled
};

/// Receives a streamed body piece by piece; false ends the call with cancelled. response.body stays empty.
using BodySink = std::function<bool(const HttpResponse& head, std::string_view piece)>;

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  /// A request on a kept connection that turns out dead before any answer byte is sent once more on a new one.
  virtual Result<HttpResponse> send(const HttpCall& call) = 0;
  virtual Result<HttpResponse> stream(const HttpCall& call, const BodySink& sink) = 0;
};

/// Errors: invalid_argument if certificates or the proxy url cannot be used.
Result<std::shared_ptr<HttpClient>> make_http_client(HttpClientOptions options);

/// `Basic dXNlcjpwYXNz`.
std::string basic_auth(std::string_view user, std::string_view password);
std::string base64_encode(std::string_view bytes);
Result<std::string> base64_decode(std::string_view text);

struct UrlParts {
  std::string scheme;    // http, https, ws, wss
  std::string host;      // IPv6 without brackets
  std::uint16_t port = 0;
  std::string target;    // /path?query, at least "/"
  std::string user;
  std::string password;
  bool has_user = false;
};
Result<UrlParts> parse_url(std::string_view url);

class WebSocketClient {
 public:
  /// call.url has the scheme ws, wss, http or https; call.timeout bounds the handshake. An HTTP answer instead of the
  /// upgrade is an error `unexpected status 400: <first line of body>`.
  static Result<std::unique_ptr<WebSocketClient>> connect(const HttpClientOptions& options, const HttpCall& call);
  virtual ~WebSocketClient() = default;
  /// The next text or binary message. Empty: the peer closed; see close_code(). Errors: deadline_exceeded (call again),
  /// cancelled.
  virtual Result<std::optional<std::string>> read(Duration timeout, std::stop_token stop = {}) = 0;
  virtual Result<void> send_text(std::string_view text, Duration timeout) = 0;
  virtual void close() = 0;
  virtual std::uint16_t close_code() const = 0;
  virtual std::string close_reason() const = 0;
};

}  // namespace kvasir::net
