// connection.h -- one Loki-compatible server as the command line sees it: address, credentials, requests.
//
// Errors:   whatever the HTTP client reports, and for every status that is not 2xx
//           `Error response from server: <body> (<status>)`, after the retries asked for.
// Threads:  one.
#pragma once

#include <memory>
#include <string>

#include "common/net/http_client.h"
#include "common/net/http_types.h"
#include "common/result.h"

namespace kvasir::cli {

/// Flags of every command; each has an environment variable of logcli's name.
struct ConnectionOptions {
  std::string address = "http://localhost:3100";
  std::string username;
  std::string password;
  std::string bearer_token;
  std::string bearer_token_file;
  std::string auth_header = "Authorization";
  std::string org_id;
  std::string query_tags;
  std::string proxy_url;
  net::TlsClientOptions tls;
  unsigned retries = 0;
  bool no_cache = false;
  bool quiet = false;
};

class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(ConnectionOptions options);

  /// The 2xx answer to METHOD address/path?params.
  Result<net::HttpResponse> exchange(std::string_view method, std::string_view path, const net::HttpParams& params);
  /// The body of a 2xx answer to METHOD address/path?params.
  Result<std::string> send(std::string_view method, std::string_view path, const net::HttpParams& params);
  Result<std::string> get(std::string_view path, const net::HttpParams& params) { return send("GET", path, params); }
  Result<std::unique_ptr<net::WebSocketClient>> websocket(std::string_view path, const net::HttpParams& params);
  const ConnectionOptions& options() const { return options_; }

 private:
  explicit Connection(ConnectionOptions options) : options_(std::move(options)) {}
  net::HttpCall call(std::string_view method, std::string_view path, const net::HttpParams& params) const;
  net::HttpClientOptions client_options() const;

  ConnectionOptions options_;
  std::string token_;
  std::shared_ptr<net::HttpClient> client_;
};

}  // namespace kvasir::cli
