// http_server.h -- HTTP/1.1 and WebSocket server: routes, worker pools, deadlines, TLS.
//
// Shape:    register routes, start(), later drain(). A handler gets the whole request and answers through HttpReply, at
//           once or later, from any thread.
// Order:    requests of one connection are handled one after the other; answers keep the order of requests
//           (pipelining).
// Lifetime: replies and WebSocket sessions may outlive the server; they then do nothing.
// Threads:  handlers run on the pool their route names; kIoPool handlers run on the socket thread and must take < 500
//           us.
// Errors:   404 `404 page not found`, 405 (empty), 400 for malformed requests, 413 body limit, 431 header limit, 408
//           slow request,
//           503 + Retry-After when a pool's queue is full. A handler that throws or drops its reply answers 500.
// Limits:   HttpServerOptions; nothing a client sends is held beyond them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "common/net/http_types.h"
#include "common/net/tls_options.h"
#include "common/time.h"

namespace kvasir::net {

inline constexpr const char* kIoPool = "";  // a route on the socket threads themselves

struct WebSocketOptions {
  std::size_t queue_frames_max = 10;                     // frames waiting to be sent
  std::size_t message_bytes_max = 64 * 1024;             // from the client
  Duration ping_interval = std::chrono::seconds(1);      // 0: none
  Duration write_timeout = std::chrono::seconds(30);     // a frame that cannot be sent for so long ends the session
  std::function<void(std::string_view)> on_message;      // on a socket thread; must be quick
  std::function<void()> on_close;                        // once, on a socket thread, whoever closed
};

/// A WebSocket after the upgrade. All calls from any thread; none blocks.
class WebSocketSession {
 public:
  enum class Sent { kQueued, kQueueFull, kClosed };
  virtual ~WebSocketSession() = default;
  /// kQueueFull: nothing was taken; the caller drops, waits or closes.
  virtual Sent send_text(std::string text) = 0;
  /// Sends what is queued, then CLOSE. code is an RFC 6455 close code (1000 normal, 1011 server error).
  virtual void close(std::uint16_t code, std::string reason) = 0;
  /// Stops when the session has ended.
  virtual std::stop_token stop_token() const = 0;
};

/// The answer to one request. All calls from any thread, but one thread at a time. The last reference dropped without
/// an answer sends 500 (or cuts the connection if the answer had begun).
class HttpReply {
 public:
  virtual ~HttpReply() = default;
  /// Answers whole. REQUIRES: nothing was sent before.
  virtual void send(HttpResponse response) = 0;
  /// Starts a chunked answer: headers now, body by write() until end().
  virtual void begin(int status, HttpHeaders headers) = 0;
  /// Blocks while more than 1 MiB waits for the client. False: the client is gone, stop working.
  /// Not on an io-pool route (it would wait for itself).
  virtual bool write(std::string chunk) = 0;
  virtual void end() = 0;
  /// Answers 101 and turns the connection into a WebSocket. If the request was no upgrade, answers 400 `Bad Request`
  /// and gives null.
  virtual std::shared_ptr<WebSocketSession> upgrade(WebSocketOptions options) = 0;
  /// Stops when the client goes away (or half-closes) or a drain runs out of time.
  virtual std::stop_token stop_token() const = 0;
  bool client_gone() const { return stop_token().stop_requested(); }
};

using HttpHandler = std::function<void(HttpRequest, std::shared_ptr<HttpReply>)>;

struct HttpRoute {
  std::vector<std::string> methods;    // upper case; empty: every method. HEAD must be listed
  std::string pattern;                 // "/a/{name}/b"; a last segment "{rest...}" takes everything below
  std::string pool;                    // a name from HttpServerOptions::pools, or kIoPool
  std::uint64_t body_bytes_max = 10 << 20;
  HttpHandler handler;
};

struct WorkerPoolOptions {
  std::string name;
  std::size_t threads = 1;
  std::size_t queue_max = 1024;        // requests waiting; more are answered 503
};

/// Requests it is true for are handled by one thread of their own, behind a queue of kAsideQueueMax, whatever pool
/// their route names: they hold up nobody but each other. Asked on a socket thread, so it must be quick.
using SetAside = std::function<bool(const HttpRequest&)>;
inline constexpr std::size_t kAsideQueueMax = 16;

/// One finished exchange, for access logs and metrics. Views live during the call only.
struct HttpExchange {
  std::string_view method;
  std::string_view target;
  std::string_view route;              // the pattern; "" if none matched
  std::string_view peer;
  int status = 0;                      // 0: the client went away before an answer
  std::uint64_t request_bytes = 0;     // of the body
  std::uint64_t response_bytes = 0;    // of the body
  Duration duration{};                 // from the first header byte to the last answer byte
};

struct HttpServerOptions {
  std::string address = "127.0.0.1";   // "" = every address
  std::uint16_t port = 0;              // 0: the system chooses, see port()
  std::string path_prefix;             // "/logs": routes are found below it only; request.path and route go without it
  std::size_t io_threads = 1;
  std::size_t connections_max = 4096;  // more are answered 503 and closed
  std::size_t header_bytes_max = 64 * 1024;
  Duration header_timeout = std::chrono::seconds(30);   // first byte to end of headers
  Duration body_timeout = std::chrono::seconds(60);     // end of headers to end of body
  Duration idle_timeout = std::chrono::seconds(120);    // between requests
  Duration write_timeout = std::chrono::seconds(30);    // without any progress
  std::vector<WorkerPoolOptions> pools;
  SetAside set_aside;                                   // may be empty
  TlsServerOptions tls;                                 // off unless cert_file is set
  std::function<void(const HttpExchange&)> on_exchange; // on a socket thread; must be quick
};

class HttpServer {
 public:
  explicit HttpServer(HttpServerOptions options);
  ~HttpServer();  // drains with no grace

  /// REQUIRES: not started, or started closed. Literal segments win over {param}s, those over {rest...}.
  void add(HttpRoute route);
  /// Those that were added; valid as long as the server.
  std::vector<const HttpRoute*> routes() const;
  /// Instead of 404. Runs on the io pool.
  void set_fallback(HttpHandler handler);

  /// Binds, listens, serves. Errors: io (address in use, ...), invalid_argument (certificates, unknown pool).
  Result<void> start();
  /// As start(), but until open_routes() every request gets what `answer` gives, and its connection is closed; routes
  /// may be added meanwhile. `answer` runs on the socket threads and sees no body.
  Result<void> start_closed(std::function<HttpResponse(const HttpRequest&)> answer);
  /// Ends what start_closed() began. Errors: invalid_argument (unknown pool).
  Result<void> open_routes();
  /// The bound port; valid after start().
  std::uint16_t port() const;
  /// Reads certificate files again; connections that exist keep the old ones. On error the old stay in use.
  Result<void> reload_tls();
  /// Stops accepting, lets running requests finish until `grace` ends, cuts the rest, joins every thread. Idempotent.
  void drain(Duration grace);
  std::size_t connection_count() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kvasir::net
