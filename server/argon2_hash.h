// argon2_hash.h -- passwords against Argon2 hashes in the PHC string form: $argon2id$v=19$m=65536,t=3,p=4$salt$hash.
//
// Forms:    argon2id and argon2i, version 19; salt and hash in base64 without padding. argon2d is refused: its memory
//           accesses tell of the password.
// Units:    m in KiB, t passes over that memory, p lanes.
// Limits:   those below, checked before memory is taken or time is spent. One thread computes all lanes.
// Threads:  free functions.
// Source:   RFC 9106; the PHC string format
#pragma once

#include <cstdint>
#include <string_view>

#include "common/result.h"

namespace kvasir::server {

inline constexpr std::uint32_t kArgon2MemoryKibMax = 256 * 1024;
inline constexpr std::uint32_t kArgon2LanesMax = 16;
inline constexpr std::uint64_t kArgon2WorkKibMax = 1024 * 1024;  // m * t: about a second of one core

/// True for what check_argon2() should judge: it starts with `$argon2`.
bool looks_like_argon2(std::string_view hash);
/// Errors: invalid_argument: another form or version, or a cost outside of the limits; says which and its limit.
Result<void> check_argon2(std::string_view hash);
/// False also for a hash that check_argon2() refuses.
bool verify_argon2(std::string_view hash, std::string_view password);

}  // namespace kvasir::server
