#include "server/password_hash.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <memory>

namespace kvasir::server {
namespace {

constexpr std::string_view kForms[] = {"$2a$", "$2b$", "$2y$", "$y$", "$gy$", "$7$", "$6$", "$5$"};

constexpr std::size_t kBcryptBytes = 60;

}  // namespace

bool is_password_hash(std::string_view hash) {
  const bool known =
      std::any_of(std::begin(kForms), std::end(kForms), [&](std::string_view form) { return hash.starts_with(form); });
  const bool whole = hash.size() == kBcryptBytes || !hash.starts_with("$2");
  return known && whole && crypt_checksalt(std::string(hash).c_str()) == CRYPT_SALT_OK;
}

bool verify_password(const std::string& hash, const std::string& password) {
  if (password.size() > kPasswordBytesMax || password.find('\0') != std::string::npos) return false;
  const auto data = std::make_unique<crypt_data>();
  const char* made = crypt_rn(password.c_str(), hash.c_str(), data.get(), sizeof(crypt_data));
  const bool same = made != nullptr && std::string_view(made).size() == hash.size() &&
                    CRYPTO_memcmp(made, hash.data(), hash.size()) == 0;
  OPENSSL_cleanse(data.get(), sizeof(crypt_data));
  return same;
}

SlowPasswords::Digest SlowPasswords::digest_of(std::string_view hash, std::string_view password) {
  const std::string both = std::string(hash) + '\0' + std::string(password);
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(both.data()), both.size(), digest.data());
  return digest;
}

bool SlowPasswords::verify(const std::string& hash, const std::string& password) const {
  const Digest digest = digest_of(hash, password);
  {
    MutexLock lock(mutex_);
    if (good_.contains(digest)) return true;
  }
  MutexLock turn(hashing_);
  if (!verify_password(hash, password)) return false;
  MutexLock lock(mutex_);
  if (good_.size() >= kRememberedMax) good_.clear();
  good_.insert(digest);
  return true;
}

}  // namespace kvasir::server
