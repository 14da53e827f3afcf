// connection.h -- one client connection whose operations block until done, a deadline, or a stop. Internal to net.
//
// Shape:    the connection has an io_context of its own that runs only inside wait().
// Threads:  one at a time; a stop may be requested from any thread.
// Errors:   deadline_exceeded, cancelled, unavailable; after any of them from wait() the connection is closed.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>

#include "common/net/http_client.h"
#include "common/net/stream.h"
#include "common/net/tls_context.h"

namespace kvasir::net {

using SteadyTime = std::chrono::steady_clock::time_point;

/// How long, and who may end it sooner.
struct Patience {
  SteadyTime until;
  std::stop_token stop;
};

SteadyTime deadline_after(Duration after);

class Connection {
 public:
  using Done = std::function<void(ErrorCodeIo, std::size_t)>;

  /// Through the proxy or to the unix socket where options say so. `tls` is null for plain text.
  static Result<std::unique_ptr<Connection>> open(const HttpClientOptions& options, const UrlParts& url, TlsContext tls,
                                                  const Patience& patience);

  /// Starts an operation with `start(done)` and runs it to its end.
  Result<std::size_t> wait(const Patience& patience, std::string_view what, const std::function<void(Done)>& start);
  /// Runs pending operations until `flag` is set by one of them. Running out of time closes nothing: they stay pending.
  Result<void> wait_for_flag(const Patience& patience, const bool& flag);
  Result<void> write(const Patience& patience, std::string_view head, std::string_view body);
  /// Reads at least one byte into in(). False: the peer closed.
  Result<bool> read_more(const Patience& patience);
  boost::beast::flat_buffer& in() { return in_; }

  Stream& stream() { return *stream_; }
  std::unique_ptr<Stream> release_stream() { return std::move(stream_); }
  /// True if the peer closed or sent something unasked since the last answer.
  bool is_stale();
  void close();
  void on_close(std::function<void()> action) { close_action_ = std::move(action); }

 private:
  Result<void> connect(const HttpClientOptions& options, const std::string& host, std::uint16_t port,
                       const Patience& patience);
  Result<void> connect_unix(const std::string& path);
  Result<void> tunnel(const HttpClientOptions& options, const UrlParts& url, const UrlParts& proxy,
                      const Patience& patience);
  Result<void> start_tls(const HttpClientOptions& options, const UrlParts& url, TlsContext tls,
                         const Patience& patience);

  asio::io_context io_{1};
  std::unique_ptr<Stream> stream_;
  boost::beast::flat_buffer in_;
  std::uint64_t operation_ = 0;
  std::function<void()> close_action_;
};

}  // namespace kvasir::net
