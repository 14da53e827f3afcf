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
      : shared_(std::make_shared<GrpcShared>(std::move(options))), listener_(shared_->io, "grpc") {}

  GrpcShared& shared() { return *shared_; }
  std::uint16_t port() const { return listener_.port(); }

  Result<void> start() {
    KVASIR_CHECK_OK(reload_tls());
    const auto& options = shared_->options;
    KVASIR_CHECK_OK(listener_.open(options.address, options.port));
    shared_->pool = std::make_unique<WorkerPool>(WorkerPoolOptions{"grpc", options.threads, options.queue_max});
    shared_->aside = make_aside_pool(options.set_aside);
    started_ = true;
    listener_.start([this](Stream stream) { take(std::move(stream)); });
    thread_ = std::thread([io = &shared_->io] { io->run(); });
    pthread_setname_np(thread_.native_handle(), "grpc-io");
    return {};
  }

  Result<void> reload_tls() {
    if (!shared_->options.tls.enabled()) return {};
    KVASIR_TRY(TlsContext context, make_server_context(shared_->options.tls));
    SSL_CTX_set_alpn_select_cb(context->native_handle(), choose_h2, nullptr);
    listener_.use_tls(std::move(context));
    return {};
  }

  void drain(Duration grace) {
    if (!started_ || shared_->stopped) return;
    shared_->draining = true;
    listener_.close();
    post_to_each(shared_->mutex, shared_->sessions, &GrpcSession::begin_drain);
    wait_until_idle(grace);
    post_to_each(shared_->mutex, shared_->sessions, &GrpcSession::close);
    wait_until_idle(std::chrono::milliseconds(500));
    shared_->pool->stop();
    if (shared_->aside) shared_->aside->stop();
    shared_->io.stop();
    thread_.join();
    shared_->stopped = true;
    shared_->io.restart();
    shared_->io.poll();  // handlers of aborted operations hold sessions, which hold this io_context
  }

 private:
  void take(Stream stream) {
    auto session = std::make_shared<GrpcSession>(shared_, std::move(stream));
    {
      MutexLock lock(shared_->mutex);
      if (shared_->sessions.size() < shared_->options.connections_max) shared_->sessions[session.get()] = session;
      else return;  // closes it
    }
    asio::dispatch(session->executor(), [session] { session->start(); });
  }

  void wait_until_idle(Duration limit) {
    MutexLock lock(shared_->mutex);
    shared_->changed.wait_for(lock, limit, [&] { return shared_->sessions.empty(); });
  }

  std::shared_ptr<GrpcShared> shared_;
  Listener listener_;
  std::thread thread_;
  bool started_ = false;
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
