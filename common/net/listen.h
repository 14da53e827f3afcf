// listen.h -- opens a listening socket. Internal to net.
//
// Errors:   io (address in use, ...), invalid_argument (not an address or a name).
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>

#include "common/net/stream.h"
#include "common/result.h"

namespace kvasir::net {

/// address "": every address of the machine, IPv6 and IPv4.
Result<void> open_listener(asio::io_context& io, Tcp::acceptor& acceptor, const std::string& address,
                           std::uint16_t port);

}  // namespace kvasir::net
