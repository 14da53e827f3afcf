#include "promtail-agent/client/oauth_token.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <simdjson.h>

#include "common/filesystem.h"
#include "common/json_writer.h"
#include "common/net/http_client.h"
#include "promtail-agent/client/http_sender.h"

namespace kvasir::agent {

namespace {

inline constexpr std::uint64_t kSecretBytesMax = 1 << 20;
inline constexpr std::int64_t kAssertionSeconds = 3600;
inline constexpr std::int64_t kTokenSecondsDefault = 3600;
constexpr std::string_view kJwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";

std::string url_base64(std::string_view bytes) {
  std::string text = net::base64_encode(bytes);
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

const EVP_MD* digest_of(const std::string& algorithm) {
  if (algorithm == "RS512") return EVP_sha512();
  return algorithm == "RS384" ? EVP_sha384() : EVP_sha256();
}

Result<std::string> sign(const std::string& text, const std::string& key_pem, const EVP_MD* digest) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())),
                                                      BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  if (key == nullptr) return fail(ErrorCode::kInvalidArgument, "oauth2: client_certificate_key is no private key");
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t size = 0;
  std::string signature;
  bool good = EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key.get()) == 1 &&
              EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) == 1;
  signature.resize(size);
  good = good && EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                                text.size()) == 1;
  if (!good) return fail(ErrorCode::kInvalidArgument, "oauth2: client_certificate_key cannot sign");
  signature.resize(size);
  return signature;
}

}  // namespace

Result<std::string> read_secret(const std::string& text, const std::string& file) {
  if (file.empty()) return text;
  KVASIR_TRY(std::string content, posix_filesystem().read_all(file, kSecretBytesMax));
  while (!content.empty() && (content.back() == '\n' || content.back() == '\r' || content.back() == ' ')) {
    content.pop_back();
  }
  return content;
}

Result<std::string> make_assertion(const OAuth2Config& config, const std::string& key_pem, TimestampNs now) {
  std::string head;
  JsonWriter header(head);
  header.begin_object().key("alg").string(config.algorithm).key("typ").string("JWT");
  if (!config.key_id.empty()) header.key("kid").string(config.key_id);
  header.end_object();
  const std::int64_t seconds = now.value / 1'000'000'000;
  std::string body;
  JsonWriter claims(body);
  claims.begin_object().key("iss").string(config.issuer.empty() ? config.client_id : config.issuer);
  claims.key("sub").string(config.client_id);
  claims.key("aud").string(config.audience.empty() ? config.token_url : config.audience);
  claims.key("iat").integer(seconds).key("exp").integer(seconds + kAssertionSeconds);
  if (!config.scopes.empty()) claims.key("scope").string(joined(config.scopes));
  for (const auto& [name, value] : config.claims) claims.key(name).string(value);
  claims.end_object();
  const std::string signed_part = url_base64(head) + "." + url_base64(body);
  KVASIR_TRY(const std::string signature, sign(signed_part, key_pem, digest_of(config.algorithm)));
  return signed_part + "." + url_base64(signature);
}

OAuthTokens::OAuthTokens(OAuth2Config config, std::unique_ptr<HttpSender> http, const Clock& clock)
    : config_(std::move(config)), http_(std::move(http)), clock_(clock) {}

OAuthTokens::~OAuthTokens() = default;

Result<std::unique_ptr<OAuthTokens>> OAuthTokens::create(const OAuth2Config& config, const Clock& clock) {
  HttpConfig http;
  http.tls = config.tls;
  http.proxy = config.proxy;
  KVASIR_TRY(auto sender, HttpSender::create(std::move(http), {}, clock));
  return std::unique_ptr<OAuthTokens>(new OAuthTokens(config, std::move(sender), clock));
}

Result<net::HttpParams> OAuthTokens::make_form() const {
  net::HttpParams form;
  if (config_.grant == OAuth2Config::Grant::kJwtBearer) {
    KVASIR_TRY(const std::string key, read_secret(config_.key, config_.key_file));
    KVASIR_TRY(std::string assertion, make_assertion(config_, key, clock_.now()));
    form.add("grant_type", std::string(kJwtBearer));
    form.add("assertion", std::move(assertion));
  } else {
    form.add("grant_type", "client_credentials");
    if (!config_.scopes.empty()) form.add("scope", joined(config_.scopes));
  }
  for (const auto& [name, value] : config_.endpoint_params) form.add(name, value);
  return form;
}

Result<std::string> OAuthTokens::token() {
  {
    const MutexLock lock(mutex_);
    if (!token_.empty() && clock_.steady() < until_) return token_;
  }
  KVASIR_TRY(const net::HttpParams form, make_form());
  net::HttpCall call;
  call.method = "POST";
  call.url = config_.token_url;
  call.body = form.encode();
  call.headers.set("Content-Type", "application/x-www-form-urlencoded");
  if (config_.grant == OAuth2Config::Grant::kClientCredentials) {
    KVASIR_TRY(const std::string client_secret, read_secret(config_.client_secret, config_.client_secret_file));
    call.headers.set("Authorization", net::basic_auth(config_.client_id, client_secret));
  }
  KVASIR_TRY(const net::HttpResponse response, http_->send(std::move(call)));
  simdjson::dom::parser parser;
  simdjson::dom::element answer;
  std::string_view token;
  const simdjson::padded_string body(response.body);
  if (response.status != 200 || parser.parse(body).get(answer) != simdjson::SUCCESS ||
      answer["access_token"].get(token) != simdjson::SUCCESS || token.empty()) {
    return fail(ErrorCode::kUnavailable, fmt::format("oauth2: cannot fetch token: status {}", response.status));
  }
  std::int64_t lifetime = kTokenSecondsDefault;
  if (answer["expires_in"].get(lifetime) != simdjson::SUCCESS) lifetime = kTokenSecondsDefault;
  const MutexLock lock(mutex_);
  token_ = token;
  until_ = clock_.steady() + std::chrono::seconds(std::max<std::int64_t>(lifetime - 10, 1));
  return token_;
}

}  // namespace kvasir::agent
