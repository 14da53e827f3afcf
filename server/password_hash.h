// password_hash.h -- checks a password against a hash of crypt(3): bcrypt ($2b$), yescrypt ($y$), SHA-512 ($6$).
//
// Cost:     tens of milliseconds by design. SlowPasswords remembers good pairs, and lets only one thread hash at a
//           time, so that guessing costs an attacker's queue and no more than one core.
// Limits:   kRememberedMax good pairs (as digests, never as text), forgotten when the object goes; passwords up to
//           kPasswordBytesMax.
// Threads:  any.
#pragma once

#include <array>
#include <set>
#include <string>
#include <string_view>

#include "common/mutex.h"

namespace kvasir::server {

inline constexpr std::size_t kRememberedMax = 1024;
inline constexpr std::size_t kPasswordBytesMax = 256;

/// True for hashes that verify_password() can check here.
bool is_password_hash(std::string_view hash);
bool verify_password(const std::string& hash, const std::string& password);

class SlowPasswords {
 public:
  bool verify(const std::string& hash, const std::string& password) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  static Digest digest_of(std::string_view hash, std::string_view password);

  mutable Mutex mutex_;
  mutable std::set<Digest> good_ KVASIR_GUARDED_BY(mutex_);
  mutable Mutex hashing_;  // held while a password is hashed
};

}  // namespace kvasir::server
