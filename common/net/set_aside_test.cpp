#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "common/net/http_server.h"
#include "common/net/raw_client_test.h"

namespace kvasir::net {
namespace {

using namespace std::chrono_literals;
using Answer = std::shared_ptr<HttpReply>;
constexpr std::string_view kHold = "GET /hold HTTP/1.1\r\nHost: x\r\nX-Slow: 1\r\n\r\n";

template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// Sets aside what has the header X-Slow; /hold waits until go().
struct Fixture {
  Fixture() : server(options()) {
    const auto held_open = gone_.get_future().share();
    server.add({{"GET"}, "/hold", kIoPool, 0, [this, held_open](HttpRequest, Answer reply) {
                  ++held;
                  held_open.wait();
                  reply->send(HttpResponse::text(200, "held"));
                }});
    server.add({{"GET"}, "/quick", kIoPool, 0, [](HttpRequest, Answer reply) {
                  reply->send(HttpResponse::text(200, "quick"));
                }});
    REQUIRE(server.start().has_value());
  }
  ~Fixture() { server.drain(Duration::zero()); }

  HttpServerOptions options() {
    HttpServerOptions out;
    out.set_aside = [this](const HttpRequest& request) {
      if (!request.headers.has("X-Slow")) return false;
      ++asked;
      return true;
    };
    return out;
  }
  /// A client whose request was set aside.
  std::unique_ptr<RawClient> hold() {
    const int before = asked;
    auto client = std::make_unique<RawClient>(server.port());
    client->send(kHold);
    REQUIRE(eventually([&] { return asked > before; }));
    return client;
  }
  void go() { gone_.set_value(); }

  std::atomic<int> held{0}, asked{0};
  HttpServer server;

 private:
  std::promise<void> gone_;
};

std::string ask(std::uint16_t port, std::string_view request) {
  RawClient client(port);
  client.send(request);
  return client.read_response();
}

}  // namespace

TEST_CASE("what was set aside for a client that has gone is not begun") {
  Fixture fixture;
  const auto first = fixture.hold();
  REQUIRE(eventually([&] { return fixture.held == 1; }));
  for (int i = 0; i < 3; ++i) fixture.hold();  // sends and closes
  auto last = fixture.hold();
  for (int i = 0; i < 2; ++i) {  // the socket thread has been round since they left
    CHECK(ask(fixture.server.port(), "GET /quick HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("quick"));
  }
  fixture.go();
  CHECK(last->read_response().ends_with("held"));
  CHECK(fixture.held == 2);
}

TEST_CASE("a drain begins nothing that was set aside") {
  Fixture fixture;
  RawClient idle(fixture.server.port());
  const auto first = fixture.hold();
  REQUIRE(eventually([&] { return fixture.held == 1; }));
  const auto second = fixture.hold();
  const auto third = fixture.hold();
  std::thread drainer([&] { fixture.server.drain(60s); });
  CHECK(idle.read_to_end().empty());  // the drain has begun
  fixture.go();
  CHECK(first->read_to_end().ends_with("held"));
  for (const auto& waited : {second.get(), third.get()}) {
    const std::string answer = waited->read_to_end();
    CHECK(answer.starts_with("HTTP/1.1 503"));
    CHECK(answer.find("Retry-After: 1\r\n") != std::string::npos);
  }
  drainer.join();
  CHECK(fixture.held == 1);
}

}  // namespace kvasir::net
