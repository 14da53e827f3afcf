#include "server/jwt.h"

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <cstdio>

#include "common/net/http_client.h"
#include "server/jwks.h"

using namespace kvasir;
using namespace kvasir::server;

namespace {

constexpr std::int64_t kNowSeconds = 1'800'000'000;

std::string base64url(std::string_view bytes) {
  std::string out = net::base64_encode(bytes);
  for (char& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (out.ends_with('=')) out.pop_back();
  return out;
}

std::string hs256(const std::string& payload, const std::string& secret,
                  const std::string& header = R"({"alg":"HS256"})") {
  const std::string text = base64url(header) + "." + base64url(payload);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return text + "." + base64url(std::string_view(reinterpret_cast<const char*>(digest), size));
}

std::string claims(const std::string& more) {
  return R"({"sub":"ann","exp":)" + std::to_string(kNowSeconds + 60) + more + "}";
}

struct Verifier {
  explicit Verifier(JwtConfig config) : verifier(std::move(*JwtVerifier::create(config, clock))) {}
  std::string error(const std::string& token) const {
    const auto got = verifier->verify(token);
    return got ? "" : got.error().message();
  }
  ManualClock clock{TimestampNs{kNowSeconds * 1'000'000'000}};
  std::unique_ptr<const JwtVerifier> verifier;
};

JwtConfig hmac_config() {
  JwtConfig config;
  config.hmac_secret = "secret";
  return config;
}

}  // namespace

TEST_CASE("a good token gives subject, role and tenants") {
  const Verifier v(hmac_config());
  const auto got = v.verifier->verify(hs256(claims(R"(,"tenant":["a","b"],"role":"write")"), "secret"));
  REQUIRE(got.has_value());
  CHECK(got->subject == "ann");
  CHECK(got->role == "write");
  CHECK(got->tenants == std::vector<std::string>{"a", "b"});
  CHECK(v.verifier->verify(hs256(claims(R"(,"tenant":"a")"), "secret"))->tenants == std::vector<std::string>{"a"});
}

TEST_CASE("bad tokens are refused") {
  const Verifier v(hmac_config());
  const auto f = [&](const std::string& token, const char* want) { CHECK(v.error(token) == want); };
  f("", "token is not three parts divided by dots");
  f("a.b", "token is not three parts divided by dots");
  f(std::string(20000, 'x'), "token is too long");
  f(hs256(claims(""), "other"), "token signature is wrong");
  f(hs256(claims(""), "secret", R"({"alg":"none"})"), "token algorithm is not accepted here: none");
  f(hs256(claims(""), "secret", R"({"alg":"RS256"})"), "token algorithm is not accepted here: RS256");
  f(hs256(claims(""), "secret", "x"), "token header is not JSON");
  f(hs256("x", "secret"), "token payload is not JSON");
  f(hs256(R"({"sub":"a"})", "secret"), "token has no expiry");
  f(hs256(R"({"exp":1})", "secret"), "token has expired");
  f(hs256(claims(",\"nbf\":" + std::to_string(kNowSeconds + 50)), "secret"), "token is not valid yet");
}

TEST_CASE("issuer and audience") {
  JwtConfig config = hmac_config();
  config.issuer = "idp";
  config.audience = "logs";
  const Verifier v(config);
  CHECK(v.error(hs256(claims(R"(,"iss":"idp","aud":["x","logs"])"), "secret")).empty());
  CHECK(v.error(hs256(claims(R"(,"iss":"idp","aud":"logs")"), "secret")).empty());
  CHECK(v.error(hs256(claims(R"(,"iss":"other","aud":"logs")"), "secret")) == "token is from another issuer");
  CHECK(v.error(hs256(claims(R"(,"iss":"idp","aud":"x")"), "secret")) == "token is for another audience");
}

TEST_CASE("public keys: a signature of the right key passes, HS256 with the public key does not") {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  const std::string path = std::tmpnam(nullptr);
  FILE* file = std::fopen(path.c_str(), "w");
  PEM_write_PUBKEY(file, key);
  std::fclose(file);
  JwtConfig config;
  config.public_key_file = path;
  const Verifier v(config);
  const std::string text = base64url(R"({"alg":"ES256"})") + "." + base64url(claims(R"(,"tenant":"a")"));
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key);
  std::size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  EVP_DigestSign(context, nullptr, &size, bytes, text.size());
  std::string der(size, '\0');
  EVP_DigestSign(context, reinterpret_cast<unsigned char*>(der.data()), &size, bytes, text.size());
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size));
  unsigned char raw[64];
  BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + 32, 32);
  const std::string token = text + "." + base64url(std::string_view(reinterpret_cast<const char*>(raw), 64));
  CHECK(v.error(token).empty());
  raw[5] ^= 1;
  CHECK(v.error(text + "." + base64url(std::string_view(reinterpret_cast<const char*>(raw), 64))) ==
        "token signature is wrong");
  CHECK(v.error(hs256(claims(""), "secret")) == "token algorithm is not accepted here: HS256");
  ECDSA_SIG_free(signature);
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
  std::remove(path.c_str());
}

TEST_CASE("key sets: what cannot be used is left out") {
  const auto count = [](std::string_view text) {
    const auto keys = parse_jwks(text);
    return keys ? static_cast<int>(keys->size()) : -1;
  };
  CHECK(count("") == -1);
  CHECK(count("[]") == -1);
  CHECK(count(R"({"keys":[]})") == 0);
  const std::string x = base64url(std::string(32, 'x'));
  const std::string point = R"("kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
                            R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")";  // of RFC 7517, A.1's kind
  CHECK(count(R"({"keys":[{)" + point + R"(}]})") == 1);
  CHECK(count(R"({"keys":[{"use":"enc",)" + point + R"(}]})") == 0);
  CHECK(count(R"({"keys":[{"kty":"EC","crv":"P-256","x":")" + x + R"(","y":")" + x + R"("}]})") ==
        0);  // not on the curve
  CHECK(count(R"({"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}, {"kty":"oct","k":"AA"}, 7, {}]})") == 0);
  CHECK(parse_jwks(R"({"keys":[{"kid":"k1",)" + point + R"(}]})")->front().id == "k1");
}
