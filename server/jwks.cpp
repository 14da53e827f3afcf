#include "server/jwks.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <simdjson.h>

#include <algorithm>

#include "common/log.h"
#include "server/jwt.h"

namespace kvasir::server {
namespace {

using Params = std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)>;
using Number = std::unique_ptr<BIGNUM, decltype(&BN_free)>;
using simdjson::dom::object;

constexpr std::size_t kCoordinateBytes = 32;

std::shared_ptr<EVP_PKEY> key_of(const char* type, OSSL_PARAM* params) {
  std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr), &EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  if (context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1) return nullptr;
  if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params) != 1) return nullptr;
  return {key, &EVP_PKEY_free};
}

std::string bytes_of(object fields, const char* name) {
  std::string_view text;
  if (fields.at_key(name).get(text) != simdjson::SUCCESS) return "";
  return decode_base64url(text).value_or("");
}

std::shared_ptr<EVP_PKEY> rsa_key(object fields) {
  const std::string n = bytes_of(fields, "n"), e = bytes_of(fields, "e");
  if (n.size() < 256 || e.empty()) return nullptr;  // below 2048 bits
  const auto number = [](const std::string& bytes) {
    return Number(
        BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), nullptr),
        &BN_free);
  };
  const Number modulus = number(n), exponent = number(e);
  const ParamBuilder builder(OSSL_PARAM_BLD_new(), &OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  const Params params(OSSL_PARAM_BLD_to_param(builder.get()), &OSSL_PARAM_free);
  return key_of("RSA", params.get());
}

std::shared_ptr<EVP_PKEY> ec_key(object fields) {
  std::string_view curve;
  const bool p256 = fields.at_key("crv").get(curve) == simdjson::SUCCESS && curve == "P-256";
  const std::string x = bytes_of(fields, "x"), y = bytes_of(fields, "y");
  if (!p256 || x.size() != kCoordinateBytes || y.size() != kCoordinateBytes) return nullptr;
  const std::string point = '\x04' + x + y;
  const ParamBuilder builder(OSSL_PARAM_BLD_new(), &OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  const Params params(OSSL_PARAM_BLD_to_param(builder.get()), &OSSL_PARAM_free);
  return key_of("EC", params.get());
}

std::string text_of(object fields, const char* name) {
  std::string_view text;
  return fields.at_key(name).get(text) == simdjson::SUCCESS ? std::string(text) : "";
}

}  // namespace

Result<PublicKeys> parse_jwks(std::string_view text) {
  simdjson::dom::parser parser;
  simdjson::dom::array list;
  const simdjson::padded_string padded(text);
  if (parser.parse(padded).at_key("keys").get(list) != simdjson::SUCCESS) {
    return fail(ErrorCode::kInvalidArgument, "not a JSON web key set");
  }
  PublicKeys keys;
  for (const auto item : list) {
    object fields;
    if (item.get(fields) != simdjson::SUCCESS || text_of(fields, "use") == "enc" || keys.size() >= kJwksKeysMax)
      continue;
    const std::string type = text_of(fields, "kty");
    auto key = type == "RSA" ? rsa_key(fields) : type == "EC" ? ec_key(fields) : nullptr;
    if (key != nullptr) keys.push_back({text_of(fields, "kid"), std::move(key)});
  }
  return keys;
}

JwksCache::JwksCache(Fetch fetch, Duration refresh_every) : fetch_(std::move(fetch)), refresh_(refresh_every) {
  refresh();
  thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
}

JwksCache::~JwksCache() {
  thread_.request_stop();
  MutexLock lock(mutex_);  // between its look and its wait the thread would not hear it
  wake_.notify_all();
}

void JwksCache::refresh() {
  const auto text = fetch_();
  auto keys = text ? parse_jwks(*text) : Result<PublicKeys>(fail(text.error()));
  if (!keys) {
    log::warn("auth", "keys of tokens could not be read, the old ones stay", {{"reason", keys.error().message()}});
    return;
  }
  MutexLock lock(mutex_);
  keys_ = std::move(*keys);
}

void JwksCache::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    {
      MutexLock lock(mutex_);
      wake_.wait_for(lock, kJwksSoonest, [&stop] { return stop.stop_requested(); });
      if (stop.stop_requested()) return;
      wake_.wait_for(lock, std::max<Duration>(refresh_ - kJwksSoonest, Duration(0)),
                     [&] { return stop.stop_requested() || wanted_; });
      wanted_ = false;
    }
    if (!stop.stop_requested()) refresh();
  }
}

PublicKeys JwksCache::find(std::string_view id) {
  MutexLock lock(mutex_);
  PublicKeys found;
  for (const auto& key : keys_) {
    if (id.empty() || key.id == id) found.push_back(key);
  }
  if (found.empty()) {
    wanted_ = true;
    wake_.notify_all();
  }
  return found;
}

}  // namespace kvasir::server
