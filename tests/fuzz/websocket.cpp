// WebSocket frames of a hostile client after a good upgrade: every connection ends, no message passes its limit.
#include "common/net/http_server.h"
#include "tests/fuzz/loopback.h"

namespace {

using namespace kvasir;

constexpr std::size_t kMessageMax = 1000;
constexpr std::string_view kUpgrade =
    "GET /tail HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

std::uint16_t port() {
  static net::HttpServer server(net::HttpServerOptions{});
  static const bool started = [] {
    server.add({{"GET"}, "/tail", net::kIoPool, 0, [](net::HttpRequest, std::shared_ptr<net::HttpReply> reply) {
                  net::WebSocketOptions options;
                  options.message_bytes_max = kMessageMax;
                  options.ping_interval = Duration::zero();
                  options.on_message = [](std::string_view message) {
                    KVASIR_ASSERT(message.size() <= kMessageMax, "a message is over its limit");
                  };
                  const auto session = reply->upgrade(std::move(options));
                  if (session != nullptr) session->send_text("hello");
                }});
    return server.start().has_value();
  }();
  KVASIR_ASSERT(started, "the server does not start");
  return server.port();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string answer = fuzz::answer_to(port(), kUpgrade, fuzz::text_of(data, size));
  KVASIR_ASSERT(answer.empty() || answer.starts_with("HTTP/1.1 101 "), "the upgrade is refused");
  return 0;
}
