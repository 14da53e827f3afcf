#include "common/net/http_server.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include "common/assert.h"
#include "common/log.h"
#include "common/net/http_session.h"
#include "common/net/listen.h"
#include "common/net/tls_context.h"

namespace kvasir::net {
namespace {

constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 21\r\nRetry-After: 1\r\nConnection: close\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\ntoo many connections\n";

}  // namespace

class HttpServer::Impl {
 public:
  explicit Impl(HttpServerOptions options)
      : shared_(std::make_shared<ServerShared>(std::move(options))), listener_(shared_->io, "http") {}

  ServerShared& shared() { return *shared_; }

  Result<void> start() {
    KVASIR_CHECK_OK(reload_tls());
    for (const auto& pool : shared_->options.pools) shared_->pools[pool.name] = std::make_unique<WorkerPool>(pool);
    shared_->aside = make_aside_pool(shared_->options.set_aside);
    if (shared_->closed.load() == nullptr) KVASIR_CHECK_OK(check_pools());
    KVASIR_CHECK_OK(listener_.open(shared_->options.address, shared_->options.port));
    started_ = true;
    listener_.start([this](Stream stream) { take(std::move(stream)); });
    for (std::size_t i = 0; i < std::max<std::size_t>(1, shared_->options.io_threads); ++i) {
      threads_.emplace_back([io = &shared_->io] { io->run(); });
      pthread_setname_np(threads_.back().native_handle(), "http-io");
    }
    return {};
  }

  Result<void> start_closed(ServerShared::ClosedAnswer answer) {
    shared_->closed.store(std::make_shared<const ServerShared::ClosedAnswer>(std::move(answer)));
    return start();
  }

  Result<void> open_routes() {
    KVASIR_CHECK_OK(check_pools());
    shared_->closed.store({});
    return {};
  }

  Result<void> reload_tls() {
    if (!shared_->options.tls.enabled()) return {};
    KVASIR_TRY(TlsContext context, make_server_context(shared_->options.tls));
    listener_.use_tls(std::move(context));
    return {};
  }

  std::uint16_t port() const { return listener_.port(); }

  std::size_t connection_count() {
    MutexLock lock(shared_->mutex);
    return shared_->sessions.size() + shared_->websocket_count;
  }

  void drain(Duration grace) {
    if (!started_ || shared_->stopped) return;
    shared_->draining = true;
    listener_.close();
    shared_->websocket_stop.request_stop();
    post_to_each(shared_->mutex, shared_->sessions, &Session::begin_drain);
    wait_until_idle(grace);
    post_to_each(shared_->mutex, shared_->sessions, &Session::abort);
    shared_->websocket_abort.request_stop();
    wait_until_idle(std::chrono::milliseconds(500));
    for (auto& [name, pool] : shared_->pools) pool->stop();
    if (shared_->aside) shared_->aside->stop();
    stop_io();
  }

 private:
  Result<void> check_pools() const {
    for (const auto& route : shared_->router.routes()) {
      const bool known = route->pool == kIoPool || shared_->pools.contains(route->pool);
      if (!known) return fail(ErrorCode::kInvalidArgument, "route " + route->pattern + ": unknown pool " + route->pool);
    }
    return {};
  }

  void take(Stream stream) {
    if (connection_count() >= shared_->options.connections_max) return turn_away(stream.socket());
    auto session = std::make_shared<Session>(shared_, std::move(stream));
    {
      MutexLock lock(shared_->mutex);
      shared_->sessions[session.get()] = session;
    }
    asio::dispatch(session->executor(), [session] { session->start(); });
  }

  void turn_away(Tcp::socket& socket) {
    ErrorCodeIo ec;
    socket.non_blocking(true, ec);
    if (!shared_->options.tls.enabled()) socket.write_some(asio::buffer(kFull.data(), kFull.size()), ec);
    socket.shutdown(Tcp::socket::shutdown_send, ec);
  }

  void wait_until_idle(Duration limit) {
    MutexLock lock(shared_->mutex);
    shared_->changed.wait_for(lock, limit, [&] { return shared_->sessions.empty() && shared_->websocket_count == 0; });
  }

  void stop_io() {
    shared_->io.stop();
    for (auto& thread : threads_) thread.join();
    shared_->stopped = true;
    shared_->io.restart();
    shared_->io.poll();  // handlers of aborted operations hold sessions, which hold this io_context
  }

  std::shared_ptr<ServerShared> shared_;
  Listener listener_;
  std::vector<std::thread> threads_;
  bool started_ = false;
};

HttpServer::HttpServer(HttpServerOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {}

HttpServer::~HttpServer() { drain(Duration::zero()); }

void HttpServer::add(HttpRoute route) { impl_->shared().router.add(std::move(route)); }

std::vector<const HttpRoute*> HttpServer::routes() const {
  std::vector<const HttpRoute*> out;
  for (const auto& route : impl_->shared().router.routes()) out.push_back(route.get());
  return out;
}

void HttpServer::set_fallback(HttpHandler handler) { impl_->shared().fallback = std::move(handler); }

Result<void> HttpServer::start() { return impl_->start(); }

Result<void> HttpServer::start_closed(std::function<HttpResponse(const HttpRequest&)> answer) {
  return impl_->start_closed(std::move(answer));
}

Result<void> HttpServer::open_routes() { return impl_->open_routes(); }

std::uint16_t HttpServer::port() const { return impl_->port(); }

Result<void> HttpServer::reload_tls() { return impl_->reload_tls(); }

void HttpServer::drain(Duration grace) { impl_->drain(grace); }

std::size_t HttpServer::connection_count() const { return impl_->connection_count(); }

}  // namespace kvasir::net
