// tls_context.h -- OpenSSL contexts from our options. Internal to net.
//
// Errors:   invalid_argument, naming the file that could not be used.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "common/net/tls_options.h"
#include "common/result.h"

namespace kvasir::net {

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

Result<TlsContext> make_server_context(const TlsServerOptions& options);
Result<TlsContext> make_client_context(const TlsClientOptions& options);
/// Sets SNI and the name to verify on a client connection. `ssl` is a native handle.
Result<void> prepare_client_tls(SSL* ssl, const TlsClientOptions& options, const std::string& host);
/// Common name of the verified peer certificate, or "".
std::string peer_common_name(SSL* ssl);
/// The text of OpenSSL's reason for a failed handshake, with the verification result where that is the cause.
std::string tls_failure(SSL* ssl, const boost::system::error_code& ec);

}  // namespace kvasir::net
