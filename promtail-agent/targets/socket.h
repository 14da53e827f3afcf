// socket.h -- listening sockets for the inputs that are no HTTP.
//
// Errors:   invalid_argument (address), io (bind).
// Lifetime: Fd closes its descriptor.
#pragma once

#include <string>
#include <utility>

#include "common/result.h"

namespace kvasir::agent {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

enum class SocketKind { kTcp, kUdp };

/// Non-blocking; `host:port`, `[v6]:port`, `:port`.
Result<Fd> listen_on(const std::string& address, SocketKind kind);
/// The peer's address without its port.
std::string peer_address(const void* address, unsigned size);
/// Names that the address has in DNS; "" if none. May block.
std::string reverse_lookup(const std::string& address);

}  // namespace kvasir::agent
