// Answers of a hostile server, as they could come from a key set's URL, an Alertmanager or a remote-write receiver: the
// call ends, and no more is kept than its limit.
#include "common/net/http_client.h"

#include <condition_variable>
#include <thread>

#include "common/mutex.h"
#include "tests/fuzz/loopback.h"

namespace {

using namespace kvasir;

constexpr std::uint64_t kAnswerMax = 4096;

/// Answers each connection with the bytes set last, whatever was asked.
class Peer {
 public:
  Peer() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool bound = ::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                       ::listen(fd_, 16) == 0 &&
                       ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    KVASIR_ASSERT(bound, "no port");
    port_ = ntohs(address.sin_port);
    std::thread([this] { serve(); }).detach();  // as long as the process
  }
  std::uint16_t port() const { return port_; }
  void set(std::string_view bytes) {
    MutexLock lock(mutex_);
    bytes_ = bytes;
  }

 private:
  void serve() {
    for (;;) {
      const int client = ::accept(fd_, nullptr, nullptr);
      if (client < 0) return;
      std::string bytes;
      {
        MutexLock lock(mutex_);
        bytes = bytes_;
      }
      char asked[4096];
      (void)!::recv(client, asked, sizeof asked, 0);
      (void)!::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ::shutdown(client, SHUT_WR);
      while (::recv(client, asked, sizeof asked, 0) > 0) {
      }
      ::close(client);
    }
  }

  int fd_;
  std::uint16_t port_ = 0;
  Mutex mutex_;
  std::string bytes_ KVASIR_GUARDED_BY(mutex_);
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Peer& peer = *std::make_unique<Peer>().release();
  peer.set(fuzz::text_of(data, size));
  const auto begun = std::chrono::steady_clock::now();
  static const auto client = [] {  // once: it reads the system's certificates
    net::HttpClientOptions options;
    options.idle_connections_max = 0;
    options.response_bytes_max = kAnswerMax;
    return net::make_http_client(std::move(options));
  }();
  KVASIR_ASSERT(client.has_value(), "no client");
  net::HttpCall call;
  call.url = "http://127.0.0.1:" + std::to_string(peer.port()) + "/";
  call.timeout = std::chrono::seconds(5);
  const auto response = (*client)->send(call);
  KVASIR_ASSERT(std::chrono::steady_clock::now() - begun < fuzz::kPatience, "a call does not end");
  if (response) KVASIR_ASSERT(response->body.size() <= kAnswerMax, "an answer is over its limit");
  return 0;
}
