#include "common/net/http_session.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include "common/log.h"

namespace kvasir::net {
namespace {

namespace http = boost::beast::http;
constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kBodyReadBytes = 256 * 1024;   // the body grows by what arrives, never by what is declared
constexpr std::size_t kBodySlackBytes = 64;          // room behind the body for parsers that read past the end

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

/// Runs the handler; what it throws becomes a log line, and the dropped reply a 500.
void run_guarded(const HttpHandler& handler, HttpRequest request, std::shared_ptr<HttpReply> reply) {
  try {
    handler(std::move(request), std::move(reply));
  } catch (const std::exception& error) {
    log::error("http", "handler threw", {{"error", error.what()}});
  }
}

void send_busy(HttpReply& reply) {
  auto response = HttpResponse::text(503, "too many requests in flight, try again\n");
  response.headers.add("Retry-After", "1");
  reply.send(std::move(response));
}

/// The path and query of an origin-form or absolute-form target.
std::string_view without_authority(std::string_view target) {
  if (target.starts_with('/')) return target;
  const std::size_t scheme = target.find("://");
  if (scheme == std::string_view::npos) return target;
  const std::size_t slash = target.find('/', scheme + 3);
  return slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
}

}  // namespace

Session::Session(std::shared_ptr<ServerShared> server, Stream stream)
    : server_(std::move(server)), stream_(std::move(stream)), executor_(stream_.get_executor()), timer_(executor_),
      in_(server_->options.header_bytes_max + kReadBytes) {}

Session::~Session() {
  MutexLock lock(server_->mutex);
  server_->sessions.erase(this);
  server_->changed.notify_all();
}

void Session::start() {
  ErrorCodeIo ec;
  const auto remote = stream_.socket().remote_endpoint(ec);
  if (ec) return close();
  peer_ = remote.address().to_string() + ":" + std::to_string(remote.port());
  stream_.socket().set_option(Tcp::no_delay(true), ec);
  if (stream_.tls() == nullptr) return begin_request();
  handshake();
}

void Session::handshake() {
  set_deadline(server_->options.header_timeout);
  stream_.tls()->async_handshake(Stream::Tls::server, [self = shared_from_this()](ErrorCodeIo ec) {
    if (ec || self->state_ == State::kClosed) return self->close();
    self->tls_subject_ = SSL_get_verify_result(self->stream_.tls()->native_handle()) == X509_V_OK
                             ? peer_common_name(self->stream_.tls()->native_handle())
                             : std::string();
    self->begin_request();
  });
}

void Session::begin_request() {
  if (server_->draining) return linger();
  state_ = State::kIdle;
  request_ = {};
  handler_ = nullptr;
  parser_.emplace();  // single-use
  parser_->header_limit(static_cast<std::uint32_t>(server_->options.header_bytes_max));
  parser_->body_limit(boost::none);
  parser_->eager(false);
  set_deadline(server_->options.idle_timeout);
  advance();
}

void Session::advance() {
  if (state_ == State::kIdle) {
    while (in_.size() > 0 && (*static_cast<const char*>(in_.data().data()) == '\r' ||
                              *static_cast<const char*>(in_.data().data()) == '\n')) {
      in_.consume(1);
    }
    if (in_.size() > 0) {
      state_ = State::kHeader;
      began_ = Clock::now();
      status_ = 0;
      request_bytes_ = response_bytes_ = 0;
      method_.clear(), target_.clear(), route_.clear();
      set_deadline(server_->options.header_timeout);
    }
  }
  if (state_ == State::kHeader) parse_header();
  if (state_ == State::kBody) chunked_body_ ? take_chunked_body() : take_sized_body();
  want_read();
}

void Session::parse_header() {
  ErrorCodeIo ec;
  in_.consume(parser_->put(in_.data(), ec));
  if (ec == http::error::need_more) {
    if (in_.size() >= server_->options.header_bytes_max) refuse(431, "request header too large\n");
    return;
  }
  if (ec == http::error::header_limit || ec == http::error::buffer_overflow) {
    return refuse(431, "request header too large\n");
  }
  if (ec) return refuse(400, "400 Bad Request: " + ec.message() + "\n");
  header_done();
}

void Session::header_done() {
  const auto& message = parser_->get();
  http10_ = message.version() < 11;
  keep_alive_ = message.keep_alive();
  method_ = view(message.method_string());
  target_ = view(message.target());
  is_head_ = method_ == "HEAD";
  is_upgrade_ = parser_->upgrade() && equal_ignore_case(view(message[http::field::upgrade]), "websocket");
  std::string_view raw_path = without_authority(target_);
  raw_path = raw_path.substr(0, raw_path.find_first_of("?#"));
  const std::string& prefix = server_->options.path_prefix;
  const bool below =
      raw_path.starts_with(prefix) && (prefix.empty() || raw_path.substr(prefix.size()).starts_with('/'));
  if (!below) return refuse(404, "404 page not found\n");
  raw_path.remove_prefix(prefix.size());
  if (!fill_request(raw_path) || !find_route(raw_path) || !plan_body()) return;
  state_ = State::kBody;
  set_deadline(server_->options.body_timeout);
  const bool expects = equal_ignore_case(view(message[http::field::expect]), "100-continue");
  if (expects && !http10_ && in_.size() == 0 && !parser_->is_done()) queue_out("HTTP/1.1 100 Continue\r\n\r\n", false);
}

bool Session::fill_request(std::string_view raw_path) {
  request_.method = method_;
  request_.target = target_;
  request_.peer = peer_;
  request_.tls_subject = tls_subject_;
  for (const auto& field : parser_->get()) {
    request_.headers.add(std::string(view(field.name_string())), std::string(view(field.value())));
  }
  auto path = percent_decode(raw_path);
  const std::string_view target = without_authority(target_);
  const std::size_t question = target.find('?');
  const std::string_view query = question == std::string_view::npos ? "" : target.substr(question + 1);
  auto params = HttpParams::parse(query.substr(0, query.find('#')));
  if (!path || !params) {
    refuse(400, (path ? params.error() : path.error()).message() + "\n");
    return false;
  }
  request_.path = std::move(*path);
  request_.params = std::move(*params);
  return true;
}

bool Session::find_route(std::string_view raw_path) {
  if (const auto closed = server_->closed.load()) return refuse((*closed)(request_)), false;
  auto match = server_->router.find(method_, raw_path);
  if (!match) return refuse(400, match.error().message() + "\n"), false;
  if (match->route == nullptr) {
    if (match->path_known) return refuse(405, ""), false;
    if (!server_->fallback) return refuse(404, "404 page not found\n"), false;
    handler_ = server_->fallback;
    pool_ = kIoPool;
    body_max_ = server_->options.header_bytes_max;
    return true;
  }
  handler_ = match->route->handler;
  pool_ = match->route->pool;
  body_max_ = match->route->body_bytes_max;
  request_.path_params = std::move(match->path_params);
  request_.route = route_ = match->route->pattern;
  return true;
}

bool Session::plan_body() {
  chunked_body_ = parser_->chunked();
  const auto length = parser_->content_length();
  body_left_ = length ? *length : 0;
  if (body_left_ > body_max_) {
    const std::string text = "request body too large: message size too large than max (" + std::to_string(body_left_) +
                             " vs " + std::to_string(body_max_) + ")\n";
    return refuse(413, text), false;
  }
  if (chunked_body_) {
    parser_->body_limit(body_max_);
    parser_->eager(true);
  } else {
    request_.body.reserve(body_left_ + kBodySlackBytes);  // address space only; pages are taken as bytes arrive
  }
  return true;
}

void Session::take_sized_body() {
  const std::size_t take = std::min<std::uint64_t>(body_left_, in_.size());
  request_.body.append(static_cast<const char*>(in_.data().data()), take);
  in_.consume(take);
  body_left_ -= take;
  if (body_left_ == 0) run_handler();
}

void Session::take_chunked_body() {
  ErrorCodeIo ec;
  in_.consume(parser_->put(in_.data(), ec));
  if (ec == http::error::body_limit) {
    return refuse(413, "request body too large: message size too large than max (" + std::to_string(body_max_ + 1) +
                           " vs " + std::to_string(body_max_) + ")\n");
  }
  if (ec && ec != http::error::need_more) return refuse(400, "400 Bad Request: " + ec.message() + "\n");
  if (!parser_->is_done()) {
    const bool endless = in_.size() >= server_->options.header_bytes_max;  // a chunk header or trailer without an end
    return endless ? refuse(400, "400 Bad Request: chunk header too long\n") : void();
  }
  request_.body = std::move(parser_->get().body());
  run_handler();
}

void Session::run_handler() {
  state_ = State::kRunning;
  set_deadline(Duration::max());
  request_bytes_ = request_.body.size();
  exchange_ = std::make_shared<ExchangeState>();
  answer_complete_ = answer_begun_ = chunked_answer_ = false;
  auto reply = make_reply(shared_from_this(), exchange_, is_upgrade_);
  if (server_->aside && server_->options.set_aside(request_)) return run_aside(std::move(reply));
  if (pool_ == kIoPool) return run_guarded(handler_, std::move(request_), std::move(reply));
  run_on_pool(*server_->pools.find(pool_)->second, std::move(reply));
}

/// What waited in vain is not begun: who asks and leaves, or a stop, shall not keep the one thread at work.
void Session::run_aside(std::shared_ptr<HttpReply> reply) {
  handler_ = [server = server_, handler = std::move(handler_)](HttpRequest request, std::shared_ptr<HttpReply> answer) {
    if (server->draining || answer->client_gone()) return send_busy(*answer);
    handler(std::move(request), std::move(answer));
  };
  run_on_pool(*server_->aside, std::move(reply));
}

void Session::run_on_pool(WorkerPool& pool, std::shared_ptr<HttpReply> reply) {
  auto request = std::make_shared<HttpRequest>(std::move(request_));
  const bool taken = pool.post([handler = handler_, request, reply]() mutable {
    run_guarded(handler, std::move(*request), std::move(reply));
  });
  if (!taken) send_busy(*reply);
}

void Session::want_read() {
  if (reading_ || state_ == State::kClosed || peer_closed_ || state_ == State::kHandshake) return;
  if (state_ == State::kRunning && (is_upgrade_ || in_.size() >= server_->options.header_bytes_max)) return;
  reading_ = true;
  auto done = [self = shared_from_this()](ErrorCodeIo ec, std::size_t size) { self->on_read(ec, size); };
  reading_body_ = state_ == State::kBody && !chunked_body_ && in_.size() == 0;
  if (!reading_body_)
    return stream_.async_read_some(in_.prepare(std::min(kReadBytes, in_.max_size() - in_.size())), done);
  const std::size_t old_size = request_.body.size();
  const std::size_t room = std::min<std::uint64_t>(body_left_, kBodyReadBytes);
  request_.body.resize(old_size + room);
  body_tail_ = old_size;
  stream_.async_read_some(asio::buffer(request_.body.data() + old_size, room), done);
}

void Session::on_read(ErrorCodeIo ec, std::size_t size) {
  reading_ = false;
  if (state_ == State::kClosed) return;
  if (reading_body_) {
    request_.body.resize(body_tail_ + size);
    body_left_ -= size;
  } else if (state_ != State::kLingering) {
    in_.commit(size);
  }
  if (ec) return ec == asio::error::eof || ec == asio::ssl::error::stream_truncated ? on_eof() : close();
  advance();
}

void Session::on_eof() {
  peer_closed_ = true;
  if (state_ != State::kRunning) return close();
  keep_alive_ = false;
  if (exchange_) exchange_->stop.request_stop();  // a client that only half-closed still gets what is ready
}

void Session::refuse(int status, std::string body) {
  refuse(body.empty() ? HttpResponse::empty(status) : HttpResponse::text(status, std::move(body)));
}

void Session::refuse(HttpResponse response) {
  keep_alive_ = false;
  state_ = State::kRunning;
  exchange_ = std::make_shared<ExchangeState>();
  answer_complete_ = answer_begun_ = chunked_answer_ = false;
  respond(exchange_, std::move(response));
}

void Session::begin_drain() {
  if (state_ == State::kIdle || state_ == State::kHandshake) return close();
  keep_alive_ = false;
}

void Session::abort() { close(); }

void Session::become_websocket(const std::shared_ptr<ExchangeState>& exchange, const TakeOver& take_over) {
  if (exchange != exchange_ || state_ != State::kRunning) return;
  status_ = 101;
  report();
  exchange_.reset();
  state_ = State::kClosed;
  timer_.cancel();
  take_over(std::move(stream_), parser_->release());
}

void Session::next_or_close() {
  if (state_ != State::kRunning) return;
  if (keep_alive_ && !server_->draining && !peer_closed_) return begin_request();
  linger();
}

/// Says that no more is coming, then discards what the client still sends: closing with unread bytes would reset the
/// connection and could destroy the answer on its way.
void Session::linger() {
  state_ = State::kLingering;
  set_deadline(std::chrono::seconds(2));
  if (peer_closed_) return close();
  if (stream_.tls() != nullptr) {
    stream_.tls()->async_shutdown([self = shared_from_this()](ErrorCodeIo) { self->close(); });
    return;
  }
  ErrorCodeIo ec;
  stream_.socket().shutdown(Tcp::socket::shutdown_send, ec);
  in_.clear();
  want_read();
}

void Session::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  timer_.cancel();
  ErrorCodeIo ec;
  stream_.socket().close(ec);
  if (!exchange_) return;
  {
    MutexLock lock(exchange_->mutex);
    exchange_->gone = true;
  }
  exchange_->drained.notify_all();
  exchange_->stop.request_stop();
  report();
  exchange_.reset();
}

void Session::set_deadline(Duration after) {
  if (after == Duration::max()) {
    deadline_ = Clock::time_point::max();
    return;
  }
  deadline_ = Clock::now() + after;
  if (!timer_armed_ || timer_.expiry() > deadline_) arm_timer();
}

void Session::arm_timer() {
  timer_armed_ = true;
  timer_.expires_at(deadline_);
  timer_.async_wait([self = shared_from_this()](ErrorCodeIo ec) {
    if (ec || self->state_ == State::kClosed) return;  // moved to an earlier time, or over
    self->timer_armed_ = false;
    if (Clock::now() >= self->deadline_) return self->on_deadline();
    if (self->deadline_ != Clock::time_point::max()) self->arm_timer();
  });
}

void Session::on_deadline() {
  const bool receiving = state_ == State::kHeader || state_ == State::kBody;
  if (!receiving || writing_) return close();
  refuse(408, "408 Request Timeout\n");
}

bool Session::on_own_strand() const {
  const auto* strand = executor_.target<asio::strand<asio::io_context::executor_type>>();
  return strand != nullptr && strand->running_in_this_thread();
}

}  // namespace kvasir::net
