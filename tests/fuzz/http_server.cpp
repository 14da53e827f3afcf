// HTTP/1.1 as a hostile client speaks it: heads, lengths, chunks, pipelines. Every connection ends; what reaches a
// handler keeps the limits; what comes back is HTTP.
#include "common/net/http_server.h"
#include "tests/fuzz/loopback.h"

namespace {

using namespace kvasir;

constexpr std::uint64_t kBodyMax = 4096;
constexpr std::size_t kHeaderMax = 2048;

void check_request(const net::HttpRequest& request) {
  KVASIR_ASSERT(request.body.size() <= kBodyMax, "a body is over its limit");
  std::size_t bytes = request.target.size();
  for (const auto& [name, value] : request.headers) bytes += name.size() + value.size();
  KVASIR_ASSERT(bytes <= kHeaderMax + 16 * 1024, "a head is over its limit");
}

std::uint16_t port() {
  static net::HttpServer server([] {
    net::HttpServerOptions options;
    options.header_bytes_max = kHeaderMax;
    options.header_timeout = options.body_timeout = options.idle_timeout = std::chrono::seconds(2);
    return options;
  }());
  static const bool started = [] {
    const auto echo = [](net::HttpRequest request, std::shared_ptr<net::HttpReply> reply) {
      check_request(request);
      reply->send(net::HttpResponse::text(200, std::move(request.body)));
    };
    server.add({{"POST", "PUT", "GET", "HEAD"}, "/a/{name}", net::kIoPool, kBodyMax, echo});
    server.add({{"POST"}, "/f/{rest...}", net::kIoPool, 16, echo});
    return server.start().has_value();
  }();
  KVASIR_ASSERT(started, "the server does not start");
  return server.port();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string answer = fuzz::answer_to(port(), "", fuzz::text_of(data, size));
  KVASIR_ASSERT(answer.empty() || answer.starts_with("HTTP/1."), "an answer is not HTTP");
  return 0;
}
