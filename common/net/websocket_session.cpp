// The server side of a WebSocket: one reader, one writer with a bounded queue, one ticking timer for pings and
// deadlines.
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include "common/net/http_session.h"
#include "common/net/websocket_stream.h"

namespace kvasir::net {
namespace {

namespace websocket = boost::beast::websocket;

class Frames final : public WebSocketSession, public std::enable_shared_from_this<Frames> {
 public:
  Frames(std::shared_ptr<ServerShared> server, asio::any_io_executor executor, WebSocketOptions options)
      : server_(std::move(server)), executor_(executor), timer_(executor), options_(std::move(options)) {
    MutexLock lock(server_->mutex);
    ++server_->websocket_count;
  }

  ~Frames() override {
    MutexLock lock(server_->mutex);
    --server_->websocket_count;
    server_->changed.notify_all();
  }

  Sent send_text(std::string text) override {
    {
      MutexLock lock(mutex_);
      if (closing_) return Sent::kClosed;
      if (queue_.size() >= options_.queue_frames_max) return Sent::kQueueFull;
      queue_.push_back(std::move(text));
    }
    post([self = shared_from_this()] { self->write_next(); });
    return Sent::kQueued;
  }

  void close(std::uint16_t code, std::string reason) override {
    {
      MutexLock lock(mutex_);
      if (closing_) return;
      closing_ = true;
    }
    reason.resize(std::min<std::size_t>(reason.size(), 123));  // RFC 6455: a control frame holds 125 bytes
    websocket::close_reason frame(static_cast<websocket::close_code>(code), reason);
    post([self = shared_from_this(), frame] {
      self->close_frame_ = frame;
      self->write_next();
    });
  }

  std::stop_token stop_token() const override { return stop_.get_token(); }

  /// On the strand. Owns the connection from here on.
  void begin(Stream stream, Session::RawRequest request) {
    ws_.emplace(std::move(stream));
    ws_->read_message_max(options_.message_bytes_max);
    websocket::stream_base::timeout timeouts{};
    timeouts.handshake_timeout = std::chrono::seconds(3);  // of the opening and of the closing handshake
    timeouts.idle_timeout = websocket::stream_base::none();
    ws_->set_option(timeouts);
    request_ = std::move(request);
    stop_on_drain_.emplace(server_->websocket_stop.get_token(), Drain{weak_from_this()});
    stop_on_abort_.emplace(server_->websocket_abort.get_token(), Abort{weak_from_this()});
    ws_->async_accept(request_, [self = shared_from_this()](ErrorCodeIo ec) {
      if (ec) return self->finish();
      self->open_ = true;
      self->tick();
      self->read();
      self->write_next();
    });
  }

 private:
  struct Drain {
    std::weak_ptr<Frames> frames;
    void operator()() const {
      if (auto self = frames.lock()) self->close(1001, "server is shutting down");
    }
  };

  struct Abort {
    std::weak_ptr<Frames> frames;
    void operator()() const {
      if (auto self = frames.lock()) self->post([self] { self->finish(); });
    }
  };

  template <class Work>
  void post(Work work) {
    if (!server_->stopped) asio::post(executor_, std::move(work));
  }

  void read() {
    ws_->async_read(in_, [self = shared_from_this()](ErrorCodeIo ec, std::size_t) {
      if (ec) return self->finish();
      const auto bytes = self->in_.data();
      if (self->options_.on_message) {
        self->options_.on_message({static_cast<const char*>(bytes.data()), bytes.size()});
      }
      self->in_.clear();
      self->read();
    });
  }

  void write_next() {
    if (writing_ || finished_ || !open_) return;
    {
      MutexLock lock(mutex_);
      if (queue_.empty() && !close_frame_) return;
      if (!queue_.empty()) {
        current_ = std::move(queue_.front());
        queue_.pop_front();
      } else {
        lock.unlock();
        return send_close();
      }
    }
    writing_ = true;
    write_deadline_ = asio::steady_timer::clock_type::now() + options_.write_timeout;
    ws_->text(true);
    ws_->async_write(asio::buffer(current_), [self = shared_from_this()](ErrorCodeIo ec, std::size_t) {
      self->writing_ = false;
      if (ec) return self->finish();
      self->write_next();
    });
  }

  void send_close() {
    writing_ = true;
    write_deadline_ = asio::steady_timer::clock_type::now() + std::chrono::seconds(5);
    ws_->async_close(*close_frame_, [self = shared_from_this()](ErrorCodeIo) { self->finish(); });
  }

  /// Once per ping interval: cuts a stuck writer, sends a ping.
  void tick() {
    const bool pings = options_.ping_interval > Duration::zero();
    timer_.expires_after(pings ? options_.ping_interval : Duration(std::chrono::seconds(1)));
    timer_.async_wait([self = shared_from_this(), pings](ErrorCodeIo ec) {
      if (ec || self->finished_) return;
      if (self->writing_ && asio::steady_timer::clock_type::now() > self->write_deadline_) return self->finish();
      if (pings && !self->pinging_ && !self->close_frame_) self->ping();
      self->tick();
    });
  }

  void ping() {
    pinging_ = true;
    ws_->async_ping({}, [self = shared_from_this()](ErrorCodeIo ec) {
      self->pinging_ = false;
      if (ec) self->finish();
    });
  }

  void finish() {
    if (finished_) return;
    finished_ = true;
    {
      MutexLock lock(mutex_);
      closing_ = true;
      queue_.clear();
    }
    timer_.cancel();
    beast_close_socket(ws_->next_layer());
    stop_.request_stop();
    if (options_.on_close) options_.on_close();
    options_.on_close = nullptr;  // callbacks often hold this session
    options_.on_message = nullptr;
  }

  std::shared_ptr<ServerShared> server_;
  asio::any_io_executor executor_;
  asio::steady_timer timer_;
  WebSocketOptions options_;
  std::optional<WebSocketStream> ws_;
  Session::RawRequest request_;
  boost::beast::flat_buffer in_;
  std::string current_;  // the frame being written
  std::optional<websocket::close_reason> close_frame_;
  asio::steady_timer::time_point write_deadline_{};
  bool open_ = false;
  bool writing_ = false;
  bool pinging_ = false;
  bool finished_ = false;
  std::stop_source stop_;
  Mutex mutex_;
  std::deque<std::string> queue_ KVASIR_GUARDED_BY(mutex_);
  bool closing_ KVASIR_GUARDED_BY(mutex_) = false;
  std::optional<std::stop_callback<Drain>> stop_on_drain_;
  std::optional<std::stop_callback<Abort>> stop_on_abort_;
};

}  // namespace

std::shared_ptr<WebSocketSession> start_websocket(const std::shared_ptr<Session>& session,
                                                  const std::shared_ptr<ExchangeState>& exchange,
                                                  WebSocketOptions options) {
  auto frames = std::make_shared<Frames>(session->server(), session->executor(), std::move(options));
  const Session::TakeOver take_over = [frames](Stream stream, Session::RawRequest request) {
    frames->begin(std::move(stream), std::move(request));
  };
  if (!session->server()->stopped) {
    asio::dispatch(session->executor(),
                   [session, exchange, take_over] { session->become_websocket(exchange, take_over); });
  }
  return frames;
}

}  // namespace kvasir::net
