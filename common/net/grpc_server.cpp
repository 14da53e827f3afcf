#include "common/net/grpc_server.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <thread>

#include "common/log.h"
#include "common/net/grpc_session.h"
#include "common/net/listen.h"
#include "common/net/tls_context.h"

namespace kvasir::net {
namespace {

constexpr auto kAcceptRetry = std::chrono::milliseconds(100);

/// HTTP/2 is agreed on in the TLS handshake.
int choose_h2(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned int in_size,
              void*) {
  unsigned char* chosen = nullptr;
  static constexpr unsigned char kH2[] = {2, 'h', '2'};
  if (SSL_select_next_proto(&chosen, out_size, kH2, sizeof kH2, in, in_size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

class GrpcServer::Impl {
 public:
  explicit Impl(GrpcServerOptions options)
      : shared_(std::make_shared<GrpcShared>(std::move(options))), acceptor_(shared_->io), retry_(shared_->io) {}

  GrpcShared& shared() { return *shared_; }
  std::uint16_t port() const { return port_; }

  Result<void> start() {
    KVASIR_CHECK_OK(reload_tls());
    const auto& options = shared_->options;
    KVASIR_CHECK_OK(open_listener(shared_->io, acceptor_, options.address, options.port));
    port_ = acceptor_.local_endpoint().port();
    shared_->pool = std::make_unique<WorkerPool>(WorkerPoolOptions{"grpc", options.threads, options.queue_max});
    started_ = true;
    accept();
    thread_ = std::thread([io = &shared_->io] { io->run(); });
    pthread_setname_np(thread_.native_handle(), "grpc-io");
    return {};
  }

  Result<void> reload_tls() {
    if (!shared_->options.tls.enabled()) return {};
    KVASIR_TRY(TlsContext context, make_server_context(shared_->options.tls));
    SSL_CTX_set_alpn_select_cb(context->native_handle(), choose_h2, nullptr);
    std::atomic_store(&tls_, std::move(context));
    return {};
  }

  void drain(Duration grace) {
    if (!started_ || shared_->stopped) return;
    asio::post(shared_->io, [this] {
      draining_ = true;
      ErrorCodeIo ec;
      acceptor_.close(ec);
      retry_.cancel();
    });
    for_each_session(&GrpcSession::begin_drain);
    wait_until_idle(grace);
    for_each_session(&GrpcSession::close);
    wait_until_idle(std::chrono::milliseconds(500));
    shared_->pool->stop();
    shared_->io.stop();
    thread_.join();
    shared_->stopped = true;
    shared_->io.restart();
    shared_->io.poll();  // handlers of aborted operations hold sessions, which hold this io_context
  }

 private:
  void accept() {
    acceptor_.async_accept(asio::make_strand(shared_->io), [this](ErrorCodeIo ec, Tcp::socket socket) {
      if (draining_) return;
      if (!ec) {
        take(std::move(socket));
        return accept();
      }
      log::warn("grpc", "accept failed, trying again", {{"error", ec.message()}});
      retry_.expires_after(kAcceptRetry);
      retry_.async_wait([this](ErrorCodeIo cancelled) {
        if (!cancelled) accept();
      });
    });
  }

  void take(Tcp::socket socket) {
    auto context = std::atomic_load(&tls_);
    Stream stream = context ? Stream(std::move(socket), std::move(context)) : Stream(std::move(socket));
    auto session = std::make_shared<GrpcSession>(shared_, std::move(stream));
    {
      MutexLock lock(shared_->mutex);
      if (shared_->sessions.size() < shared_->options.connections_max) shared_->sessions[session.get()] = session;
      else return;  // closes it
    }
    asio::dispatch(session->executor(), [session] { session->start(); });
  }

  void for_each_session(void (GrpcSession::*action)()) {
    std::vector<std::shared_ptr<GrpcSession>> alive;
    {
      MutexLock lock(shared_->mutex);
      for (const auto& [raw, weak] : shared_->sessions) {
        if (auto session = weak.lock()) alive.push_back(std::move(session));
      }
    }
    for (auto& session : alive) {
      asio::post(session->executor(), [session, action] { ((*session).*action)(); });
    }
  }

  void wait_until_idle(Duration limit) {
    MutexLock lock(shared_->mutex);
    shared_->changed.wait_for(lock, limit, [&] { return shared_->sessions.empty(); });
  }

  std::shared_ptr<GrpcShared> shared_;
  Tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  TlsContext tls_;  // replaced by reload_tls()
  std::thread thread_;
  std::uint16_t port_ = 0;
  bool started_ = false;
  bool draining_ = false;
};

GrpcServer::GrpcServer(GrpcServerOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {}
GrpcServer::~GrpcServer() { drain(Duration::zero()); }
void GrpcServer::add(std::string path, HttpHandler handler) {
  impl_->shared().handlers.emplace(std::move(path), std::move(handler));
}
Result<void> GrpcServer::start() { return impl_->start(); }
std::uint16_t GrpcServer::port() const { return impl_->port(); }
Result<void> GrpcServer::reload_tls() { return impl_->reload_tls(); }
void GrpcServer::drain(Duration grace) { impl_->drain(grace); }

}  // namespace kvasir::net
