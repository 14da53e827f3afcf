// authenticator.h -- who is calling: bearer tokens, basic authentication, JSON web tokens, client certificates.
//
// Shape:    a request becomes a Principal, or is refused. Without any credential configured everybody is an anonymous
//           admin.
// Threads:  identify() from any thread; the object is immutable.
// Errors:   invalid_argument: broken or unknown credential (401).
// Notes:    secrets are compared as SHA-256 digests in constant time; they are never logged or shown.
// Source:   docs/security.md
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/net/http_types.h"
#include "common/result.h"
#include "server/config/server_config.h"
#include "server/password_hash.h"
#include "server/read_policy.h"
#include "server/request_context.h"

namespace kvasir::server {

struct Principal {
  std::string name;
  Role role = Role::kAdmin;
  std::vector<std::string> tenants;  // empty: any
  std::shared_ptr<const ReadPolicy> policy;  // null: sees everything of its tenants
  bool may_use(std::string_view tenant) const;
};

class JwtVerifier;

class Authenticator {
 public:
  /// Errors: io, invalid_argument (key file). The clock must outlive this.
  /// The good passwords that `before` (if not null) remembers stay; of a hash that changed none is found.
  static Result<std::shared_ptr<const Authenticator>> create(const KvasirConfig& config, const Clock& clock,
                                                             const Authenticator* before = nullptr);
  /// Lets everybody in.
  Authenticator();
  ~Authenticator();

  Result<Principal> identify(const net::HttpRequest& request) const;
  /// True if identify() will have to hash a password, which takes long.
  bool is_slow(const net::HttpRequest& request) const;
  /// True if requests need a credential.
  bool required() const { return required_; }

 private:
  using Digest = std::array<unsigned char, 32>;
  struct Known {
    Digest digest{};            // of the token, or of "user:password", or of the user when there is a hash
    bool basic = false;
    std::string password_hash;  // of crypt(3); empty: the digest proves everything
    Principal principal;
  };
  static Digest digest_of(std::string_view secret);
  const Principal* find(std::string_view secret, bool basic) const;
  template <class Accepts>
  const Principal* find_hashed(std::string_view pair, Accepts accepts) const;
  const Principal* find_remembered(std::string_view pair) const;
  Result<void> read_policies(const KvasirConfig& config);
  Result<void> read_credentials(const KvasirConfig& config);
  Result<Principal> from_token(std::string_view token) const;
  Result<std::shared_ptr<const ReadPolicy>> policy_of(const std::string& name, Role role) const;

  bool required_ = false;
  bool certificate_is_enough_ = false;
  Role certificate_role_ = Role::kRead;
  std::vector<Known> known_;
  std::map<std::string, std::shared_ptr<const ReadPolicy>> policies_;
  std::string reader_policy_;
  std::shared_ptr<const SlowPasswords> passwords_ = std::make_shared<const SlowPasswords>();
  std::unique_ptr<const JwtVerifier> jwt_;
};

/// read, write, admin.
std::optional<Role> parse_role(std::string_view text);

}  // namespace kvasir::server
