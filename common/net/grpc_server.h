// grpc_server.h -- unary gRPC calls over HTTP/2, with and without TLS: as much of gRPC as receiving OTLP needs.
//
// Shape:    a call looks to its handler like a POST: path "/package.Service/Method", metadata as headers, the message
//           as body. Content-Encoding is the message's own (grpc-encoding) if it came compressed. The handler answers
//           as over HTTP: 2xx with the message as body becomes OK, everything else a status with the first line of the
//           body as its text.
// Lifetime: replies may outlive the server; they then do nothing. Only HttpReply::send() can be used.
// Threads:  one socket thread; handlers run on `threads` of their own, those that are set aside on one more.
// Errors:   UNIMPLEMENTED unknown method, INVALID_ARGUMENT broken framing or too large a message, UNAVAILABLE when
//           busy.
// Limits:   GrpcServerOptions; a declared length is checked before a byte of the message is kept.
// Source:   docs/adr/0009-otlp-over-grpc.md
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/net/http_server.h"

namespace kvasir::net {

struct GrpcServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;                               // 0: the system chooses
  std::size_t threads = 2;
  std::size_t queue_max = 256;                          // calls waiting for a thread
  std::size_t connections_max = 1024;
  std::uint32_t calls_per_connection_max = 32;          // at one time
  std::uint32_t header_bytes_max = 64 * 1024;           // of one call
  std::uint64_t message_bytes_max = 100 << 20;          // as sent
  std::uint64_t buffered_bytes_max = 256 << 20;         // messages that are being received, over all connections
  Duration call_timeout = std::chrono::seconds(60);     // from the first header to the end of the message
  Duration idle_timeout = std::chrono::minutes(5);      // of a connection without calls
  SetAside set_aside;                                   // may be empty
  TlsServerOptions tls;
};

class GrpcServer {
 public:
  explicit GrpcServer(GrpcServerOptions options);
  ~GrpcServer();  // drains with no grace

  /// REQUIRES: not started.
  void add(std::string path, HttpHandler handler);
  /// Errors: io (address in use, ...), invalid_argument (certificates).
  Result<void> start();
  std::uint16_t port() const;
  Result<void> reload_tls();
  /// Stops accepting, lets running calls finish until `grace` ends, cuts the rest, joins every thread. Idempotent.
  void drain(Duration grace);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kvasir::net
