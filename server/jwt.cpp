#include "server/jwt.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <simdjson.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "common/net/http_client.h"
#include "server/jwks.h"

namespace kvasir::server {
namespace {

constexpr Duration kFetchTimeout = std::chrono::seconds(5);

using KeyPointer = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Unexpected bad(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

Result<std::string> read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(ErrorCode::kIo, "read " + path + ": cannot open the file");
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

Result<KeyPointer> read_public_key(const std::string& path) {
  KVASIR_TRY(const std::string pem, read_text(path));
  std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  KeyPointer key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
  if (key == nullptr) return bad("no public key in " + path);
  return key;
}

/// Two 32-byte numbers become the DER form that OpenSSL checks.
std::string der_of_es256(std::string_view raw) {
  if (raw.size() != 64) return "";
  std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(ECDSA_SIG_new(), &ECDSA_SIG_free);
  const auto* bytes = reinterpret_cast<const unsigned char*>(raw.data());
  ECDSA_SIG_set0(signature.get(), BN_bin2bn(bytes, 32, nullptr), BN_bin2bn(bytes + 32, 32, nullptr));
  std::string der(static_cast<std::size_t>(i2d_ECDSA_SIG(signature.get(), nullptr)), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_ECDSA_SIG(signature.get(), &out);
  return der;
}

bool key_verifies(EVP_PKEY* key, std::string_view text, std::string_view signature) {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  return EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                          reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
}

bool hmac_verifies(const std::string& secret, std::string_view text, std::string_view signature) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return signature.size() == size && CRYPTO_memcmp(digest, signature.data(), size) == 0;
}

std::string text_claim(simdjson::dom::object claims, const std::string& name) {
  std::string_view text;
  return claims.at_key(name).get(text) == simdjson::SUCCESS ? std::string(text) : "";
}

/// A text, or a list of texts.
std::vector<std::string> list_claim(simdjson::dom::object claims, const std::string& name) {
  std::vector<std::string> out;
  simdjson::dom::array list;
  if (claims.at_key(name).get(list) == simdjson::SUCCESS) {
    for (const auto item : list) {
      std::string_view text;
      if (item.get(text) == simdjson::SUCCESS) out.emplace_back(text);
    }
  } else if (std::string text = text_claim(claims, name); !text.empty()) {
    out.push_back(std::move(text));
  }
  return out;
}

class Verifier final : public JwtVerifier {
 public:
  Verifier(JwtConfig config, KeyPointer key, std::unique_ptr<JwksCache> set, const Clock& clock)
      : config_(std::move(config)), key_(std::move(key)), set_(std::move(set)), clock_(clock) {}

  Result<JwtClaims> verify(std::string_view token) const override {
    if (token.size() > kJwtBytesMax) return bad("token is too long");
    const std::size_t first = token.find('.');
    const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
    if (second == std::string_view::npos) return bad("token is not three parts divided by dots");
    KVASIR_TRY(const std::string header, decode_base64url(token.substr(0, first)));
    KVASIR_TRY(const std::string payload, decode_base64url(token.substr(first + 1, second - first - 1)));
    KVASIR_TRY(const std::string signature, decode_base64url(token.substr(second + 1)));
    KVASIR_CHECK_OK(check_signature(header, token.substr(0, second), signature));
    return check_claims(payload);
  }

 private:
  Result<void> check_signature(const std::string& header, std::string_view text, const std::string& signature) const {
    simdjson::dom::parser parser;
    simdjson::dom::object fields;
    if (parser.parse(header).get(fields) != simdjson::SUCCESS) return bad("token header is not JSON");
    const std::string algorithm = text_claim(fields, "alg");
    if (algorithm == "HS256" && !config_.hmac_secret.empty()) {
      return hmac_verifies(config_.hmac_secret, text, signature) ? Result<void>() : bad("token signature is wrong");
    }
    const bool rsa = algorithm == "RS256";
    const bool public_keys = key_ != nullptr || set_ != nullptr;
    if (!public_keys || (!rsa && algorithm != "ES256"))
      return bad("token algorithm is not accepted here: " + algorithm);
    return check_public(rsa ? EVP_PKEY_RSA : EVP_PKEY_EC, text_claim(fields, "kid"), text,
                        rsa ? signature : der_of_es256(signature));
  }

  Result<void> check_public(int type, const std::string& id, std::string_view text,
                            const std::string& signature) const {
    PublicKeys keys = set_ == nullptr ? PublicKeys() : set_->find(id);
    if (key_ != nullptr) keys.push_back({"", {key_.get(), [](EVP_PKEY*) {}}});
    std::erase_if(keys, [type](const PublicKey& key) { return EVP_PKEY_base_id(key.key.get()) != type; });
    if (keys.empty()) return bad("no key for this token");
    const bool good = std::any_of(keys.begin(), keys.end(),
                                  [&](const PublicKey& key) { return key_verifies(key.key.get(), text, signature); });
    return good ? Result<void>() : bad("token signature is wrong");
  }

  Result<JwtClaims> check_claims(const std::string& payload) const {
    simdjson::dom::parser parser;
    simdjson::dom::object claims;
    if (parser.parse(payload).get(claims) != simdjson::SUCCESS) return bad("token payload is not JSON");
    const double now = static_cast<double>(clock_.now().value) / 1e9;
    const double leeway = static_cast<double>(std::chrono::duration_cast<std::chrono::seconds>(kJwtLeeway).count());
    double time = 0;
    if (claims.at_key("exp").get(time) != simdjson::SUCCESS) return bad("token has no expiry");
    if (now > time + leeway) return bad("token has expired");
    if (claims.at_key("nbf").get(time) == simdjson::SUCCESS && now + leeway < time)
      return bad("token is not valid yet");
    if (!config_.issuer.empty() && text_claim(claims, "iss") != config_.issuer)
      return bad("token is from another issuer");
    if (!config_.audience.empty()) {
      const auto audience = list_claim(claims, "aud");
      if (std::find(audience.begin(), audience.end(), config_.audience) == audience.end())
        return bad("token is for another audience");
    }
    return JwtClaims{text_claim(claims, "sub"), text_claim(claims, config_.role_claim),
                     list_claim(claims, config_.tenant_claim), text_claim(claims, config_.policy_claim)};
  }

  JwtConfig config_;
  KeyPointer key_;
  std::unique_ptr<JwksCache> set_;
  const Clock& clock_;
};

/// Null: none is configured.
Result<std::unique_ptr<JwksCache>> open_key_set(const JwtConfig& config) {
  if (!config.jwks_file.empty() && !config.jwks_url.empty())
    return bad("kvasir.auth.jwt: jwks_file or jwks_url, not both");
  if (!config.jwks_file.empty()) {
    return std::make_unique<JwksCache>([path = config.jwks_file] { return read_text(path); }, config.jwks_refresh);
  }
  if (config.jwks_url.empty()) return std::unique_ptr<JwksCache>();
  KVASIR_TRY(const auto client,
             net::make_http_client({.tls = {.ca_file = config.jwks_ca_file}, .response_bytes_max = 1 << 20}));
  const auto fetch = [client, url = config.jwks_url]() -> Result<std::string> {
    net::HttpCall call;
    call.url = url;
    call.timeout = kFetchTimeout;
    KVASIR_TRY(auto response, client->send(call));
    if (response.status != 200)
      return fail(ErrorCode::kUnavailable, url + " answered " + std::to_string(response.status));
    return std::move(response.body);
  };
  return std::make_unique<JwksCache>(fetch, config.jwks_refresh);
}

}  // namespace

Result<std::string> decode_base64url(std::string_view text) {
  std::string standard(text);
  for (char& c : standard) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (standard.size() % 4 != 0) standard += '=';
  return net::base64_decode(standard);
}

Result<std::unique_ptr<const JwtVerifier>> JwtVerifier::create(const JwtConfig& config, const Clock& clock) {
  KeyPointer key(nullptr, &EVP_PKEY_free);
  if (!config.public_key_file.empty()) {
    KVASIR_TRY(key, read_public_key(config.public_key_file));
  }
  KVASIR_TRY(auto set, open_key_set(config));
  return std::unique_ptr<const JwtVerifier>(std::make_unique<Verifier>(config, std::move(key), std::move(set), clock));
}

}  // namespace kvasir::server
