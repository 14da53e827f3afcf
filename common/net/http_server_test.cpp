#include "common/net/http_server.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <random>
#include <thread>

#include "common/mutex.h"
#include "common/net/raw_client_test.h"

namespace kvasir::net {
namespace {

using namespace std::chrono_literals;
using Answer = std::shared_ptr<HttpReply>;

/// A server with the routes that the tests use.
struct Fixture {
  explicit Fixture(HttpServerOptions options = {}) : server(with_pool(std::move(options))) {
    server.add({{"GET", "HEAD"}, "/hello", kIoPool, 1024, [](HttpRequest request, Answer reply) {
                  reply->send(HttpResponse::text(200, "hello " + std::string(request.params.value_or_empty("name"))));
                }});
    server.add({{"POST"}, "/echo", "work", 1 << 20, [](HttpRequest request, Answer reply) {
                  reply->send(HttpResponse::text(200, std::move(request.body)));
                }});
    server.add({{"GET"}, "/throw", "work", 0, [](HttpRequest, Answer) { throw std::runtime_error("oops"); }});
    server.add({{"GET"}, "/drop", kIoPool, 0, [](HttpRequest, Answer) {}});
    server.add(
        {{"GET", "HEAD"}, "/stream", "work", 0, [this](HttpRequest request, Answer reply) { stream(request, reply); }});
    server.add({{"GET"}, "/wait", "work", 0, [this](HttpRequest, Answer reply) { wait(reply); }});
    REQUIRE(server.start().has_value());
  }
  ~Fixture() { server.drain(Duration::zero()); }

  static HttpServerOptions with_pool(HttpServerOptions options) {
    if (options.pools.empty()) options.pools = {{"work", 2, 16}};
    return options;
  }

  void stream(const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
    reply->begin(200, {{"Content-Type", "text/plain"}});
    const auto pieces = std::stoul(std::string(request.params.get("pieces").value_or("3")));
    for (std::size_t i = 0; i < pieces; ++i) {
      if (!reply->write(std::string(request.params.has("big") ? 100'000 : 3, static_cast<char>('a' + i % 26)))) {
        stream_cut = true;
        return;
      }
    }
    if (!request.params.has("forget")) reply->end();
  }

  void wait(const std::shared_ptr<HttpReply>& reply) {
    waiting = true;
    std::promise<void> stopped;
    std::stop_callback callback(reply->stop_token(), [&] { stopped.set_value(); });
    const bool told = stopped.get_future().wait_for(60s) == std::future_status::ready;
    stop_seen = told;
    reply->send(HttpResponse::text(499, "stopped"));
  }

  RawClient connect() { return RawClient(server.port()); }

  HttpServer server;
  std::atomic<bool> stream_cut{false};
  std::atomic<bool> waiting{false};
  std::atomic<bool> stop_seen{false};
};

template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

int status_of(std::string_view response) {
  return response.size() > 12 ? std::stoi(std::string(response.substr(9, 3))) : 0;
}

std::string ask(Fixture& fixture, std::string_view request) {
  RawClient client(fixture.server.port());
  client.send(request);
  client.half_close();
  return client.read_to_end();
}

TEST_CASE("a plain request is answered and the connection kept") {
  Fixture fixture;
  RawClient client(fixture.server.port());
  for (int i = 0; i < 3; ++i) {
    client.send("GET /hello?name=wor%6Cd HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string response = client.read_response();
    CHECK(response.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(response.ends_with("\r\n\r\nhello world"));
    CHECK(response.find("Date: ") != std::string::npos);
    CHECK(response.find("Connection: close") == std::string::npos);
  }
}

TEST_CASE("status of odd requests") {
  Fixture fixture;
  const auto status = [&](std::string_view request) { return status_of(ask(fixture, request)); };
  CHECK(status("GET /nope HTTP/1.1\r\nHost: x\r\n\r\n") == 404);
  CHECK(status("GET / HTTP/1.1\r\nHost: x\r\n\r\n") == 404);
  CHECK(status("DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n") == 405);
  CHECK(status("GET /hello?a=%zz HTTP/1.1\r\nHost: x\r\n\r\n") == 400);
  CHECK(status("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n") == 400);
  CHECK(status("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n") == 500);
  CHECK(status("GET /drop HTTP/1.1\r\nHost: x\r\n\r\n") == 500);
  CHECK(status("GET http://other/hello HTTP/1.1\r\nHost: x\r\n\r\n") == 200);
  CHECK(status("\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n") == 200);
  CHECK(status("GET /hello HTTP/1.0\r\n\r\n") == 200);
  CHECK(status("nonsense\r\n\r\n") == 400);
  CHECK(status("GET /hello HTTP/3.0\r\n\r\n") == 400);
  CHECK(status("GET  /hello HTTP/1.1\r\n\r\n") == 400);
  CHECK(status("\x16\x03\x01\x02\x01\x01\xfc\x03\x03garbage\r\n\r\n") == 400);
  CHECK(status("POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n") == 400);
  CHECK(status("POST /echo HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n") == 400);
  CHECK(status("POST /echo HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400);
  CHECK(status("POST /echo HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef") == 400);
  CHECK(status("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") == 400);
  CHECK(status("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(100'000, 'x')) == 400);
  CHECK(status("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + std::string(100'000, 'x')) >= 400);
  CHECK(status("POST /echo HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n") == 413);
  CHECK(status("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n") == 413);
  CHECK(status("GET /hello HTTP/1.1\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n") == 431);
  CHECK(status("GET /hello HTTP/1.1\r\nX: " + std::string(50'000, 'x') + "\r\n\r\n") == 200);
}

TEST_CASE("an oversized body is answered even while the client still sends") {
  Fixture fixture;
  RawClient client(fixture.server.port());
  client.send("POST /echo HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n");
  client.send(std::string(2'000'000, 'x'));
  CHECK(status_of(client.read_to_end()) == 413);
}

TEST_CASE("bodies of either framing arrive whole, cut anywhere") {
  Fixture fixture;
  const std::string sized = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world";
  const std::string chunked =
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;ext=1\r\n "
      "world\r\n0\r\n\r\n";
  for (const std::string& message : {sized, chunked}) {
    RawClient client(fixture.server.port());
    for (std::size_t cut = 0; cut <= message.size(); ++cut) {
      client.send(message.substr(0, cut));
      client.send(message.substr(cut));
      CHECK(client.read_response().ends_with("\r\n\r\nhello world"));
    }
  }
}

TEST_CASE("a large body") {
  Fixture fixture;
  RawClient client(fixture.server.port());
  std::string body(1 << 20, 'x');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  std::thread sender([&] { client.send("POST /echo HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n" + body); });
  const std::string response = client.read_response();
  sender.join();
  CHECK(response.substr(response.find("\r\n\r\n") + 4) == body);
}

TEST_CASE("pipelined requests are answered in order") {
  Fixture fixture;
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    requests += i % 2 == 0 ? "GET /hello?name=" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n"
                           : "POST /echo HTTP/1.1\r\nContent-Length: 2\r\n\r\n" + std::to_string(i + 10);
  }
  RawClient client(fixture.server.port());
  client.send(requests);
  for (int i = 0; i < 50; ++i) {
    const std::string want = i % 2 == 0 ? "hello " + std::to_string(i) : std::to_string(i + 10);
    CHECK(client.read_response().ends_with("\r\n\r\n" + want));
  }
}

TEST_CASE("expect 100-continue is answered before the body") {
  Fixture fixture;
  RawClient client(fixture.server.port());
  client.send("POST /echo HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  CHECK(client.read_response().ends_with("\r\n\r\nabc"));
  client.send("POST /echo HTTP/1.1\r\nContent-Length: 9000000\r\nExpect: 100-continue\r\n\r\n");
  CHECK(status_of(client.read_response()) == 413);
}

TEST_CASE("head and http/1.0") {
  Fixture fixture;
  const std::string head = ask(fixture, "HEAD /hello?name=x HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(head.find("Content-Length: 7\r\n") != std::string::npos);
  CHECK(head.ends_with("\r\n\r\n"));
  CHECK(ask(fixture, "HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("\r\n\r\n"));
  const std::string old = ask(fixture, "GET /stream HTTP/1.0\r\n\r\n");
  CHECK(old.find("chunked") == std::string::npos);
  CHECK(old.ends_with("\r\n\r\naaabbbccc"));
}

TEST_CASE("a streamed answer is chunked and the connection kept") {
  Fixture fixture;
  RawClient client(fixture.server.port());
  for (int i = 0; i < 2; ++i) {
    client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string answer = client.read_until("\r\n0\r\n\r\n");
    CHECK(answer.ends_with("\r\n\r\n3\r\naaa\r\n3\r\nbbb\r\n3\r\nccc\r\n0\r\n\r\n"));
  }
}

TEST_CASE("a stream that fills the socket arrives whole") {
  Fixture fixture;
  const std::string response =
      ask(fixture, "GET /stream?pieces=300&big=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(response.ends_with("\r\n0\r\n\r\n"));
  std::size_t at = response.find("\r\n\r\n") + 4;
  for (int i = 0; i < 300; ++i) {
    REQUIRE(response.compare(at, 7, "186a0\r\n") == 0);
    const std::string piece = response.substr(at + 7, 100'000);
    REQUIRE(piece == std::string(100'000, static_cast<char>('a' + i % 26)));
    at += 7 + 100'000 + 2;
  }
}

TEST_CASE("a stream that is not ended looks cut") {
  Fixture fixture;
  CHECK_FALSE(ask(fixture, "GET /stream?forget HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("0\r\n\r\n"));
}

TEST_CASE("a streaming handler learns that the client went away") {
  Fixture fixture;
  RawClient client(fixture.server.port());
  client.send("GET /stream?big&pieces=100000 HTTP/1.1\r\nHost: x\r\n\r\n");
  client.read_until("aaaa");
  client.reset();
  CHECK(eventually([&] { return fixture.stream_cut.load(); }));
}

TEST_CASE("stop is requested when the client closes during a handler") {
  Fixture fixture;
  RawClient client(fixture.server.port());
  client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(eventually([&] { return fixture.waiting.load(); }));
  SUBCASE("close") { client.close(); }
  SUBCASE("reset") { client.reset(); }
  SUBCASE("half close still gets the answer") {
    client.half_close();
    CHECK(client.read_to_end().ends_with("stopped"));
  }
  CHECK(eventually([&] { return fixture.stop_seen.load(); }));
}

TEST_CASE("slow and silent clients are cut off") {
  HttpServerOptions options;
  options.header_timeout = options.body_timeout = 300ms;
  options.idle_timeout = 1s;  // within which the client has to say its first word
  Fixture fixture(options);
  const auto answer = [&](std::string_view bytes) {
    RawClient client(fixture.server.port());
    client.send(bytes);
    return status_of(client.read_to_end());
  };
  CHECK(answer("GET /hello HTTP/1.1\r\nX-Slow:") == 408);
  CHECK(answer("POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc") == 408);
  CHECK(answer("") == 0);
}

TEST_CASE("a full pool answers 503 with Retry-After") {
  HttpServerOptions options;
  options.pools = {{"work", 1, 1}};
  Fixture fixture(options);
  RawClient first(fixture.server.port()), second(fixture.server.port());
  first.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(eventually([&] { return fixture.waiting.load(); }));
  second.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  std::string refused;
  REQUIRE(eventually([&] {
    RawClient client(fixture.server.port());
    client.send("POST /echo HTTP/1.1\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx");
    client.half_close();
    refused = client.read_response();
    return status_of(refused) == 503;
  }));
  CHECK(refused.find("Retry-After: 1\r\n") != std::string::npos);
}

TEST_CASE("what is set aside holds up nobody else, and is bounded") {
  std::atomic<int> held{0}, refused{0};
  HttpServerOptions options;
  options.set_aside = [](const HttpRequest& request) { return request.headers.has("X-Slow"); };
  options.on_exchange = [&](const HttpExchange& exchange) { refused += exchange.status == 503 ? 1 : 0; };
  HttpServer server(std::move(options));
  std::promise<void> go;
  const auto gone = go.get_future().share();
  server.add({{"GET"}, "/hold", kIoPool, 0, [&held, gone](HttpRequest, Answer reply) {
                ++held;
                gone.wait();  // on the socket thread this would stop the server
                reply->send(HttpResponse::text(200, "held"));
              }});
  server.add({{"GET"}, "/quick", kIoPool, 0, [](HttpRequest, Answer reply) { reply->send(HttpResponse::text(200, "")); }});
  REQUIRE(server.start().has_value());
  constexpr int kTaken = 1 + static_cast<int>(kAsideQueueMax);
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < kTaken + 4; ++i) {
    slow.push_back(std::make_unique<RawClient>(server.port()));
    slow.back()->send("GET /hold HTTP/1.1\r\nHost: x\r\nX-Slow: 1\r\n\r\n");
    if (i == 0) REQUIRE(eventually([&] { return held == 1; }));
  }
  CHECK(eventually([&] { return refused == 4; }));
  RawClient other(server.port());
  other.send("GET /quick HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(status_of(other.read_response()) == 200);
  CHECK(held == 1);
  go.set_value();
  CHECK(eventually([&] { return held == kTaken; }));
  server.drain(Duration::zero());
}

TEST_CASE("connections beyond the limit are told so") {
  HttpServerOptions options;
  options.connections_max = 1;
  Fixture fixture(options);
  RawClient first(fixture.server.port());
  first.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(status_of(first.read_response()) == 200);
  RawClient second(fixture.server.port());
  CHECK(status_of(second.read_to_end()) == 503);
  first.close();
  CHECK(eventually([&] { return fixture.server.connection_count() == 0; }));
  RawClient third(fixture.server.port());
  third.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(status_of(third.read_response()) == 200);
}

TEST_CASE("drain lets a running request finish and refuses new ones") {
  std::promise<void> release;
  auto released = release.get_future().share();
  std::atomic<bool> running{false};
  HttpServerOptions options;
  options.pools = {{"work", 1, 4}};
  HttpServer server(options);
  server.add({{"GET"}, "/slow", "work", 0, [&](HttpRequest, Answer reply) {
                running = true;
                released.wait();
                reply->send(HttpResponse::text(200, "done"));
              }});
  REQUIRE(server.start().has_value());
  RawClient idle(server.port()), busy(server.port());
  busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(eventually([&] { return running.load(); }));
  std::thread drainer([&] { server.drain(60s); });
  CHECK(idle.read_to_end().empty());
  release.set_value();
  const std::string response = busy.read_to_end();
  CHECK(response.ends_with("done"));
  CHECK(response.find("Connection: close") != std::string::npos);
  drainer.join();
  CHECK_FALSE(RawClient(server.port()).connected());
}

TEST_CASE("drain without grace stops a handler that listens") {
  Fixture fixture;
  RawClient client(fixture.server.port());
  client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(eventually([&] { return fixture.waiting.load(); }));
  fixture.server.drain(Duration::zero());
  CHECK(fixture.stop_seen.load());
}

TEST_CASE("an answer can come from another thread, later") {
  std::promise<std::shared_ptr<HttpReply>> taken;
  HttpServer server({});
  server.add({{"GET"}, "/later", kIoPool, 0, [&](HttpRequest, Answer reply) { taken.set_value(reply); }});
  REQUIRE(server.start().has_value());
  RawClient client(server.port());
  client.send("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
  auto reply = taken.get_future().get();
  std::thread([reply = std::move(reply)] { reply->send(HttpResponse::json(200, "{}")); }).join();
  CHECK(client.read_response().ends_with("\r\n\r\n{}"));
}

TEST_CASE("damaged requests never harm the next client") {
  HttpServerOptions options;
  options.header_timeout = options.body_timeout = options.idle_timeout = 2s;
  Fixture fixture(options);
  const std::vector<std::string> good = {
      "GET /hello?name=x HTTP/1.1\r\nHost: x\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
      "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "GET /stream HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"};
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = good[random() % good.size()] + good[random() % good.size()];
    for (std::size_t hits = random() % 5; hits > 0; --hits)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    bytes.resize(random() % 4 == 0 ? random() % bytes.size() : bytes.size());
    RawClient client(fixture.server.port());
    client.send(bytes);
    switch (random() % 3) {
      case 0: client.reset(); break;
      case 1: client.half_close(); break;
      default: break;  // closes without having read
    }
  }
  CHECK(ask(fixture, "GET /hello?name=y HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("hello y"));
  CHECK(eventually([&] { return fixture.server.connection_count() == 0; }));
}

TEST_CASE("a header value cannot smuggle a line") {
  HttpServer server({});
  server.add({{"GET"}, "/x", kIoPool, 0, [&](HttpRequest request, Answer reply) {
                auto response = HttpResponse::text(200, "");
                response.headers.add("X-Back", std::string(request.params.value_or_empty("v")));
                reply->send(std::move(response));
              }});
  REQUIRE(server.start().has_value());
  RawClient client(server.port());
  client.send("GET /x?v=a%0d%0aSet-Cookie:%20b HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client.read_response().find("\r\nSet-Cookie") == std::string::npos);
}

TEST_CASE("exchanges are reported") {
  Mutex mutex;
  std::vector<std::string> seen;
  HttpServerOptions options;
  options.on_exchange = [&](const HttpExchange& exchange) {
    MutexLock lock(mutex);
    seen.push_back(std::string(exchange.method) + " " + std::string(exchange.route) + " " +
                   std::to_string(exchange.status) + " " + std::to_string(exchange.request_bytes) + " " +
                   std::to_string(exchange.response_bytes));
  };
  {
    Fixture fixture(options);
    ask(fixture, "POST /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    ask(fixture, "GET /nope HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  CHECK(seen == std::vector<std::string>{"POST /echo 200 3 3", "GET  404 0 19"});
}

TEST_CASE("a closed server answers for itself until its routes are open") {
  HttpServer server({.pools = {{"work", 1, 16}}});
  REQUIRE(server.start_closed([](const HttpRequest& request) {
    auto response = HttpResponse::text(503, "not yet: " + request.path + "\n");
    response.headers.add("Retry-After", "1");
    return response;
  }).has_value());
  {
    RawClient client(server.port());
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n");
    const std::string answer = client.read_to_end();
    CHECK(answer.find("503") != std::string::npos);
    CHECK(answer.find("Retry-After: 1") != std::string::npos);
    CHECK(answer.find("not yet: /echo") != std::string::npos);
  }
  server.add({{"POST"}, "/echo", "work", 1 << 20, [](HttpRequest request, Answer reply) {
                reply->send(HttpResponse::text(200, std::move(request.body)));
              }});
  REQUIRE(server.open_routes().has_value());
  RawClient client(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi");
  CHECK(client.read_to_end().ends_with("\r\n\r\nhi"));
}

TEST_CASE("start refuses what cannot work") {
  HttpServer bad_pool({});
  bad_pool.add({{"GET"}, "/x", "nowhere", 0, [](HttpRequest, Answer) {}});
  CHECK(bad_pool.start().error().code() == ErrorCode::kInvalidArgument);
  Fixture fixture;
  HttpServerOptions taken;
  taken.port = fixture.server.port();
  HttpServer second(taken);
  CHECK(second.start().error().code() == ErrorCode::kIo);
  HttpServerOptions tls;
  tls.tls.cert_file = "/nonexistent.pem";
  CHECK(HttpServer(tls).start().error().code() == ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace kvasir::net
