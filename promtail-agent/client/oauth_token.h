// oauth_token.h -- tokens from an OAuth 2 server: by the client's secret, or by an assertion signed with its key.
//
// Shape:    a token is kept until ten seconds before its end.
// Errors:   unavailable when the server gives none; io for a secret that cannot be read; invalid_argument for a key
//           that is none.
// Threads:  any.
// Source:   RFC 6749 section 4.4, RFC 7523 section 2.1
#pragma once

#include <memory>
#include <string>

#include "common/clock.h"
#include "common/mutex.h"
#include "common/net/http_types.h"
#include "promtail-agent/config/config.h"

namespace kvasir::agent {

class HttpSender;

class OAuthTokens {
 public:
  static Result<std::unique_ptr<OAuthTokens>> create(const OAuth2Config& config, const Clock& clock);
  ~OAuthTokens();

  Result<std::string> token();

 private:
  OAuthTokens(OAuth2Config config, std::unique_ptr<HttpSender> http, const Clock& clock);
  Result<net::HttpParams> make_form() const;

  const OAuth2Config config_;
  const std::unique_ptr<HttpSender> http_;
  const Clock& clock_;
  Mutex mutex_;
  std::string token_ KVASIR_GUARDED_BY(mutex_);
  Duration until_ KVASIR_GUARDED_BY(mutex_){0};
};

/// The signed assertion of RFC 7523 for a time. Errors: invalid_argument for the key.
Result<std::string> make_assertion(const OAuth2Config& config, const std::string& key_pem, TimestampNs now);

/// A secret as the configuration gives it: the text, or what the file holds without white space at its end.
Result<std::string> read_secret(const std::string& text, const std::string& file);

}  // namespace kvasir::agent
