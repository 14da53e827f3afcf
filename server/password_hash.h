// password_hash.h -- checks a password against a hash: bcrypt ($2b$), yescrypt ($y$) and SHA-512 ($6$) of crypt(3),
// or Argon2 ($argon2id$).
//
// Cost:     tens of milliseconds by design. SlowPasswords remembers good pairs, and lets only one thread hash at a
//           time. Those that knows() does not answer should come on a thread of their own (TenantGate::is_slow), so
//           that guessing costs an attacker's queue, no more than one core, and nobody else's time.
// Limits:   a hash that costs more than about a second (kBcryptCostMax and those below it), or whose text was cut, is
//           refused; kRememberedMax good pairs (as digests, never as text), forgotten when the object goes; passwords
//           up to kPasswordBytesMax.
// Threads:  any.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "common/mutex.h"
#include "common/result.h"

namespace kvasir::server {

inline constexpr std::size_t kRememberedMax = 1024;
inline constexpr std::size_t kPasswordBytesMax = 256;
inline constexpr std::uint64_t kBcryptCostMax = 14;
inline constexpr std::uint64_t kSha512RoundsMin = 1000;
inline constexpr std::uint64_t kSha512RoundsMax = 1'000'000;        // a second with the longest password
inline constexpr std::uint64_t kCryptMemoryKibMax = 256 * 1024;     // of yescrypt and scrypt: 128 * N * r (* p)

/// Errors: invalid_argument: not a hash that verify_password() can check here, or one that costs too much.
Result<void> check_password_hash(std::string_view hash);
bool verify_password(const std::string& hash, const std::string& password);

class SlowPasswords {
 public:
  bool verify(const std::string& hash, const std::string& password) const;
  /// True if verify() would say yes at once.
  bool knows(std::string_view hash, std::string_view password) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  static Digest digest_of(std::string_view hash, std::string_view password);

  mutable Mutex mutex_;
  mutable std::set<Digest> good_ KVASIR_GUARDED_BY(mutex_);
  mutable Mutex hashing_;  // held while a password is hashed
};

}  // namespace kvasir::server
