#include "common/net/grpc_server.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <nghttp2/nghttp2.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <map>
#include <thread>

#include "common/net/grpc_message.h"

namespace kvasir::net {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

/// A client that makes one call on a connection of its own.
class TestingCall {
 public:
  explicit TestingCall(std::uint16_t port) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_size,
                      const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* self) {
          static_cast<TestingCall*>(self)->headers[{reinterpret_cast<const char*>(name), name_size}] =
              std::string(reinterpret_cast<const char*>(value), value_size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks,
        [](nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t* data, std::size_t size, void* self) {
          static_cast<TestingCall*>(self)->body.append(reinterpret_cast<const char*>(data), size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, std::int32_t, std::uint32_t, void* self) {
          static_cast<TestingCall*>(self)->closed_ = true;
          return 0;
        });
    nghttp2_session_client_new(&http2_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(http2_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~TestingCall() {
    nghttp2_session_del(http2_);
    ::close(socket_);
  }

  /// `status: message` of the trailers.
  std::string run(const std::string& path, std::string body, const std::map<std::string, std::string>& metadata = {}) {
    out_ = std::move(body);
    std::map<std::string, std::string> fields = {{":method", "POST"},
                                                 {":scheme", "http"},
                                                 {":path", path},
                                                 {":authority", "x"},
                                                 {"content-type", "application/grpc"},
                                                 {"te", "trailers"}};
    for (const auto& [name, value] : metadata) fields[name] = value;
    std::vector<nghttp2_nv> list;
    for (const auto& [name, value] : fields) {
      list.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                      reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(), 0});
    }
    nghttp2_data_provider provider{};
    provider.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t* buffer, std::size_t size,
                                std::uint32_t* flags, nghttp2_data_source*, void* self) -> ssize_t {
      auto& out = static_cast<TestingCall*>(self)->out_;
      const std::size_t count = std::min(size, out.size());
      std::copy_n(out.data(), count, buffer);
      out.erase(0, count);
      if (out.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(count);
    };
    nghttp2_submit_request(http2_, nullptr, list.data(), list.size(), &provider, nullptr);
    while (!closed_ && pump()) {
    }
    return headers["grpc-status"] + ": " + headers["grpc-message"];
  }

  std::map<std::string, std::string> headers;
  std::string body;

 private:
  bool pump() {
    for (;;) {
      const std::uint8_t* data = nullptr;
      const auto size = nghttp2_session_mem_send(http2_, &data);
      if (size <= 0) break;
      if (::send(socket_, data, static_cast<std::size_t>(size), MSG_NOSIGNAL) < 0) return false;
    }
    std::uint8_t in[16384];
    const auto size = ::recv(socket_, in, sizeof in, 0);
    return size > 0 && nghttp2_session_mem_recv(http2_, in, static_cast<std::size_t>(size)) >= 0;
  }

  int socket_ = -1;
  nghttp2_session* http2_ = nullptr;
  std::string out_;
  bool closed_ = false;
};

struct Fixture {
  explicit Fixture(GrpcServerOptions options = {}) : server(std::move(options)) {
    server.add("/test.Echo/Say", [](HttpRequest request, std::shared_ptr<HttpReply> reply) {
      if (request.body == "refuse") return reply->send(HttpResponse::text(429, "too much\nreally\n"));
      if (request.body == "drop") return;
      HttpResponse response;
      response.body = std::string(request.headers.value_or_empty("x-scope-orgid")) + "|" +
                      std::string(request.headers.value_or_empty("Content-Encoding")) + "|" + request.body;
      reply->send(std::move(response));
    });
    REQUIRE(server.start().has_value());
  }
  GrpcServer server;
};

TEST_CASE("a unary call is a POST to its handler") {
  Fixture fixture;
  TestingCall call(fixture.server.port());
  CHECK(call.run("/test.Echo/Say", frame_grpc_message("hello"), {{"x-scope-orgid", "t"}}) == "0: ");
  CHECK(call.headers[":status"] == "200");
  CHECK(call.body == frame_grpc_message("t||hello"));
  TestingCall large(fixture.server.port());
  const std::string text(3'000'000, 'x');
  CHECK(large.run("/test.Echo/Say", frame_grpc_message(text)) == "0: ");
  CHECK(large.body == frame_grpc_message("||" + text));
  TestingCall compressed(fixture.server.port());
  CHECK(compressed.run("/test.Echo/Say", "\1\0\0\0\2zz"s, {{"grpc-encoding", "gzip"}}) == "0: ");
  CHECK(compressed.body == frame_grpc_message("|gzip|zz"));
}

TEST_CASE("calls that cannot be") {
  GrpcServerOptions options;
  options.message_bytes_max = 1000;
  options.buffered_bytes_max = 500;
  Fixture fixture(options);
  const auto run = [&](const std::string& path, const std::string& body,
                       const std::map<std::string, std::string>& metadata = {}) {
    return TestingCall(fixture.server.port()).run(path, body, metadata);
  };
  const std::string path = "/test.Echo/Say";
  CHECK(run(path, frame_grpc_message("refuse")) == "14: too much");
  CHECK(run(path, frame_grpc_message("drop")) == "13: the call was not answered");
  CHECK(run("/test.Echo/Shout", frame_grpc_message("x")) == "12: unknown method");
  CHECK(run(path, frame_grpc_message("x"), {{"content-type", "application/json"}}) ==
        "3: this port takes gRPC calls only");
  CHECK(run(path, "") == "3: the call has no message");
  CHECK(run(path, "\0\0\0\0\5ab"s) == "3: the gRPC message is cut");
  CHECK(run(path, "\1\0\0\0\1z"s) == "3: a compressed message without grpc-encoding");
  CHECK(run(path, "\0\xff\xff\xff\xff xyz"s) ==
        "3: request body too large: message size too large than max (4294967295 vs 1000)");
  CHECK(run(path, "\0\0\0\0\1two"s) == "3: a unary call has one message");
  CHECK(run(path, frame_grpc_message(std::string(900, 'x'))) == "14: too many messages are being received, try again");
  CHECK(run(path, frame_grpc_message("fine")) == "0: ");
}

TEST_CASE("bytes that are no HTTP/2 end the connection, and nobody else's") {
  Fixture fixture;
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(fixture.server.port());
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  REQUIRE(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const std::string text = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  REQUIRE(::send(socket, text.data(), text.size(), MSG_NOSIGNAL) > 0);
  char in[4096];
  while (::recv(socket, in, sizeof in, 0) > 0) {
  }
  ::close(socket);
  CHECK(TestingCall(fixture.server.port()).run("/test.Echo/Say", frame_grpc_message("hello")) == "0: ");
}

TEST_CASE("drain lets a running call finish") {
  Fixture fixture;
  CHECK(TestingCall(fixture.server.port()).run("/test.Echo/Say", frame_grpc_message("x")) == "0: ");
  fixture.server.drain(5s);
  fixture.server.drain(5s);
}

bool connects(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  const bool done = ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(socket);
  return done;
}

TEST_CASE("a drain begins no call that was set aside") {
  std::atomic<int> asked{0}, held{0};
  std::promise<void> go;
  const auto released = go.get_future().share();
  GrpcServerOptions options;
  options.set_aside = [&](const HttpRequest&) { return ++asked > 0; };
  GrpcServer server(std::move(options));
  server.add("/test.Hold/On", [&held, released](HttpRequest, std::shared_ptr<HttpReply> reply) {
    ++held;
    released.wait();
    reply->send(HttpResponse::text(200, ""));
  });
  REQUIRE(server.start().has_value());
  const auto call = [port = server.port()] {
    return TestingCall(port).run("/test.Hold/On", frame_grpc_message("x"));
  };
  const auto until = [](const auto& condition) {
    const auto end = std::chrono::steady_clock::now() + 60s;
    while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    return condition();
  };
  auto first = std::async(std::launch::async, call);
  CHECK(until([&] { return held == 1; }));
  auto second = std::async(std::launch::async, call);
  CHECK(until([&] { return asked == 2; }));
  auto drained = std::async(std::launch::async, [&] { server.drain(60s); });
  CHECK(until([&] { return !connects(server.port()); }));  // the drain has begun
  go.set_value();
  CHECK(first.get() == "0: ");
  CHECK(second.get().starts_with("14: "));
  drained.get();
  CHECK(held == 1);
}

}  // namespace
}  // namespace kvasir::net
