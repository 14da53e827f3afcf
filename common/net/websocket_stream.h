// websocket_stream.h -- lets Beast's WebSocket run over Stream. Internal to net.
#pragma once

#include <boost/asio/post.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "common/net/stream.h"

namespace kvasir::net {

inline void teardown(boost::beast::role_type, Stream& stream, ErrorCodeIo& ec) {
  stream.socket().shutdown(Tcp::socket::shutdown_send, ec);
}

/// After CLOSE frames nothing of value is on the way. Beast's own teardown waits until the peer closes, for ever if
/// need be.
template <class Handler>
void async_teardown(boost::beast::role_type, Stream& stream, Handler&& handler) {
  ErrorCodeIo ignored;
  stream.socket().shutdown(Tcp::socket::shutdown_send, ignored);
  asio::post(stream.get_executor(), boost::beast::bind_front_handler(std::forward<Handler>(handler), ErrorCodeIo()));
}

inline void beast_close_socket(Stream& stream) {
  ErrorCodeIo ignored;
  stream.socket().close(ignored);
}

using WebSocketStream = boost::beast::websocket::stream<Stream, false>;

}  // namespace kvasir::net
