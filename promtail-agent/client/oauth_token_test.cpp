#include "promtail-agent/client/oauth_token.h"

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>

#include "common/net/http_client.h"
#include "common/net/http_server.h"

namespace kvasir::agent {

namespace {

using PrivateKey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

PrivateKey make_key() { return {EVP_RSA_gen(2048), EVP_PKEY_free}; }

std::string pem_of(EVP_PKEY* key) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string from_url_base64(std::string text) {
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (text.size() % 4 != 0) text += '=';
  return net::base64_decode(text).value();
}

bool verifies(EVP_PKEY* key, const EVP_MD* digest, const std::string& text, const std::string& signature) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                          reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
}

}  // namespace

TEST_CASE("an assertion says who asks and is signed by the key") {
  const PrivateKey key = make_key();
  OAuth2Config config;
  config.client_id = "agent";
  config.token_url = "http://t/token";
  config.scopes = {"read", "write"};
  config.key_id = "k1";
  config.algorithm = "RS384";
  config.claims = {{"team", "ops"}};
  const auto made = make_assertion(config, pem_of(key.get()), TimestampNs{1'700'000'000'000'000'000});
  REQUIRE(made);
  const std::size_t first = made->find('.');
  const std::size_t second = made->rfind('.');
  CHECK(from_url_base64(made->substr(0, first)) == R"({"alg":"RS384","typ":"JWT","kid":"k1"})");
  CHECK(from_url_base64(made->substr(first + 1, second - first - 1)) ==
        R"({"iss":"agent","sub":"agent","aud":"http://t/token","iat":1700000000,"exp":1700003600,)"
        R"("scope":"read write","team":"ops"})");
  CHECK(verifies(key.get(), EVP_sha384(), made->substr(0, second), from_url_base64(made->substr(second + 1))));
  CHECK(make_assertion(config, "no key", TimestampNs{0}).error().message() ==
        "oauth2: client_certificate_key is no private key");
}

TEST_CASE("a token is asked for once and again before it ends") {
  int asked = 0;
  std::string body;
  std::string authorization;
  net::HttpServer server{net::HttpServerOptions()};
  server.add({{"POST"}, "/token", net::kIoPool, 1 << 20, [&](net::HttpRequest request, const auto& reply) {
                ++asked;
                body = request.body;
                authorization = request.headers.get("Authorization").value_or("");
                reply->send(net::HttpResponse::json(
                    200, R"({ "access_token" : "t)" + std::to_string(asked) + R"(", "expires_in": 100 })"));
              }});
  REQUIRE(server.start());
  OAuth2Config config;
  config.client_id = "agent";
  config.client_secret = "s";
  config.scopes = {"a", "b"};
  config.endpoint_params = {{"x", "y z"}};
  config.token_url = "http://127.0.0.1:" + std::to_string(server.port()) + "/token";
  ManualClock clock(TimestampNs{1'700'000'000'000'000'000});
  const auto tokens = OAuthTokens::create(config, clock).value();
  CHECK(tokens->token().value() == "t1");
  CHECK(body == "grant_type=client_credentials&scope=a%20b&x=y%20z");
  CHECK(authorization == net::basic_auth("agent", "s"));
  clock.advance(std::chrono::seconds(89));
  CHECK(tokens->token().value() == "t1");
  clock.advance(std::chrono::seconds(2));
  CHECK(tokens->token().value() == "t2");
  server.drain(Duration(0));
}

}  // namespace kvasir::agent
