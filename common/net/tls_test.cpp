#include <doctest/doctest.h>

#include "common/net/http_client.h"
#include "common/net/http_server.h"
#include "common/net/raw_client_test.h"
#include "common/net/test_certificates.h"

namespace kvasir::net {
namespace {

using namespace std::chrono_literals;
using Answer = std::shared_ptr<HttpReply>;

HttpServerOptions server_options(const TestCertificates& files, TlsClientAuth auth) {
  HttpServerOptions options;
  options.tls.cert_file = files.cert("server");
  options.tls.key_file = files.key("server");
  if (auth != TlsClientAuth::kNone) options.tls.client_ca_file = files.ca();
  options.tls.client_auth = auth;
  options.header_timeout = 20s;
  return options;
}

HttpServerOptions limited(HttpServerOptions options, const TlsServerOptions& limits) {
  options.tls.min_version = limits.min_version;
  options.tls.cipher_suites = limits.cipher_suites;
  return options;
}

struct Fixture {
  explicit Fixture(TlsClientAuth auth = TlsClientAuth::kNone, const TlsServerOptions& limits = {})
      : server(limited(server_options(files, auth), limits)) {
    server.add({{}, "/who", kIoPool, 4 << 20, [](HttpRequest request, Answer reply) {
                  reply->send(
                      HttpResponse::text(200, "<" + request.tls_subject + "> " + std::to_string(request.body.size())));
                }});
    server.add({{}, "/big", kIoPool, 0, [](HttpRequest, Answer reply) {
                  reply->send(HttpResponse::text(200, std::string(3'000'000, 'b')));
                }});
    REQUIRE(server.start().has_value());
  }
  HttpCall call(std::string_view path, std::string_view host = "localhost") const {
    HttpCall call;
    call.url = "https://" + std::string(host) + ":" + std::to_string(server.port()) + std::string(path);
    call.timeout = 60s;
    return call;
  }
  std::string ask(const TlsClientOptions& tls, std::string_view host = "localhost") const {
    HttpClientOptions options;
    options.tls = tls;
    const auto response = make_http_client(options).value()->send(call("/who", host));
    return response ? response->body : response.error().message();
  }
  TlsClientOptions trusting() const {
    TlsClientOptions tls;
    tls.ca_file = files.ca();
    return tls;
  }

  TestCertificates files;
  HttpServer server;
};

TEST_CASE("a client that trusts the authority talks to the server") {
  Fixture fixture;
  CHECK(fixture.ask(fixture.trusting()) == "<> 0");
  CHECK(fixture.ask(fixture.trusting(), "127.0.0.1") == "<> 0");
}

TEST_CASE("bodies of any size cross in both directions on one connection") {
  Fixture fixture;
  HttpClientOptions options;
  options.tls = fixture.trusting();
  const auto client = make_http_client(options).value();
  for (int i = 0; i < 3; ++i) {
    HttpCall call = fixture.call("/who");
    call.method = "POST";
    call.body.assign(2'000'000, 'x');
    CHECK(client->send(call)->body == "<> 2000000");
    CHECK(client->send(fixture.call("/big"))->body.size() == 3'000'000);
  }
}

TEST_CASE("a stranger's certificate and a wrong name are refused") {
  Fixture fixture;
  TlsClientOptions system_roots;
  CHECK(fixture.ask(system_roots).find("certificate verify failed") != std::string::npos);
  TlsClientOptions wrong_name = fixture.trusting();
  wrong_name.server_name = "other.example";
  CHECK(fixture.ask(wrong_name).find("certificate verify failed: hostname mismatch") != std::string::npos);
  TlsClientOptions careless;
  careless.insecure_skip_verify = true;
  CHECK(fixture.ask(careless) == "<> 0");
}

TEST_CASE("versions and cipher suites are kept to") {
  const auto ask = [](const std::string& server_min, const std::string& suites, const std::string& client_min,
                      const std::string& client_max) {
    TlsServerOptions limits;
    limits.min_version = server_min;
    limits.cipher_suites = suites;
    Fixture fixture(TlsClientAuth::kNone, limits);
    TlsClientOptions tls = fixture.trusting();
    tls.min_version = client_min;
    tls.max_version = client_max;
    return fixture.ask(tls) == "<> 0";
  };
  CHECK(ask("TLS13", "", "", ""));
  CHECK_FALSE(ask("TLS13", "", "", "TLS12"));
  CHECK(ask("TLS12", "", "TLS12", "TLS12"));
  CHECK(ask("", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "", "TLS12"));
  CHECK_FALSE(ask("", "TLS_PSK_WITH_AES_128_CBC_SHA256", "", "TLS12"));
  TlsClientOptions unknown;
  unknown.min_version = "SSLv3";
  HttpClientOptions options;
  options.tls = unknown;
  CHECK(make_http_client(options).error().message() == "unknown TLS version: SSLv3");
}

TEST_CASE("client certificates") {
  const auto ask = [](TlsClientAuth auth, bool with_certificate) {
    Fixture fixture(auth);
    TlsClientOptions tls = fixture.trusting();
    if (with_certificate) {
      tls.cert_file = fixture.files.cert("client");
      tls.key_file = fixture.files.key("client");
    }
    return fixture.ask(tls);
  };
  CHECK(ask(TlsClientAuth::kRequireAndVerify, true) == "<agent-1> 0");
  CHECK(ask(TlsClientAuth::kRequireAndVerify, false).find(" 0") == std::string::npos);
  CHECK(ask(TlsClientAuth::kRequest, true) == "<agent-1> 0");
  CHECK(ask(TlsClientAuth::kRequest, false) == "<> 0");
  CHECK(ask(TlsClientAuth::kNone, true) == "<> 0");
}

TEST_CASE("reloaded certificates serve new connections; broken files change nothing") {
  Fixture fixture;
  fixture.files.renew_server("renewed.example");
  TlsClientOptions renewed = fixture.trusting();
  renewed.server_name = "renewed.example";
  CHECK(fixture.ask(renewed).find("hostname mismatch") != std::string::npos);
  REQUIRE(fixture.server.reload_tls().has_value());
  CHECK(fixture.ask(renewed) == "<> 0");
  std::remove(fixture.files.key("server").c_str());
  CHECK_FALSE(fixture.server.reload_tls().has_value());
  CHECK(fixture.ask(renewed) == "<> 0");
}

TEST_CASE("plain text and noise on a tls port end the connection") {
  Fixture fixture;
  for (const std::string_view bytes : {"GET /who HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\xff\xff", ""}) {
    RawClient client(fixture.server.port());
    client.send(bytes);
    CHECK(client.read_to_end().find("200 OK") == std::string::npos);
  }
  CHECK(fixture.ask(fixture.trusting()) == "<> 0");
}

}  // namespace
}  // namespace kvasir::net
