// The answer side of a session: HttpReply for handlers, and the queue of bytes to the client.
#include <boost/asio/dispatch.hpp>
#include <array>
#include <ctime>

#include "common/clock.h"
#include "common/net/http_session.h"

namespace kvasir::net {
namespace {

constexpr std::size_t kQueuedBytesMax = 1 << 20;   // a streaming handler waits above this
constexpr std::size_t kInlineBodyBytes = 16 * 1024; // smaller bodies travel in one buffer with the header
constexpr std::size_t kGatherMax = 16;

class Reply final : public HttpReply {
 public:
  Reply(std::shared_ptr<Session> session, std::shared_ptr<ExchangeState> exchange, bool is_upgrade)
      : session_(std::move(session)), exchange_(std::move(exchange)), is_upgrade_(is_upgrade) {}

  ~Reply() override {
    if (!begun_) {
      send(HttpResponse::text(500, "internal error: the request was not answered\n"));
    } else if (!ended_) {
      post([session = session_, exchange = exchange_] { session->end_stream(exchange, false); });
    }
  }

  void send(HttpResponse response) override {
    if (begun_) return;
    begun_ = ended_ = true;
    auto shared = std::make_shared<HttpResponse>(std::move(response));
    post([session = session_, exchange = exchange_, shared] { session->respond(exchange, std::move(*shared)); });
  }

  void begin(int status, HttpHeaders headers) override {
    if (begun_) return;
    begun_ = true;
    post([session = session_, exchange = exchange_, status, headers = std::move(headers)] {
      session->begin_stream(exchange, status, headers);
    });
  }

  bool write(std::string chunk) override {
    if (!begun_ || ended_) return false;
    {
      MutexLock lock(exchange_->mutex);
      if (!session_->on_own_strand()) {
        exchange_->drained.wait(lock, [&] { return exchange_->gone || exchange_->queued_bytes < kQueuedBytesMax; });
      }
      if (exchange_->gone) return false;
      exchange_->queued_bytes += chunk.size();
    }
    if (chunk.empty()) return true;
    auto shared = std::make_shared<std::string>(std::move(chunk));
    post([session = session_, exchange = exchange_, shared] { session->stream_chunk(exchange, std::move(*shared)); });
    return true;
  }

  void end() override {
    if (!begun_ || ended_) return;
    ended_ = true;
    post([session = session_, exchange = exchange_] { session->end_stream(exchange, true); });
  }

  std::shared_ptr<WebSocketSession> upgrade(WebSocketOptions options) override {
    if (begun_) return nullptr;
    if (!is_upgrade_) {
      auto response = HttpResponse::text(400, "Bad Request\n");
      response.headers.add("Sec-Websocket-Version", "13");
      send(std::move(response));
      return nullptr;
    }
    begun_ = ended_ = true;
    return start_websocket(session_, exchange_, std::move(options));
  }

  std::stop_token stop_token() const override { return exchange_->stop.get_token(); }

 private:
  template <class Work>
  void post(Work work) {
    if (!session_->server()->stopped) asio::dispatch(session_->executor(), std::move(work));
  }

  std::shared_ptr<Session> session_;
  std::shared_ptr<ExchangeState> exchange_;
  const bool is_upgrade_;
  bool begun_ = false;
  bool ended_ = false;
};

/// Sun, 06 Nov 1994 08:49:37 GMT
std::string http_date() {
  thread_local std::time_t cached_at = 0;
  thread_local std::string cached;
  const auto now = static_cast<std::time_t>(system_clock().now().value / 1'000'000'000);
  if (now != cached_at) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[40];
    cached.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts));
    cached_at = now;
  }
  return cached;
}

/// A header value cannot end its line.
void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  for (const char c : value) out += c == '\r' || c == '\n' ? ' ' : c;
  out += "\r\n";
}

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

std::string hex(std::size_t value) {
  char text[20];
  return {text, static_cast<std::size_t>(std::snprintf(text, sizeof text, "%zx", value))};
}

}  // namespace

std::shared_ptr<HttpReply> make_reply(std::shared_ptr<Session> session, std::shared_ptr<ExchangeState> exchange,
                                      bool is_upgrade) {
  return std::make_shared<Reply>(std::move(session), std::move(exchange), is_upgrade);
}

std::string Session::head_text(int status, const HttpHeaders& headers, std::optional<std::uint64_t> length,
                               bool chunked) {
  status_ = status;
  if (server_->draining) keep_alive_ = false;
  std::string out = "HTTP/1.1 " + std::to_string(status) + " ";
  out += status_reason(status);
  out += "\r\n";
  for (const auto& [name, value] : headers) {
    if (equal_ignore_case(name, "Connection") && equal_ignore_case(value, "close")) keep_alive_ = false;
    const bool ours = equal_ignore_case(name, "Content-Length") || equal_ignore_case(name, "Connection");
    if (!ours) append_field(out, name, value);
  }
  append_field(out, "Date", http_date());
  if (length && !has_no_body(status)) append_field(out, "Content-Length", std::to_string(*length));
  if (chunked) append_field(out, "Transfer-Encoding", "chunked");
  if (!keep_alive_) append_field(out, "Connection", "close");
  if (keep_alive_ && http10_) append_field(out, "Connection", "keep-alive");
  out += "\r\n";
  return out;
}

void Session::respond(const std::shared_ptr<ExchangeState>& exchange, HttpResponse response) {
  if (exchange != exchange_ || state_ != State::kRunning) return;
  answer_begun_ = answer_complete_ = true;
  std::string head = head_text(response.status, response.headers, response.body.size(), false);
  const bool sends_body = !is_head_ && !has_no_body(response.status);
  response_bytes_ = sends_body ? response.body.size() : 0;
  if (sends_body && response.body.size() <= kInlineBodyBytes) {
    head += response.body;
    queue_out(std::move(head), false);
  } else {
    queue_out(std::move(head), false);
    if (sends_body) queue_out(std::move(response.body), false);
  }
}

void Session::begin_stream(const std::shared_ptr<ExchangeState>& exchange, int status, HttpHeaders headers) {
  if (exchange != exchange_ || state_ != State::kRunning) return;
  answer_begun_ = true;
  chunked_answer_ = !http10_ && !has_no_body(status);
  if (http10_) keep_alive_ = false;  // the end of the body is the end of the connection
  queue_out(head_text(status, headers, std::nullopt, chunked_answer_), false);
}

void Session::stream_chunk(const std::shared_ptr<ExchangeState>& exchange, std::string chunk) {
  if (exchange != exchange_ || state_ != State::kRunning) return;
  if (is_head_ || has_no_body(status_)) {
    MutexLock lock(exchange->mutex);
    exchange->queued_bytes -= chunk.size();
    return;
  }
  response_bytes_ += chunk.size();
  if (chunked_answer_) queue_out(hex(chunk.size()) + "\r\n", false);
  queue_out(std::move(chunk), true);
  if (chunked_answer_) queue_out("\r\n", false);
}

void Session::end_stream(const std::shared_ptr<ExchangeState>& exchange, bool complete) {
  if (exchange != exchange_ || state_ != State::kRunning) return;
  if (!complete) return close();  // a cut answer must look cut
  answer_complete_ = true;
  if (chunked_answer_ && !is_head_) return queue_out("0\r\n\r\n", false);
  if (!writing_ && out_.empty()) exchange_finished();
}

void Session::queue_out(std::string bytes, bool counts) {
  out_.push_back({std::move(bytes), counts});
  write_next();
}

void Session::write_next() {
  if (writing_ || out_.empty() || state_ == State::kClosed) return;
  std::array<asio::const_buffer, kGatherMax> buffers;
  std::size_t count = 0;
  for (; count < std::min(out_.size(), kGatherMax); ++count) {
    const std::string& bytes = out_[count].bytes;
    const std::size_t skip = count == 0 ? out_offset_ : 0;
    buffers[count] = asio::buffer(bytes.data() + skip, bytes.size() - skip);
  }
  writing_ = true;
  if (state_ == State::kRunning) set_deadline(server_->options.write_timeout);
  // By value: the operation keeps its own copy of the array; what is not used of it is empty.
  stream_.async_write_some(
      buffers, [self = shared_from_this()](ErrorCodeIo ec, std::size_t size) { self->on_written(ec, size); });
}

void Session::on_written(ErrorCodeIo ec, std::size_t size) {
  writing_ = false;
  if (state_ == State::kClosed) return;
  if (ec) return close();
  std::size_t released = 0;
  while (!out_.empty() && size >= out_.front().bytes.size() - out_offset_) {
    size -= out_.front().bytes.size() - out_offset_;
    if (out_.front().counts) released += out_.front().bytes.size();
    out_.pop_front();
    out_offset_ = 0;
  }
  out_offset_ += size;
  if (released > 0 && exchange_) {
    {
      MutexLock lock(exchange_->mutex);
      exchange_->queued_bytes -= released;
    }
    exchange_->drained.notify_all();
  }
  if (!out_.empty()) return write_next();
  if (state_ != State::kRunning) return;
  set_deadline(Duration::max());
  if (answer_complete_) exchange_finished();
}

void Session::exchange_finished() {
  report();
  exchange_.reset();
  answer_complete_ = false;
  next_or_close();
}

void Session::report() {
  const auto& observer = server_->options.on_exchange;
  if (!observer || method_.empty()) return;
  observer({method_, target_, route_, peer_, status_, request_bytes_, response_bytes_, Clock::now() - began_});
}

}  // namespace kvasir::net
