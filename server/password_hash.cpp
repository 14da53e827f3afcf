#include "server/password_hash.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <memory>

#include "server/argon2_hash.h"

namespace kvasir::server {
namespace {

constexpr std::string_view kForms[] = {"$2a$", "$2b$", "$2y$", "$y$", "$gy$", "$7$", "$6$", "$5$"};

constexpr std::size_t kBcryptBytes = 60;

}  // namespace

Result<void> check_password_hash(std::string_view hash) {
  if (looks_like_argon2(hash)) return check_argon2(hash);
  const bool known =
      std::any_of(std::begin(kForms), std::end(kForms), [&](std::string_view form) { return hash.starts_with(form); });
  const bool whole = hash.size() == kBcryptBytes || !hash.starts_with("$2");
  if (known && whole && crypt_checksalt(std::string(hash).c_str()) == CRYPT_SALT_OK) return {};
  return fail(ErrorCode::kInvalidArgument, "of no known form");
}

bool verify_password(const std::string& hash, const std::string& password) {
  if (password.size() > kPasswordBytesMax || password.find('\0') != std::string::npos) return false;
  if (looks_like_argon2(hash)) return verify_argon2(hash, password);
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

bool SlowPasswords::knows(std::string_view hash, std::string_view password) const {
  const Digest digest = digest_of(hash, password);
  MutexLock lock(mutex_);
  return good_.contains(digest);
}

bool SlowPasswords::verify(const std::string& hash, const std::string& password) const {
  if (knows(hash, password)) return true;
  MutexLock turn(hashing_);
  if (knows(hash, password)) return true;  // another thread was asked the same
  if (!verify_password(hash, password)) return false;
  const Digest digest = digest_of(hash, password);
  MutexLock lock(mutex_);
  if (good_.size() >= kRememberedMax) good_.clear();
  good_.insert(digest);
  return true;
}

}  // namespace kvasir::server
