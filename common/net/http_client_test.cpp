#include "common/net/http_client.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

#include "common/net/http_server.h"
#include "common/net/raw_client_test.h"

namespace kvasir::net {
namespace {

using namespace std::chrono_literals;
using Answer = std::shared_ptr<HttpReply>;

/// Accepts connections one after the other and gives each the bytes of a script once a request head has come.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<std::string> answers) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd_, 8) == 0);
    socklen_t size = sizeof address;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answers = std::move(answers)] { run(answers); });
  }
  ~ScriptedServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  std::string url(std::string_view path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  std::string seen() const { return seen_; }

 private:
  void run(const std::vector<std::string>& answers) {
    for (const auto& answer : answers) {
      const int peer = ::accept(fd_, nullptr, nullptr);
      if (peer < 0) return;
      std::string head;
      char byte;
      while (head.find("\r\n\r\n") == std::string::npos && ::recv(peer, &byte, 1, 0) == 1) head += byte;
      seen_ = head;
      ::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
      ::close(peer);
    }
  }

  int fd_;
  std::uint16_t port_ = 0;
  std::string seen_;
  std::thread thread_;
};

struct Fixture {
  Fixture() : server(options()) {
    server.add({{}, "/echo/{rest...}", kIoPool, 4 << 20, [](HttpRequest request, Answer reply) {
                  auto response = HttpResponse::text(200, request.method + " " + request.target + " " + request.body);
                  response.headers.add("X-Peer", request.peer);
                  response.headers.add("X-Auth", std::string(request.headers.value_or_empty("Authorization")));
                  reply->send(std::move(response));
                }});
    server.add({{"GET"}, "/stream", "work", 0, [](HttpRequest, Answer reply) {
                  reply->begin(200, {});
                  for (int i = 0; i < 100 && reply->write(std::string(10'000, 'x')); ++i) {
                  }
                  reply->end();
                }});
    server.add({{"GET"}, "/never", kIoPool, 0, [this](HttpRequest, Answer reply) { held.set_value(reply); }});
    server.add(
        {{"POST"}, "/small", kIoPool, 10, [](HttpRequest, Answer reply) { reply->send(HttpResponse::empty(204)); }});
    REQUIRE(server.start().has_value());
  }
  static HttpServerOptions options() {
    HttpServerOptions options;
    options.pools = {{"work", 1, 4}};
    return options;
  }
  std::string url(std::string_view path) const {
    return "http://127.0.0.1:" + std::to_string(server.port()) + std::string(path);
  }

  std::promise<Answer> held;
  HttpServer server;
};

std::shared_ptr<HttpClient> plain_client(HttpClientOptions options = {}) {
  return make_http_client(std::move(options)).value();
}

HttpCall get(std::string url, Duration timeout = 60s) {
  HttpCall call;
  call.url = std::move(url);
  call.timeout = timeout;
  return call;
}

TEST_CASE("a call returns status, headers and body") {
  Fixture fixture;
  const auto client = plain_client();
  HttpCall call = get(fixture.url("/echo/a?b=c"));
  call.method = "POST";
  call.body = "hello";
  const auto response = client->send(call).value();
  CHECK(response.status == 200);
  CHECK(response.body == "POST /echo/a?b=c hello");
  CHECK(response.headers.get("content-type") == "text/plain; charset=utf-8");
  CHECK(client->send(get(fixture.url("/nope"))).value().status == 404);
}

TEST_CASE("connections are used again") {
  Fixture fixture;
  const auto client = plain_client();
  const std::string first(client->send(get(fixture.url("/echo/")))->headers.value_or_empty("X-Peer"));
  const std::string second(client->send(get(fixture.url("/echo/")))->headers.value_or_empty("X-Peer"));
  CHECK(first == second);
}

TEST_CASE("a server that closes kept connections costs no call") {
  ScriptedServer server(
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb"});
  const auto client = plain_client();
  CHECK(client->send(get(server.url()))->body == "a");
  CHECK(client->send(get(server.url()))->body == "b");
}

TEST_CASE("head, credentials in the url") {
  Fixture fixture;
  const auto client = plain_client();
  HttpCall call = get(fixture.url("/echo/"));
  call.method = "HEAD";
  CHECK(client->send(call)->body.empty());
  call.method = "GET";
  call.url.insert(7, "us%40er:p:w@");
  CHECK(client->send(call)->headers.get("X-Auth") == basic_auth("us@er", "p:w"));
  CHECK(basic_auth("Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST_CASE("a streamed answer comes in pieces and can be stopped") {
  Fixture fixture;
  const auto client = plain_client();
  std::size_t size = 0;
  const auto response =
      client->stream(get(fixture.url("/stream")), [&](const HttpResponse& head, std::string_view piece) {
        CHECK(head.status == 200);
        size += piece.size();
        return true;
      });
  CHECK(response->body.empty());
  CHECK(size == 1'000'000);
  const auto stopped = client->stream(get(fixture.url("/stream")), [](const auto&, auto) { return false; });
  CHECK(stopped.error().code() == ErrorCode::kCancelled);
  HttpClientOptions small;
  small.response_bytes_max = 1000;
  CHECK(plain_client(small)->send(get(fixture.url("/stream"))).error().code() == ErrorCode::kLimitExceeded);
}

TEST_CASE("time and stop end a call") {
  Fixture fixture;
  const auto client = plain_client();
  SUBCASE("deadline") {
    CHECK(client->send(get(fixture.url("/never"), 50ms)).error().code() == ErrorCode::kDeadlineExceeded);
  }
  SUBCASE("stop") {
    std::stop_source source;
    HttpCall call = get(fixture.url("/never"));
    call.stop = source.get_token();
    std::thread stopper([&] {
      fixture.held.get_future().wait();
      source.request_stop();
    });
    CHECK(client->send(call).error().code() == ErrorCode::kCancelled);
    stopper.join();
  }
  SUBCASE("stopped before") {
    std::stop_source source;
    source.request_stop();
    HttpCall call = get(fixture.url("/never"));
    call.stop = source.get_token();
    CHECK(client->send(call).error().code() == ErrorCode::kCancelled);
  }
}

TEST_CASE("an early refusal is seen although the body was not wanted") {
  Fixture fixture;
  HttpCall call = get(fixture.url("/small"));
  call.method = "POST";
  call.body.assign(8 << 20, 'x');
  CHECK(plain_client()->send(call)->status == 413);
}

TEST_CASE("answers of all framings") {
  const auto body = [](std::string answer) -> std::string {
    ScriptedServer server({std::move(answer)});
    const auto response = plain_client()->send(get(server.url()));
    return response ? response->body : std::string(error_code_name(response.error().code()));
  };
  CHECK(body("HTTP/1.1 200 OK\r\n\r\nuntil the end") == "until the end");
  CHECK(body("HTTP/1.0 200 OK\r\n\r\n") == "");
  CHECK(body("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") == "ok");
  CHECK(body("HTTP/1.1 204 No Content\r\n\r\n") == "");
  CHECK(body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n") == "abc");
  CHECK(body("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") == "unavailable");
  CHECK(body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab") == "unavailable");
  CHECK(body("") == "unavailable");
  CHECK(body("SSH-2.0-OpenSSH\r\n") == "unavailable");
}

TEST_CASE("http through a proxy sends the whole url") {
  ScriptedServer proxy({"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"});
  HttpClientOptions options;
  options.proxy_url = proxy.url();
  options.proxy_url.insert(7, "u:p@");
  CHECK(plain_client(options)->send(get("http://log.example:3100/ready"))->status == 200);
  CHECK(proxy.seen().starts_with("GET http://log.example:3100/ready HTTP/1.1\r\nHost: log.example:3100\r\n"));
  CHECK(proxy.seen().find("Proxy-Authorization: Basic dTpw\r\n") != std::string::npos);
}

TEST_CASE("https through a proxy asks for a tunnel") {
  ScriptedServer proxy({"HTTP/1.1 403 Forbidden\r\n\r\n"});
  HttpClientOptions options;
  options.proxy_url = proxy.url();
  options.proxy_connect_headers.add("X-Who", "agent");
  const auto refused = plain_client(options)->send(get("https://log.example/ready"));
  CHECK(refused.error().message() == "proxy refused: HTTP/1.1 403 Forbidden");
  CHECK(proxy.seen() == "CONNECT log.example:443 HTTP/1.1\r\nHost: log.example:443\r\nX-Who: agent\r\n\r\n");
}

TEST_CASE("a unix socket") {
  const std::string path = "/tmp/kvasir-net-test-" + std::to_string(::getpid()) + ".sock";
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd, 1) == 0);
  std::thread server([fd] {
    const int peer = ::accept(fd, nullptr, nullptr);
    char bytes[1000];
    const std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nunix";
    if (::recv(peer, bytes, sizeof bytes, 0) > 0) ::send(peer, answer.data(), answer.size(), 0);
    ::close(peer);
  });
  HttpClientOptions options;
  options.unix_socket = path;
  CHECK(plain_client(options)->send(get("http://docker/containers/json"))->body == "unix");
  server.join();
  ::close(fd);
  ::unlink(path.c_str());
}

TEST_CASE("errors say what failed") {
  const auto client = plain_client();
  const auto message = [&](std::string url) { return client->send(get(std::move(url))).error().message(); };
  CHECK(message("ftp://x/") == "unsupported url scheme: ftp");
  CHECK(message("nonsense") == "url has no scheme: nonsense");
  CHECK(message("http://:80/") == "url has no valid host: http://:80/");
  CHECK(message("http://h:99999/") == "url has no valid host: http://h:99999/");
  CHECK(message("http://127.0.0.1:1/").starts_with("connect to 127.0.0.1:1: "));
}

TEST_CASE("parts of urls") {
  const auto parts = [](std::string_view url) {
    const auto p = parse_url(url).value();
    return p.scheme + " " + p.host + " " + std::to_string(p.port) + " " + p.target + " " + p.user + ":" + p.password;
  };
  CHECK(parts("http://h") == "http h 80 / :");
  CHECK(parts("https://h?x=1#f") == "https h 443 /?x=1 :");
  CHECK(parts("http://[::1]:3100/a/b") == "http ::1 3100 /a/b :");
  CHECK(parts("wss://u:p@h:1/x") == "wss h 1 /x u:p");
  CHECK(parts("http://u@h/") == "http h 80 / u:");
  CHECK_FALSE(parse_url("http://h/a b").has_value());
}

TEST_CASE("base64 both ways") {
  for (const std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    CHECK(base64_decode(base64_encode(text)).value() == text);
  }
  CHECK(base64_encode("fooba") == "Zm9vYmE=");
  CHECK_FALSE(base64_decode("a*b").has_value());
}

}  // namespace
}  // namespace kvasir::net
