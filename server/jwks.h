// jwks.h -- public keys of an identity provider as a JSON Web Key Set (RFC 7517): RSA and EC P-256, read again now and
// then.
//
// Shape:    a source (file or URL) is read at the start, every `refresh`, and soon after a token names an unknown key,
//           at most once in kJwksSoonest. What is read replaces the set; while reading fails the old keys stay.
// Errors:   the start needs no keys: until the first set is read every token is refused, and the log says why.
// Limits:   kJwksKeysMax keys of a set count; symmetric keys, keys for encryption and unknown types are passed over.
// Threads:  any.
#pragma once

#include <openssl/evp.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "common/result.h"
#include "common/time.h"

namespace kvasir::server {

inline constexpr std::size_t kJwksKeysMax = 64;
inline constexpr Duration kJwksSoonest = std::chrono::seconds(5);

struct PublicKey {
  std::string id;  // `kid`, may be empty
  std::shared_ptr<EVP_PKEY> key;
};
using PublicKeys = std::vector<PublicKey>;

/// Errors: invalid_argument: not a key set. Keys that cannot be used are left out.
Result<PublicKeys> parse_jwks(std::string_view text);

class JwksCache {
 public:
  using Fetch = std::function<Result<std::string>()>;
  JwksCache(Fetch fetch, Duration refresh);
  ~JwksCache();

  /// Keys of that id; all keys for an empty one.
  PublicKeys find(std::string_view id);

 private:
  void run(std::stop_token stop);
  void refresh();

  const Fetch fetch_;
  const Duration refresh_;
  Mutex mutex_;
  Condition wake_;
  PublicKeys keys_ KVASIR_GUARDED_BY(mutex_);
  bool wanted_ KVASIR_GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

}  // namespace kvasir::server
