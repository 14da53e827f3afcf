// jwt.h -- checks JSON web tokens: signature, times, issuer and audience; reads tenant and role from their claims.
//
// Shape:    compact form, HS256 with a shared secret, RS256 and ES256 with a public key of a PEM file or a key set
//           (jwks.h; the token's `kid` chooses). `none` and every other algorithm are refused; the algorithm must be
//           one for which a key is there.
// Errors:   invalid_argument, worded for a log: "token has expired".
// Limits:   kJwtBytesMax; kJwtLeeway for clocks that differ.
// Threads:  verify() from any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "server/config/server_config.h"

namespace kvasir::server {

inline constexpr std::size_t kJwtBytesMax = 16 * 1024;
inline constexpr Duration kJwtLeeway = std::chrono::seconds(30);

struct JwtClaims {
  std::string subject;
  std::string role;                  // "" when absent
  std::vector<std::string> tenants;  // one text or a list of them
  std::string policy;                // "" when absent
};

Result<std::string> decode_base64url(std::string_view text);

class JwtVerifier {
 public:
  /// Errors: io, invalid_argument (the file holds no usable public key).
  static Result<std::unique_ptr<const JwtVerifier>> create(const JwtConfig& config, const Clock& clock);
  virtual ~JwtVerifier() = default;
  virtual Result<JwtClaims> verify(std::string_view token) const = 0;
};

}  // namespace kvasir::server
