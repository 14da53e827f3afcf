#include "common/net/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/connect.hpp>

namespace kvasir::net {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kProxyHeadBytes = 16 * 1024;
constexpr int kSilenceSeconds = 20;  // until a silent peer is asked whether it is still there,
constexpr int kProbeSeconds = 5;     // and how often then
constexpr int kProbes = 4;

/// A stream that waits for what may come (a watch, followed logs) would wait for ever on a host that vanished.
void notice_dead_peer(int socket) {
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &kSilenceSeconds, sizeof kSilenceSeconds);
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &kProbeSeconds, sizeof kProbeSeconds);
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &kProbes, sizeof kProbes);
}

}  // namespace

SteadyTime deadline_after(Duration after) { return std::chrono::steady_clock::now() + after; }

Result<std::unique_ptr<Connection>> Connection::open(const HttpClientOptions& options, const UrlParts& url,
                                                     TlsContext tls, const Patience& patience) {
  auto connection = std::make_unique<Connection>();
  if (!options.unix_socket.empty()) {
    KVASIR_CHECK_OK(connection->connect_unix(options.unix_socket));
  } else if (!options.proxy_url.empty()) {
    KVASIR_TRY(const UrlParts proxy, parse_url(options.proxy_url));
    KVASIR_CHECK_OK(connection->connect(options, proxy.host, proxy.port, patience));
    if (tls) KVASIR_CHECK_OK(connection->tunnel(options, url, proxy, patience));
  } else {
    KVASIR_CHECK_OK(connection->connect(options, url.host, url.port, patience));
  }
  if (tls) KVASIR_CHECK_OK(connection->start_tls(options, url, std::move(tls), patience));
  return connection;
}

Result<std::size_t> Connection::wait(const Patience& patience, std::string_view what,
                                     const std::function<void(Done)>& start) {
  bool done = false;
  ErrorCodeIo error;
  std::size_t size = 0;
  const std::uint64_t operation = ++operation_;
  bool stopped = false;
  start([&](ErrorCodeIo ec, std::size_t n) {
    done = true;
    error = ec;
    size = n;
  });
  {
    const std::stop_callback on_stop(patience.stop, [&, operation] {
      asio::post(io_, [this, operation, &stopped] {
        if (operation != operation_) return;  // too late: that operation has ended
        stopped = true;
        close();
      });
    });
    io_.restart();
    while (!done && io_.run_one_until(patience.until) > 0) {
    }
    const bool late = !done;
    if (late) {
      close();
      io_.restart();
      while (!done && io_.run_one() > 0) {
      }
    }
    ++operation_;
    if (stopped) return fail(ErrorCode::kCancelled, std::string(what) + ": cancelled");
    if (late) return fail(ErrorCode::kDeadlineExceeded, std::string(what) + ": deadline exceeded");
  }
  if (error) return fail(ErrorCode::kUnavailable, std::string(what) + ": " + error.message());
  return size;
}

Result<void> Connection::wait_for_flag(const Patience& patience, const bool& flag) {
  const std::stop_callback on_stop(patience.stop, [this] { asio::post(io_, [] {}); });  // wakes run_one
  io_.restart();
  while (!flag && !patience.stop.stop_requested() && io_.run_one_until(patience.until) > 0) {
  }
  if (flag) return {};
  if (patience.stop.stop_requested()) return fail(ErrorCode::kCancelled, "read: cancelled");
  return fail(ErrorCode::kDeadlineExceeded, "read: deadline exceeded");
}

Result<void> Connection::connect(const HttpClientOptions& options, const std::string& host, std::uint16_t port,
                                 const Patience& patience) {
  const Patience sooner{std::min(patience.until, deadline_after(options.connect_timeout)), patience.stop};
  Tcp::resolver resolver(io_);
  Tcp::resolver::results_type found;
  Tcp::socket socket(io_);
  on_close([&] {
    resolver.cancel();
    ErrorCodeIo ignored;
    socket.close(ignored);
  });
  const std::string where = host + ":" + std::to_string(port);
  auto resolved = wait(sooner, "resolve " + host, [&](Done done) {
    resolver.async_resolve(host, std::to_string(port),
                           [&found, done](ErrorCodeIo ec, Tcp::resolver::results_type results) {
                             found = std::move(results);
                             done(ec, 0);
                           });
  });
  if (resolved) {
    resolved = wait(sooner, "connect to " + where, [&](Done done) {
      asio::async_connect(socket, found, [done](ErrorCodeIo ec, const Tcp::endpoint&) { done(ec, 0); });
    });
  }
  on_close(nullptr);
  if (!resolved) return fail(resolved.error());
  ErrorCodeIo ignored;
  socket.set_option(Tcp::no_delay(true), ignored);
  notice_dead_peer(socket.native_handle());
  stream_ = std::make_unique<Stream>(std::move(socket));
  return {};
}

/// Local and quick, so it simply blocks. Asio treats the descriptor as any other stream socket.
Result<void> Connection::connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(ErrorCode::kInvalidArgument, "unix socket path too long: " + path);
  path.copy(address.sun_path, path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    const std::string reason = std::generic_category().message(errno);
    if (fd >= 0) ::close(fd);
    return fail(ErrorCode::kUnavailable, "connect to " + path + ": " + reason);
  }
  Tcp::socket socket(io_);
  socket.assign(Tcp::v4(), fd);
  stream_ = std::make_unique<Stream>(std::move(socket));
  return {};
}

Result<void> Connection::tunnel(const HttpClientOptions& options, const UrlParts& url, const UrlParts& proxy,
                                const Patience& patience) {
  const std::string where = url.host + ":" + std::to_string(url.port);
  std::string head = "CONNECT " + where + " HTTP/1.1\r\nHost: " + where + "\r\n";
  if (proxy.has_user) head += "Proxy-Authorization: " + basic_auth(proxy.user, proxy.password) + "\r\n";
  for (const auto& [name, value] : options.proxy_connect_headers) head += name + ": " + value + "\r\n";
  KVASIR_CHECK_OK(write(patience, head + "\r\n", {}));
  std::string_view answer;
  while (answer.find("\r\n\r\n") == std::string_view::npos) {
    if (in_.size() > kProxyHeadBytes) return fail(ErrorCode::kUnavailable, "proxy answer too long");
    KVASIR_TRY(const bool more, read_more(patience));
    if (!more) return fail(ErrorCode::kUnavailable, "proxy closed the connection");
    answer = {static_cast<const char*>(in_.data().data()), in_.size()};
  }
  const std::string_view line = answer.substr(0, answer.find("\r\n"));
  if (line.size() < 12 || line.substr(9, 1) != "2") {
    return fail(ErrorCode::kUnavailable, "proxy refused: " + std::string(line));
  }
  in_.clear();
  return {};
}

Result<void> Connection::start_tls(const HttpClientOptions& options, const UrlParts& url, TlsContext tls,
                                   const Patience& patience) {
  const Patience sooner{std::min(patience.until, deadline_after(options.connect_timeout)), patience.stop};
  stream_ = std::make_unique<Stream>(std::move(stream_->socket()), std::move(tls));
  SSL* ssl = stream_->tls()->native_handle();
  KVASIR_CHECK_OK(prepare_client_tls(ssl, options.tls, url.host));
  std::string reason;
  const auto shaken = wait(sooner, "tls handshake with " + url.host, [&](Done done) {
    stream_->tls()->async_handshake(Stream::Tls::client, [&, done](ErrorCodeIo ec) {
      if (ec) reason = tls_failure(ssl, ec);
      done(ec, 0);
    });
  });
  if (shaken) return {};
  if (shaken.error().code() != ErrorCode::kUnavailable) return fail(shaken.error());
  return fail(ErrorCode::kUnavailable, "tls handshake with " + url.host + ": " + reason);
}

Result<void> Connection::write(const Patience& patience, std::string_view head, std::string_view body) {
  while (!head.empty() || !body.empty()) {
    const std::array<asio::const_buffer, 2> buffers = {asio::buffer(head.data(), head.size()),
                                                       asio::buffer(body.data(), body.size())};
    KVASIR_TRY(std::size_t sent, wait(patience, "send request", [&](Done done) {
      if (head.empty()) return stream_->async_write_some(asio::buffer(body.data(), body.size()), std::move(done));
      stream_->async_write_some(buffers, std::move(done));
    }));
    const std::size_t of_head = std::min(sent, head.size());
    head.remove_prefix(of_head);
    body.remove_prefix(sent - of_head);
  }
  return {};
}

Result<bool> Connection::read_more(const Patience& patience) {
  bool closed = false;
  KVASIR_TRY(const std::size_t size, wait(patience, "read response", [&](Done done) {
    stream_->async_read_some(in_.prepare(kReadBytes), [&closed, done](ErrorCodeIo ec, std::size_t n) {
      closed = ec == asio::error::eof || ec == asio::ssl::error::stream_truncated;
      done(closed ? ErrorCodeIo() : ec, n);
    });
  }));
  in_.commit(size);
  return !closed;
}

bool Connection::is_stale() {
  char byte;
  const ssize_t got = ::recv(stream_->socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

void Connection::close() {
  if (close_action_) close_action_();
  if (!stream_) return;
  ErrorCodeIo ignored;
  stream_->socket().close(ignored);
}

}  // namespace kvasir::net
