#include "common/net/listen.h"

#include <boost/asio/ip/v6_only.hpp>

namespace kvasir::net {
namespace {

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

Result<void> open_listener(asio::io_context& io, Tcp::acceptor& acceptor, const std::string& address,
                           std::uint16_t port) {
  KVASIR_TRY(const Tcp::endpoint endpoint, listen_endpoint(io, address, port));
  ErrorCodeIo ec;
  listen_on(acceptor, endpoint, ec);
  if (ec && address.empty()) {  // a machine without IPv6
    ErrorCodeIo ignored;
    acceptor.close(ignored);
    ec = {};
    listen_on(acceptor, Tcp::endpoint(Tcp::v4(), port), ec);
  }
  if (ec) return fail(ErrorCode::kIo, "listen on " + address + ":" + std::to_string(port) + ": " + ec.message());
  return {};
}

}  // namespace kvasir::net
