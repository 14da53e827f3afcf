// HTTP/2 as a hostile gRPC client speaks it. An input that begins with `~` sends its own preface, every other gets a
// good one. Every connection ends; what reaches a handler keeps the limits.
#include "common/net/grpc_server.h"
#include "tests/fuzz/loopback.h"

namespace {

using namespace kvasir;

constexpr std::size_t kMessageMax = 4096;
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::uint16_t port() {
  static net::GrpcServer server([] {
    net::GrpcServerOptions options;
    options.message_bytes_max = kMessageMax;
    options.buffered_bytes_max = 4 * kMessageMax;
    options.calls_per_connection_max = 4;
    options.header_bytes_max = 2048;
    return options;
  }());
  static const bool started = [] {
    server.add("/s/M", [](net::HttpRequest request, std::shared_ptr<net::HttpReply> reply) {
      KVASIR_ASSERT(request.body.size() <= kMessageMax, "a message is over its limit");
      reply->send(net::HttpResponse::text(200, std::move(request.body)));
    });
    return server.start().has_value();
  }();
  KVASIR_ASSERT(started, "the server does not start");
  return server.port();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text_of(data, size);
  const bool own_preface = input.starts_with('~');
  if (own_preface) input.remove_prefix(1);
  (void)fuzz::answer_to(port(), own_preface ? std::string_view() : kPreface, input);
  return 0;
}
