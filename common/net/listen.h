// listen.h -- a listening socket and its accept loop, with or without TLS, for every kind of server. Internal to net.
//
// Shape:    open(), then start(): each connection comes as a Stream on a strand of its own, until close(). When
//           accepting fails (descriptors may have run out) it is tried again shortly after.
// Threads:  callbacks on the threads of the io_context; reload and close() from any.
// Lifetime: must outlive the io_context's last run.
// Errors:   io (address in use, ...), invalid_argument (not an address or a name).
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/mutex.h"
#include "common/net/stream.h"
#include "common/net/tls_context.h"
#include "common/result.h"

namespace kvasir::net {

class Listener {
 public:
  using Take = std::function<void(Stream)>;

  /// `name` is for the log.
  Listener(asio::io_context& io, std::string name) : name_(std::move(name)), io_(io), acceptor_(io), retry_(io) {}

  /// Binds and listens. address "": every address of the machine, IPv6 and IPv4.
  Result<void> open(const std::string& address, std::uint16_t port);
  /// Valid after open().
  std::uint16_t port() const { return port_; }
  void start(Take take);
  /// For connections from now on; those that exist keep theirs.
  void use_tls(TlsContext context) { std::atomic_store(&tls_, std::move(context)); }
  /// Accepts nothing more. Does not wait.
  void close();

 private:
  void accept();

  const std::string name_;
  asio::io_context& io_;
  Tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  TlsContext tls_;  // null: none
  Take take_;
  std::uint16_t port_ = 0;
  bool closed_ = false;  // on the io_context
};

/// Posts a member function to each session that is still alive. `mutex` guards the map.
template <class Session>
void post_to_each(Mutex& mutex, const std::map<Session*, std::weak_ptr<Session>>& sessions,
                  void (Session::*action)()) {
  std::vector<std::shared_ptr<Session>> alive;
  {
    MutexLock lock(mutex);
    for (const auto& [raw, weak] : sessions) {
      if (auto session = weak.lock()) alive.push_back(std::move(session));
    }
  }
  for (auto& session : alive) {
    asio::post(session->executor(), [session, action] { ((*session).*action)(); });
  }
}

}  // namespace kvasir::net
