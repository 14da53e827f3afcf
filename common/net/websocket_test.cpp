#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <thread>

#include "common/mutex.h"
#include "common/net/http_client.h"
#include "common/net/http_server.h"
#include "common/net/raw_client_test.h"
#include "common/net/test_certificates.h"

namespace kvasir::net {
namespace {

using namespace std::chrono_literals;
using Answer = std::shared_ptr<HttpReply>;
using Session = std::shared_ptr<WebSocketSession>;

template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

struct Fixture {
  explicit Fixture(HttpServerOptions options = {}) : server(std::move(options)) {
    server.add({{"GET"}, "/ws", kIoPool, 0, [this](HttpRequest request, Answer reply) { open(request, reply); }});
    REQUIRE(server.start().has_value());
  }
  ~Fixture() {
    {
      MutexLock lock(mutex);
      session.reset();
    }
    server.drain(1s);
  }

  void open(const HttpRequest& request, const Answer& reply) {
    if (request.params.has("refuse")) return reply->send(HttpResponse::text(400, "parse error at line 1\nmore"));
    WebSocketOptions options;
    options.ping_interval = 20ms;
    options.on_message = [this](std::string_view text) {
      MutexLock lock(mutex);
      if (session) session->send_text("echo " + std::string(text));
    };
    options.on_close = [this] { closed = true; };
    MutexLock lock(mutex);
    session = reply->upgrade(std::move(options));
  }
  Session current() {
    MutexLock lock(mutex);
    return session;
  }
  HttpCall call(std::string_view target = "/ws", std::string_view scheme = "ws") const {
    HttpCall call;
    call.url = std::string(scheme) + "://localhost:" + std::to_string(server.port()) + std::string(target);
    call.timeout = 60s;
    return call;
  }

  Mutex mutex;
  Session session;
  std::atomic<bool> closed{false};
  HttpServer server;
};

TEST_CASE("messages go both ways and a close is seen on the other side") {
  Fixture fixture;
  auto client = WebSocketClient::connect({}, fixture.call()).value();
  for (const std::string& text : std::vector<std::string>{"a", "", "ünï", std::string(60'000, 'x')}) {
    REQUIRE(client->send_text(text, 60s).has_value());
    CHECK(client->read(60s).value() == "echo " + text);
  }
  SUBCASE("the client closes") {
    client->close();
    CHECK(eventually([&] { return fixture.closed.load(); }));
    CHECK(fixture.current()->send_text("late") == WebSocketSession::Sent::kClosed);
    CHECK(fixture.current()->stop_token().stop_requested());
  }
  SUBCASE("the server closes with a reason, after what was queued") {
    fixture.current()->send_text("last");
    fixture.current()->close(1011, "reached tail max duration limit");
    CHECK(client->read(60s).value() == "last");
    CHECK(client->read(60s).value() == std::nullopt);
    CHECK(client->close_code() == 1011);
    CHECK(client->close_reason() == "reached tail max duration limit");
    CHECK(eventually([&] { return fixture.closed.load(); }));
  }
  SUBCASE("the client vanishes") {
    client.reset();
    CHECK(eventually([&] { return fixture.closed.load(); }));
  }
}

TEST_CASE("a read that ran out of time loses nothing") {
  Fixture fixture;
  auto client = WebSocketClient::connect({}, fixture.call()).value();
  CHECK(client->read(10ms).error().code() == ErrorCode::kDeadlineExceeded);
  REQUIRE(eventually([&] { return fixture.current() != nullptr; }));
  fixture.current()->send_text("after");
  CHECK(client->read(60s).value() == "after");
  std::stop_source source;
  source.request_stop();
  CHECK(client->read(60s, source.get_token()).error().code() == ErrorCode::kCancelled);
}

TEST_CASE("an answer instead of the upgrade becomes an error with its first line") {
  Fixture fixture;
  const auto refused = WebSocketClient::connect({}, fixture.call("/ws?refuse"));
  CHECK(refused.error().message() == "unexpected status 400: parse error at line 1");
  const auto unknown = WebSocketClient::connect({}, fixture.call("/nope"));
  CHECK(unknown.error().message() == "unexpected status 404: 404 page not found");
}

TEST_CASE("a request without upgrade headers gets 400 and the version") {
  Fixture fixture;
  RawClient client(fixture.server.port());
  client.send("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string response = client.read_response();
  CHECK(response.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  CHECK(response.find("Sec-Websocket-Version: 13\r\n") != std::string::npos);
  CHECK(response.ends_with("\r\n\r\nBad Request\n"));
}

TEST_CASE("a client that does not read fills the queue and is told apart from a closed one") {
  Fixture fixture;
  RawClient client(fixture.server.port());
  client.send("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  CHECK(client.read_until("\r\n\r\n").find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != std::string::npos);
  REQUIRE(eventually([&] { return fixture.current() != nullptr; }));
  const auto session = fixture.current();
  CHECK(
      eventually([&] { return session->send_text(std::string(1 << 20, 'x')) == WebSocketSession::Sent::kQueueFull; }));
  client.reset();
  CHECK(eventually([&] { return session->send_text("x") == WebSocketSession::Sent::kClosed; }));
}

TEST_CASE("pings keep coming") {
  Fixture fixture;
  RawClient client(fixture.server.port());
  client.send("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  client.read_until("\r\n\r\n");
  CHECK(client.read_until(std::string("\x89\x00\x89\x00", 4)).size() == 4);
}

TEST_CASE("garbage frames and oversized messages end the session") {
  for (const std::string& frame :
       {std::string("\xff\xff\xff\xff\xff\xff"), std::string("\x81\xff\x00\x00\x00\x00\x7f\xff\xff\xff", 10)}) {
    Fixture fixture;
    RawClient client(fixture.server.port());
    client.send("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    client.read_until("\r\n\r\n");
    client.send(frame);
    client.send(std::string(100, 'x'));
    CHECK(eventually([&] { return fixture.closed.load(); }));
  }
}

TEST_CASE("drain closes sessions with 1001") {
  Fixture fixture;
  auto client = WebSocketClient::connect({}, fixture.call()).value();
  REQUIRE(eventually([&] { return fixture.current() != nullptr; }));
  std::thread drainer([&] { fixture.server.drain(60s); });
  CHECK(client->read(60s).value() == std::nullopt);
  CHECK(client->close_code() == 1001);
  {
    MutexLock lock(fixture.mutex);
    fixture.session.reset();
  }
  drainer.join();
}

TEST_CASE("drain does not wait for ever for a client that does not answer CLOSE") {
  Fixture fixture;
  RawClient client(fixture.server.port());
  client.send("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  client.read_until("\r\n\r\n");
  REQUIRE(eventually([&] { return fixture.current() != nullptr; }));
  fixture.server.drain(Duration::zero());
  CHECK(fixture.closed.load());
}

TEST_CASE("websockets over tls") {
  TestCertificates files;
  HttpServerOptions options;
  options.tls.cert_file = files.cert("server");
  options.tls.key_file = files.key("server");
  Fixture fixture(options);
  HttpClientOptions trusting;
  trusting.tls.ca_file = files.ca();
  auto client = WebSocketClient::connect(trusting, fixture.call("/ws", "wss")).value();
  REQUIRE(client->send_text("secret", 60s).has_value());
  CHECK(client->read(60s).value() == "echo secret");
  client->close();
  CHECK(eventually([&] { return fixture.closed.load(); }));
}

}  // namespace
}  // namespace kvasir::net
