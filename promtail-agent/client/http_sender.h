// http_sender.h -- an HTTP client with the options of a configuration block: credentials, headers, TLS, proxy,
// redirects.
//
// Secrets:  password, token and header files are read again for every request; certificate files when they change.
// Errors:   those of net::HttpClient; io for a secret file that cannot be read.
// Threads:  any.
// Limits:   kRedirectsMax redirects in a row.
#pragma once

#include <memory>
#include <string>

#include "common/clock.h"
#include "common/mutex.h"
#include "common/net/http_client.h"
#include "promtail-agent/config/config.h"

namespace kvasir::agent {

inline constexpr int kRedirectsMax = 10;

class OAuthTokens;

class HttpSender {
 public:
  ~HttpSender();
  /// Errors: invalid_argument for certificates or a proxy URL that cannot be used.
  static Result<std::unique_ptr<HttpSender>> create(HttpConfig config, std::string unix_socket, const Clock& clock);

  Result<net::HttpResponse> send(net::HttpCall call);
  /// As send(), with the body given to `sink` piece by piece. Redirects are not followed.
  Result<net::HttpResponse> stream(net::HttpCall call, const net::BodySink& sink);

 private:
  HttpSender(HttpConfig config, std::string unix_socket, const Clock& clock);

  Result<std::shared_ptr<net::HttpClient>> client(const std::string& url);
  Result<std::shared_ptr<net::HttpClient>> make_client(const std::string& proxy);
  Result<void> authorize(net::HttpCall& call);

  const HttpConfig config_;
  const std::string unix_socket_;
  const Clock& clock_;
  std::unique_ptr<OAuthTokens> oauth_;  // where the options ask for it
  Mutex mutex_;
  std::string tls_state_ KVASIR_GUARDED_BY(mutex_);  // sizes and times of the certificate files in use
  std::shared_ptr<net::HttpClient> direct_ KVASIR_GUARDED_BY(mutex_);
  std::shared_ptr<net::HttpClient> proxied_ KVASIR_GUARDED_BY(mutex_);
};

}  // namespace kvasir::agent
