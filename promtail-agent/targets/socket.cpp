#include "promtail-agent/targets/socket.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kvasir::agent {

namespace {
inline constexpr int kBacklog = 128;
inline constexpr int kUdpBufferBytes = 1 << 20;
}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Fd> listen_on(const std::string& address, SocketKind kind) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos)
    return fail(ErrorCode::kInvalidArgument, fmt::format("address {}: missing port in address", address));
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = kind == SocketKind::kTcp ? SOCK_STREAM : SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int code =
      ::getaddrinfo(host.empty() ? nullptr : host.c_str(), address.substr(colon + 1).c_str(), &hints, &found);
  if (code != 0) return fail(ErrorCode::kInvalidArgument, fmt::format("address {}: {}", address, ::gai_strerror(code)));
  std::string error = "no address";
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    Fd fd(::socket(one->ai_family, one->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, one->ai_protocol));
    const int on = 1;
    const int off = 0;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (one->ai_family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (kind == SocketKind::kUdp)
      ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kUdpBufferBytes, sizeof kUdpBufferBytes);
    const bool bound = fd.valid() && ::bind(fd.get(), one->ai_addr, one->ai_addrlen) == 0;
    if (bound && (kind == SocketKind::kUdp || ::listen(fd.get(), kBacklog) == 0)) {
      ::freeaddrinfo(found);
      return fd;
    }
    error = std::strerror(errno);
  }
  ::freeaddrinfo(found);
  return fail(ErrorCode::kIo, fmt::format("listen on {}: {}", address, error));
}

std::string peer_address(const void* address, unsigned size) {
  char host[NI_MAXHOST] = {};
  const auto* socket_address = static_cast<const sockaddr*>(address);
  if (::getnameinfo(socket_address, size, host, sizeof host, nullptr, 0, NI_NUMERICHOST) != 0) return {};
  const std::string text = host;
  return text.starts_with("::ffff:") ? text.substr(7) : text;
}

std::string reverse_lookup(const std::string& address) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), nullptr, &hints, &found) != 0) return {};
  char host[NI_MAXHOST] = {};
  const int code = ::getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof host, nullptr, 0, NI_NAMEREQD);
  ::freeaddrinfo(found);
  return code == 0 ? std::string(host) : std::string();
}

}  // namespace kvasir::agent
