#include "common/net/http_client.h"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <deque>

#include "common/clock.h"
#include "common/mutex.h"
#include "common/net/connection.h"

namespace kvasir::net {
namespace {

namespace http = boost::beast::http;
using Parser = http::response_parser<http::string_body>;

struct IdleConnection {
  std::string key;
  std::unique_ptr<Connection> connection;
  Duration since{};
};

std::string host_header(const UrlParts& url) {
  const bool secure = url.scheme == "https" || url.scheme == "wss";
  std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  if (url.port != (secure ? 443 : 80)) host += ":" + std::to_string(url.port);
  return host;
}

class Client final : public HttpClient {
 public:
  Client(HttpClientOptions options, TlsContext tls) : options_(std::move(options)), tls_(std::move(tls)) {}

  Result<HttpResponse> send(const HttpCall& call) override { return perform(call, nullptr); }
  Result<HttpResponse> stream(const HttpCall& call, const BodySink& sink) override { return perform(call, &sink); }

 private:
  struct Exchange {
    const HttpCall& call;
    const BodySink* sink;
    UrlParts url;
    Patience patience;
    bool answered = false;  // a byte of the answer has come: the request must not be sent again
  };

  Result<HttpResponse> perform(const HttpCall& call, const BodySink* sink) {
    KVASIR_TRY(UrlParts url, parse_url(call.url));
    if (url.scheme == "ws" || url.scheme == "wss")
      return fail(ErrorCode::kUnsupported, "unsupported url scheme: " + url.scheme);
    Exchange exchange{call, sink, std::move(url), {deadline_after(call.timeout), call.stop}};
    const std::string key = exchange.url.scheme + "://" + exchange.url.host + ":" + std::to_string(exchange.url.port);
    if (auto kept = take_idle(key)) {
      auto result = run(exchange, *kept);
      const bool dead = !result && result.error().code() == ErrorCode::kUnavailable && !exchange.answered;
      if (!dead) return finish(std::move(result), key, std::move(kept));
    }
    auto opened =
        Connection::open(options_, exchange.url, exchange.url.scheme == "https" ? tls_ : nullptr, exchange.patience);
    if (!opened) return fail(opened.error());
    auto result = run(exchange, **opened);
    return finish(std::move(result), key, std::move(*opened));
  }

  /// What a run leaves: the answer, and whether the connection can carry another.
  struct Answer {
    HttpResponse response;
    bool reusable = false;
  };

  Result<HttpResponse> finish(Result<Answer> result, const std::string& key, std::unique_ptr<Connection> connection) {
    if (!result) return fail(result.error());
    if (result->reusable) keep(key, std::move(connection));
    return std::move(result->response);
  }

  Result<Answer> run(Exchange& exchange, Connection& connection) {
    const auto sent = connection.write(exchange.patience, head_text(exchange), exchange.call.body);
    // A server may refuse a body before it has all of it: then the answer is there although sending failed.
    if (!sent && sent.error().code() != ErrorCode::kUnavailable) return fail(sent.error());
    auto answer = receive(exchange, connection);
    if (!sent && !answer) return fail(sent.error());
    if (!sent) answer->reusable = false;
    return answer;
  }

  std::string head_text(const Exchange& exchange) const {
    const auto& call = exchange.call;
    const UrlParts& url = exchange.url;
    const bool via_proxy = !options_.proxy_url.empty() && url.scheme == "http";
    std::string out = call.method + " ";
    if (via_proxy) out += "http://" + host_header(url);
    out += url.target + " HTTP/1.1\r\n";
    const auto add = [&](std::string_view name, std::string_view value) {
      out.append(name).append(": ").append(value).append("\r\n");
    };
    if (!call.headers.has("Host")) add("Host", host_header(url));
    if (!call.headers.has("User-Agent")) add("User-Agent", options_.user_agent);
    if (url.has_user && !call.headers.has("Authorization")) add("Authorization", basic_auth(url.user, url.password));
    if (via_proxy) add_proxy_auth(out);
    for (const auto& [name, value] : call.headers) {
      if (value.find_first_of("\r\n") == std::string::npos) add(name, value);
    }
    const bool carries_body =
        !call.body.empty() || call.method == "POST" || call.method == "PUT" || call.method == "PATCH";
    if (carries_body) add("Content-Length", std::to_string(call.body.size()));
    return out + "\r\n";
  }

  void add_proxy_auth(std::string& out) const {
    const auto proxy = parse_url(options_.proxy_url);
    if (proxy && proxy->has_user) out += "Proxy-Authorization: " + basic_auth(proxy->user, proxy->password) + "\r\n";
  }

  Result<Answer> receive(Exchange& exchange, Connection& connection) const {
    std::optional<Parser> parser;
    Answer answer;
    while (true) {
      parser.emplace();
      prepare(*parser, exchange);
      KVASIR_CHECK_OK(receive_head(exchange, connection, *parser));
      if (parser->get().result_int() >= 200) break;  // 1xx comes before the answer
    }
    answer.response.status = static_cast<int>(parser->get().result_int());
    for (const auto& field : parser->get()) {
      answer.response.headers.add(std::string(field.name_string()), std::string(field.value()));
    }
    KVASIR_CHECK_OK(receive_body(exchange, connection, *parser, answer.response));
    answer.reusable = parser->keep_alive() && connection.in().size() == 0;
    if (exchange.sink == nullptr) answer.response.body = std::move(parser->get().body());
    return answer;
  }

  void prepare(Parser& parser, const Exchange& exchange) const {
    parser.header_limit(64 * 1024);
    if (exchange.sink == nullptr) {
      parser.body_limit(options_.response_bytes_max);
    } else {
      parser.body_limit(boost::none);
    }
    parser.eager(false);
    parser.skip(exchange.call.method == "HEAD");
  }

  /// Gives the parser what has come.
  static Result<void> feed(Connection& connection, Parser& parser) {
    ErrorCodeIo ec;
    connection.in().consume(parser.put(connection.in().data(), ec));
    if (!ec || ec == http::error::need_more) return {};
    if (ec == http::error::body_limit) return fail(ErrorCode::kLimitExceeded, "response larger than the limit");
    return fail(ErrorCode::kUnavailable, "malformed response: " + ec.message());
  }

  static Result<void> receive_head(Exchange& exchange, Connection& connection, Parser& parser) {
    while (true) {
      if (connection.in().size() > 0) {
        exchange.answered = true;
        KVASIR_CHECK_OK(feed(connection, parser));
        if (parser.is_header_done()) return {};
      }
      KVASIR_TRY(const bool more, connection.read_more(exchange.patience));
      if (!more) return fail(ErrorCode::kUnavailable, "server closed the connection without an answer");
    }
  }

  static Result<void> deliver(const Exchange& exchange, Parser& parser, const HttpResponse& head) {
    std::string& body = parser.get().body();
    if (exchange.sink == nullptr || body.empty()) return {};
    if (!(*exchange.sink)(head, body)) return fail(ErrorCode::kCancelled, "answer not wanted any more");
    body.clear();
    return {};
  }

  static Result<void> receive_body(const Exchange& exchange, Connection& connection, Parser& parser,
                                   const HttpResponse& head) {
    parser.eager(true);
    while (!parser.is_done()) {
      const std::size_t before = connection.in().size();
      if (before > 0) {
        KVASIR_CHECK_OK(feed(connection, parser));
        KVASIR_CHECK_OK(deliver(exchange, parser, head));
        if (parser.is_done() || connection.in().size() < before) continue;
      }
      KVASIR_TRY(const bool more, connection.read_more(exchange.patience));
      if (more) continue;
      ErrorCodeIo ec;
      parser.put_eof(ec);
      if (ec) return fail(ErrorCode::kUnavailable, "server closed the connection in the middle of the answer");
    }
    return deliver(exchange, parser, head);
  }

  std::unique_ptr<Connection> take_idle(const std::string& key) {
    MutexLock lock(mutex_);
    for (auto it = idle_.rbegin(); it != idle_.rend(); ++it) {
      if (it->key != key) continue;
      auto connection = std::move(it->connection);
      const bool fresh = system_clock().steady() - it->since < options_.idle_timeout && !connection->is_stale();
      idle_.erase(std::next(it).base());
      return fresh ? std::move(connection) : nullptr;
    }
    return nullptr;
  }

  void keep(const std::string& key, std::unique_ptr<Connection> connection) {
    MutexLock lock(mutex_);
    idle_.push_back({key, std::move(connection), system_clock().steady()});
    while (idle_.size() > options_.idle_connections_max) idle_.pop_front();
  }

  const HttpClientOptions options_;
  const TlsContext tls_;
  Mutex mutex_;
  std::deque<IdleConnection> idle_ KVASIR_GUARDED_BY(mutex_);  // newest last
};

}  // namespace

Result<std::shared_ptr<HttpClient>> make_http_client(HttpClientOptions options) {
  KVASIR_TRY(TlsContext tls, make_client_context(options.tls));
  if (!options.proxy_url.empty()) {
    KVASIR_TRY(const UrlParts proxy, parse_url(options.proxy_url));
    if (proxy.scheme != "http") return fail(ErrorCode::kUnsupported, "unsupported proxy scheme: " + proxy.scheme);
  }
  return std::make_shared<Client>(std::move(options), std::move(tls));
}

}  // namespace kvasir::net
