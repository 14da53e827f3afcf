// http_session.h -- one connection of the HTTP server: reads requests, runs handlers, writes answers. Internal to net.
//
// Shape:    the states follow each other in a circle: idle -> header -> body -> running -> idle; lingering and closed
//           end it. One read and one write are pending at most. While a handler runs, reading goes on into a bounded
//           buffer: that finds a client that went away and takes pipelined requests.
// Lifetime: kept alive by its pending operations and by the HttpReply in the handler's hands.
// Threads:  every method but those of Reply runs on the connection's strand.
// Errors:   closing by the peer is not an error; it requests stop of the running handler.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <atomic>
#include <deque>
#include <map>

#include "common/mutex.h"
#include "common/net/http_server.h"
#include "common/net/router.h"
#include "common/net/stream.h"
#include "common/net/tls_context.h"
#include "common/net/worker_pool.h"

namespace kvasir::net {

class Session;

/// What sessions share; owned by the server, kept alive by every session.
struct ServerShared {
  explicit ServerShared(HttpServerOptions given) : options(std::move(given)) {}
  HttpServerOptions options;
  Router router;
  HttpHandler fallback;
  /// Not null while the server is closed: then nothing else of the routes may be touched.
  using ClosedAnswer = std::function<HttpResponse(const HttpRequest&)>;
  std::atomic<std::shared_ptr<const ClosedAnswer>> closed;
  std::map<std::string, std::unique_ptr<WorkerPool>, std::less<>> pools;
  std::unique_ptr<WorkerPool> aside;   // there if options.set_aside is
  asio::io_context io;
  std::atomic<bool> draining{false};
  std::atomic<bool> stopped{false};    // the io threads have ended: posted work would never run
  Mutex mutex;
  Condition changed;
  std::map<Session*, std::weak_ptr<Session>> sessions KVASIR_GUARDED_BY(mutex);
  std::size_t websocket_count KVASIR_GUARDED_BY(mutex) = 0;
  std::stop_source websocket_stop;     // ends WebSocket sessions with CLOSE
  std::stop_source websocket_abort;    // ends them at once
};

/// Shared by a session and the HttpReply of its running request: what the two sides must know of each other.
struct ExchangeState {
  Mutex mutex;
  Condition drained;
  std::size_t queued_bytes KVASIR_GUARDED_BY(mutex) = 0;
  bool gone KVASIR_GUARDED_BY(mutex) = false;
  std::stop_source stop;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<ServerShared> server, Stream stream);
  ~Session();

  void start();
  /// Ends after the running request, at once if there is none.
  void begin_drain();
  void abort();
  asio::any_io_executor executor() { return executor_; }
  const std::shared_ptr<ServerShared>& server() const { return server_; }

  // Called by Reply, posted to the strand; calls for a finished exchange are ignored.
  void respond(const std::shared_ptr<ExchangeState>& exchange, HttpResponse response);
  void begin_stream(const std::shared_ptr<ExchangeState>& exchange, int status, HttpHeaders headers);
  void stream_chunk(const std::shared_ptr<ExchangeState>& exchange, std::string chunk);
  void end_stream(const std::shared_ptr<ExchangeState>& exchange, bool complete);
  using RawRequest = boost::beast::http::request<boost::beast::http::string_body>;
  using TakeOver = std::function<void(Stream, RawRequest)>;
  void become_websocket(const std::shared_ptr<ExchangeState>& exchange, const TakeOver& take_over);
  bool on_own_strand() const;

 private:
  enum class State { kHandshake, kIdle, kHeader, kBody, kRunning, kLingering, kClosed };
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  using Clock = asio::steady_timer::clock_type;

  void handshake();
  void begin_request();
  void advance();                       // takes as much of the buffer as the state allows
  void parse_header();
  void header_done();
  bool fill_request(std::string_view raw_path);
  bool find_route(std::string_view raw_path);
  bool plan_body();
  void take_sized_body();
  void take_chunked_body();
  void run_handler();
  void run_aside(std::shared_ptr<HttpReply> reply);
  void run_on_pool(WorkerPool& pool, std::shared_ptr<HttpReply> reply);
  void want_read();
  void on_read(ErrorCodeIo ec, std::size_t size);
  void on_eof();
  void refuse(int status, std::string body);
  void refuse(HttpResponse response);

  void queue_out(std::string bytes, bool counts);
  void write_next();
  void on_written(ErrorCodeIo ec, std::size_t size);
  std::string head_text(int status, const HttpHeaders& headers, std::optional<std::uint64_t> length, bool chunked);
  void exchange_finished();
  void next_or_close();
  void linger();
  void close();
  void report();

  void set_deadline(Duration after);
  void arm_timer();
  void on_deadline();

  std::shared_ptr<ServerShared> server_;
  Stream stream_;
  asio::any_io_executor executor_;
  asio::steady_timer timer_;
  Clock::time_point deadline_ = Clock::time_point::max();
  bool timer_armed_ = false;
  State state_ = State::kHandshake;

  boost::beast::flat_buffer in_;
  std::optional<Parser> parser_;
  std::uint64_t body_left_ = 0;          // of a body with Content-Length
  bool chunked_body_ = false;
  bool reading_ = false;
  bool reading_body_ = false;            // the pending read goes straight into request_.body at body_tail_
  std::size_t body_tail_ = 0;
  bool peer_closed_ = false;

  HttpRequest request_;
  HttpHandler handler_;
  std::string pool_;
  std::uint64_t body_max_ = 0;
  bool keep_alive_ = true;
  bool is_head_ = false;
  bool http10_ = false;
  bool is_upgrade_ = false;
  std::shared_ptr<ExchangeState> exchange_;   // null between requests
  bool answer_complete_ = false;              // nothing more will be queued for this exchange
  bool chunked_answer_ = false;
  bool answer_begun_ = false;

  struct Outgoing {
    std::string bytes;
    bool counts = false;                 // towards ExchangeState::queued_bytes
  };
  std::deque<Outgoing> out_;
  std::size_t out_offset_ = 0;
  bool writing_ = false;

  // For on_exchange.
  Clock::time_point began_{};
  int status_ = 0;
  std::uint64_t request_bytes_ = 0;
  std::uint64_t response_bytes_ = 0;
  std::string method_, target_, route_, peer_, tls_subject_;
};

/// The answer side that a handler holds.
std::shared_ptr<HttpReply> make_reply(std::shared_ptr<Session> session, std::shared_ptr<ExchangeState> exchange,
                                      bool is_upgrade);
/// Turns the connection into a WebSocket; see websocket_session.cpp.
std::shared_ptr<WebSocketSession> start_websocket(const std::shared_ptr<Session>& session,
                                                  const std::shared_ptr<ExchangeState>& exchange,
                                                  WebSocketOptions options);

}  // namespace kvasir::net
