#include <boost/beast/http/field.hpp>

#include "common/net/connection.h"
#include "common/net/http_client.h"
#include "common/net/websocket_stream.h"

namespace kvasir::net {
namespace {

namespace beast = boost::beast;
namespace websocket = beast::websocket;

class Client final : public WebSocketClient {
 public:
  Client(std::unique_ptr<Connection> connection, Stream stream)
      : connection_(std::move(connection)), ws_(std::move(stream)) {
    connection_->on_close([this] { beast_close_socket(ws_.next_layer()); });
    ws_.read_message_max(64u << 20);
    websocket::stream_base::timeout timeouts{};
    timeouts.handshake_timeout = websocket::stream_base::none();  // our own deadlines
    timeouts.idle_timeout = websocket::stream_base::none();
    ws_.set_option(timeouts);
  }

  ~Client() override { connection_->close(); }

  Result<void> handshake(const HttpClientOptions& options, const HttpCall& call, const UrlParts& url,
                         const Patience& patience) {
    ws_.set_option(websocket::stream_base::decorator([&](websocket::request_type& request) {
      request.set(beast::http::field::user_agent, options.user_agent);
      if (url.has_user) request.set(beast::http::field::authorization, basic_auth(url.user, url.password));
      for (const auto& [name, value] : call.headers) request.set(name, value);
    }));
    websocket::response_type response;
    const std::string host = url.host + ":" + std::to_string(url.port);
    bool declined = false;
    const auto shaken = connection_->wait(patience, "websocket handshake", [&](Connection::Done done) {
      ws_.async_handshake(response, host, url.target, [&declined, done](ErrorCodeIo ec) {
        declined = ec == websocket::error::upgrade_declined;
        done(ec, 0);
      });
    });
    if (shaken) return {};
    if (!declined) return fail(shaken.error());
    const std::string& body = response.body();
    return fail(ErrorCode::kUnavailable, "unexpected status " + std::to_string(response.result_int()) + ": " +
                                             body.substr(0, body.find('\n')));
  }

  Result<std::optional<std::string>> read(Duration timeout, std::stop_token stop) override {
    if (closed_) return std::nullopt;
    // A read that ran out of time stays pending, or its half-read frame would be lost: the next call goes on with it.
    if (!reading_) start_read();
    const auto waited = connection_->wait_for_flag({deadline_after(timeout), std::move(stop)}, read_done_);
    if (!waited) return fail(waited.error());
    reading_ = false;
    if (read_error_) {
      closed_ = true;
      const bool polite = read_error_ == websocket::error::closed;
      if (polite) return std::nullopt;
      return fail(ErrorCode::kUnavailable, "read websocket: " + read_error_.message());
    }
    std::string message(static_cast<const char*>(in_.data().data()), in_.size());
    in_.clear();
    return std::optional<std::string>(std::move(message));
  }

  Result<void> send_text(std::string_view text, Duration timeout) override {
    ws_.text(true);
    KVASIR_CHECK_OK(connection_->wait({deadline_after(timeout), {}}, "write websocket", [&](Connection::Done done) {
      ws_.async_write(asio::buffer(text.data(), text.size()), std::move(done));
    }));
    return {};
  }

  void close() override {
    if (closed_) return;
    closed_ = true;
    [[maybe_unused]] const auto result = connection_->wait(
        {deadline_after(std::chrono::seconds(2)), {}}, "close websocket", [&](Connection::Done done) {
          ws_.async_close(websocket::close_code::normal, [done](ErrorCodeIo ec) { done(ec, 0); });
        });
    connection_->close();
  }

  std::uint16_t close_code() const override { return ws_.reason().code; }
  std::string close_reason() const override { return {ws_.reason().reason.data(), ws_.reason().reason.size()}; }

 private:
  void start_read() {
    reading_ = true;
    read_done_ = false;
    ws_.async_read(in_, [this](ErrorCodeIo ec, std::size_t) {
      read_done_ = true;
      read_error_ = ec;
    });
  }

  std::unique_ptr<Connection> connection_;
  WebSocketStream ws_;
  beast::flat_buffer in_;
  bool reading_ = false;
  bool read_done_ = false;
  bool closed_ = false;
  ErrorCodeIo read_error_;
};

}  // namespace

Result<std::unique_ptr<WebSocketClient>> WebSocketClient::connect(const HttpClientOptions& options,
                                                                  const HttpCall& call) {
  KVASIR_TRY(const UrlParts url, parse_url(call.url));
  const bool secure = url.scheme == "https" || url.scheme == "wss";
  TlsContext tls;
  if (secure) {
    KVASIR_TRY(tls, make_client_context(options.tls));
  }
  const Patience patience{deadline_after(call.timeout), call.stop};
  KVASIR_TRY(auto connection, Connection::open(options, url, std::move(tls), patience));
  Stream stream = std::move(connection->stream());
  connection->release_stream();
  auto client = std::make_unique<Client>(std::move(connection), std::move(stream));
  KVASIR_CHECK_OK(client->handshake(options, call, url, patience));
  return client;
}

}  // namespace kvasir::net
