#include "cli/connection.h"

#include <iostream>

#include <fmt/format.h>

#include "common/filesystem.h"

namespace kvasir::cli {
namespace {

constexpr std::uint64_t kTokenBytesMax = 64 << 10;
constexpr auto kCallTimeout = std::chrono::minutes(5);

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(ConnectionOptions options) {
  std::unique_ptr<Connection> connection(new Connection(std::move(options)));
  auto& opened = connection->options_;
  while (!opened.address.empty() && opened.address.back() == '/') opened.address.pop_back();
  connection->token_ = opened.bearer_token;
  if (!opened.bearer_token_file.empty()) {
    KVASIR_TRY(auto token, posix_filesystem().read_all(opened.bearer_token_file, kTokenBytesMax));
    connection->token_ = trimmed(std::move(token));
  }
  KVASIR_TRY(connection->client_, net::make_http_client(connection->client_options()));
  return connection;
}

net::HttpClientOptions Connection::client_options() const {
  net::HttpClientOptions client;
  client.tls = options_.tls;
  client.proxy_url = options_.proxy_url;
  client.user_agent = "kvasirctl";
  client.response_bytes_max = 4ULL << 30;
  return client;
}

net::HttpCall Connection::call(std::string_view method, std::string_view path, const net::HttpParams& params) const {
  net::HttpCall call;
  call.method = method;
  const std::string query = params.encode();
  call.url = options_.address + std::string(path) + (query.empty() ? "" : "?" + query);
  call.timeout = kCallTimeout;
  if (!options_.org_id.empty()) call.headers.set("X-Scope-OrgID", options_.org_id);
  if (!options_.query_tags.empty()) call.headers.set("X-Query-Tags", options_.query_tags);
  if (options_.no_cache) call.headers.set("Cache-Control", "no-cache");
  if (!options_.username.empty()) {
    call.headers.set(options_.auth_header, net::basic_auth(options_.username, options_.password));
  } else if (!token_.empty()) {
    call.headers.set(options_.auth_header, "Bearer " + token_);
  }
  return call;
}

Result<std::string> Connection::send(std::string_view method, std::string_view path, const net::HttpParams& params) {
  KVASIR_TRY(auto answer, exchange(method, path, params));
  return std::move(answer.body);
}

Result<net::HttpResponse> Connection::exchange(std::string_view method, std::string_view path,
                                               const net::HttpParams& params) {
  const net::HttpCall request = call(method, path, params);
  if (!options_.quiet) std::cerr << request.url << "\n";
  std::string reason;
  for (unsigned attempt = 0; attempt <= options_.retries; ++attempt) {
    auto answer = client_->send(request);
    if (answer && answer->status / 100 == 2) return std::move(*answer);
    reason = answer ? fmt::format("Error response from server: {} ({})", trimmed(answer->body), answer->status)
                    : answer.error().message();
  }
  return fail(ErrorCode::kUnavailable, reason);
}

Result<std::unique_ptr<net::WebSocketClient>> Connection::websocket(std::string_view path,
                                                                    const net::HttpParams& params) {
  const net::HttpCall request = call("GET", path, params);
  if (!options_.quiet) std::cerr << request.url << "\n";
  return net::WebSocketClient::connect(client_options(), request);
}

}  // namespace kvasir::cli
