// Key sets of identity providers: whatever stands in one, reading it ends, and what is read are public keys.
#include <cstdint>
#include <string_view>

#include "server/jwks.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto keys = kvasir::server::parse_jwks({reinterpret_cast<const char*>(data), size});
  if (!keys) return 0;
  if (keys->size() > kvasir::server::kJwksKeysMax) __builtin_trap();
  for (const auto& key : *keys) {
    if (key.key == nullptr) __builtin_trap();
  }
  return 0;
}
