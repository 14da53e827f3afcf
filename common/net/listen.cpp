#include "common/net/listen.h"

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include "common/log.h"

namespace kvasir::net {
namespace {

constexpr auto kAcceptRetry = std::chrono::milliseconds(100);

Result<Tcp::endpoint> listen_endpoint(asio::io_context& io, const std::string& address, std::uint16_t port) {
  if (address.empty()) return Tcp::endpoint(Tcp::v6(), port);
  ErrorCodeIo ec;
  const auto ip = asio::ip::make_address(address, ec);
  if (!ec) return Tcp::endpoint(ip, port);
  const auto found = Tcp::resolver(io).resolve(address, std::to_string(port), Tcp::resolver::passive, ec);
  if (ec || found.empty()) return fail(ErrorCode::kInvalidArgument, "listen address " + address + ": " + ec.message());
  return found.begin()->endpoint();
}

void listen_on(Tcp::acceptor& acceptor, const Tcp::endpoint& endpoint, ErrorCodeIo& ec) {
  acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(Tcp::acceptor::reuse_address(true), ec);
  if (!ec && endpoint.protocol() == Tcp::v6()) acceptor.set_option(asio::ip::v6_only(false), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
}

}  // namespace

Result<void> Listener::open(const std::string& address, std::uint16_t port) {
  KVASIR_TRY(const Tcp::endpoint endpoint, listen_endpoint(io_, address, port));
  ErrorCodeIo ec;
  listen_on(acceptor_, endpoint, ec);
  if (ec && address.empty()) {  // a machine without IPv6
    ErrorCodeIo ignored;
    acceptor_.close(ignored);
    ec = {};
    listen_on(acceptor_, Tcp::endpoint(Tcp::v4(), port), ec);
  }
  if (ec) return fail(ErrorCode::kIo, "listen on " + address + ":" + std::to_string(port) + ": " + ec.message());
  port_ = acceptor_.local_endpoint().port();
  return {};
}

void Listener::start(Take take) {
  take_ = std::move(take);
  accept();
}

void Listener::accept() {
  acceptor_.async_accept(asio::make_strand(io_), [this](ErrorCodeIo ec, Tcp::socket socket) {
    if (closed_) return;
    if (!ec) {
      auto context = std::atomic_load(&tls_);
      take_(context ? Stream(std::move(socket), std::move(context)) : Stream(std::move(socket)));
      return accept();
    }
    log::warn(name_, "accept failed, trying again", {{"error", ec.message()}});
    retry_.expires_after(kAcceptRetry);
    retry_.async_wait([this](ErrorCodeIo cancelled) {
      if (!cancelled) accept();
    });
  });
}

void Listener::close() {
  asio::post(io_, [this] {
    closed_ = true;
    ErrorCodeIo ec;
    acceptor_.close(ec);
    retry_.cancel();
  });
}

}  // namespace kvasir::net
