// stream.h -- a TCP connection, with TLS or without, as one type: what uses it is compiled once. Internal to net.
//
// Shape:    satisfies Asio's AsyncReadStream and AsyncWriteStream.
// Threads:  as a socket: one strand.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/role.hpp>
#include <memory>
#include <optional>

namespace kvasir::net {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using ErrorCodeIo = boost::system::error_code;

class Stream {
 public:
  using Tls = asio::ssl::stream<Tcp::socket>;
  using executor_type = Tcp::socket::executor_type;

  explicit Stream(Tcp::socket socket) : plain_(std::move(socket)) {}
  /// The context must outlive the stream (it is kept here).
  Stream(Tcp::socket socket, std::shared_ptr<asio::ssl::context> context)
      : context_(std::move(context)), tls_(std::make_unique<Tls>(std::move(socket), *context_)) {}
  Stream(Stream&&) = default;

  executor_type get_executor() { return socket().get_executor(); }
  Tcp::socket& socket() { return tls_ ? tls_->next_layer() : *plain_; }
  Tls* tls() { return tls_.get(); }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    if (tls_) return tls_->async_read_some(buffers, std::forward<Token>(token));
    return plain_->async_read_some(buffers, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    if (tls_) return tls_->async_write_some(buffers, std::forward<Token>(token));
    return plain_->async_write_some(buffers, std::forward<Token>(token));
  }

 private:
  std::shared_ptr<asio::ssl::context> context_;
  std::optional<Tcp::socket> plain_;
  std::unique_ptr<Tls> tls_;
};

}  // namespace kvasir::net
