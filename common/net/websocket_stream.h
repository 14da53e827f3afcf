// websocket_stream.h -- lets Beast's WebSocket run over Stream. Internal to net.
#pragma once

#include <boost/beast/websocket/stream.hpp>
#include <boost/beast/websocket/teardown.hpp>

#include "common/net/stream.h"

namespace kvasir::net {

inline void teardown(boost::beast::role_type role, Stream& stream, ErrorCodeIo& ec) {
  boost::beast::websocket::teardown(role, stream.socket(), ec);
}

/// After CLOSE frames were exchanged nothing of value is on the way: the TCP connection ends without a TLS farewell.
template <class Handler>
void async_teardown(boost::beast::role_type role, Stream& stream, Handler&& handler) {
  boost::beast::websocket::async_teardown(role, stream.socket(), std::forward<Handler>(handler));
}

inline void beast_close_socket(Stream& stream) {
  ErrorCodeIo ignored;
  stream.socket().close(ignored);
}

using WebSocketStream = boost::beast::websocket::stream<Stream, false>;

}  // namespace kvasir::net
