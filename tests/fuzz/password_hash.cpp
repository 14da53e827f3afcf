// Password hashes of a configuration file: a line that is the hash, then a password. Hashes that take long are looked
// at, not computed.
#include "server/password_hash.h"

#include <cstdint>

#include "common/assert.h"

namespace {

/// Cheap enough for a fuzzer.
bool is_quick(std::string_view hash) {
  return hash.starts_with("$2b$04$") || hash.starts_with("$2y$04$") || hash.starts_with("$5$rounds=1000$") ||
         hash.starts_with("$6$rounds=1000$") || hash.starts_with("$argon2id$v=19$m=16,t=1,p=1$");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string hash(text.substr(0, text.find('\n')));
  const std::string password(text.substr(std::min(hash.size() + 1, text.size())));
  const bool known = kvasir::server::check_password_hash(hash).has_value();
  if (!known || !is_quick(hash)) return 0;
  const bool good = kvasir::server::verify_password(hash, password);
  KVASIR_ASSERT(!good || password.size() <= kvasir::server::kPasswordBytesMax, "a password over the limit is taken");
  KVASIR_ASSERT(!good || !kvasir::server::verify_password(hash, password + "!"), "a longer password is taken too");
  return 0;
}
