// grpc_session.h -- one HTTP/2 connection of the gRPC server. Internal to net.
//
// Shape:    nghttp2 reads and makes the frames; this moves bytes between it and the socket, and keeps the calls.
// Lifetime: kept alive by pending operations and by replies in handlers' hands.
// Threads:  everything on the connection's strand, but GrpcReply.
// Errors:   a broken connection is closed; its running calls are told to stop.
#pragma once

#include <nghttp2/nghttp2.h>

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <map>

#include "common/mutex.h"
#include "common/net/grpc_message.h"
#include "common/net/grpc_server.h"
#include "common/net/stream.h"
#include "common/net/worker_pool.h"

namespace kvasir::net {

class GrpcSession;

/// What sessions share; kept alive by each of them.
struct GrpcShared {
  explicit GrpcShared(GrpcServerOptions given) : options(std::move(given)) {}
  GrpcServerOptions options;
  std::map<std::string, HttpHandler, std::less<>> handlers;
  std::unique_ptr<WorkerPool> pool;
  std::unique_ptr<WorkerPool> aside;              // there if options.set_aside is
  asio::io_context io;
  std::atomic<bool> draining{false};
  std::atomic<bool> stopped{false};               // the io thread has ended
  std::atomic<std::uint64_t> buffered_bytes{0};
  Mutex mutex;
  Condition changed;
  std::map<GrpcSession*, std::weak_ptr<GrpcSession>> sessions KVASIR_GUARDED_BY(mutex);
};

class GrpcSession : public std::enable_shared_from_this<GrpcSession> {
 public:
  GrpcSession(std::shared_ptr<GrpcShared> server, Stream stream);
  ~GrpcSession();

  void start();
  /// Takes no new calls; closes when the last one is answered.
  void begin_drain();
  void close();
  asio::any_io_executor executor() { return executor_; }
  const std::shared_ptr<GrpcShared>& server() const { return server_; }

  /// Posted to the strand by replies.
  void respond(std::int32_t call, GrpcStatus status, std::string text, std::string message);

 private:
  using Clock = asio::steady_timer::clock_type;

  struct Call {
    HttpRequest request;
    std::string content_type;
    std::string encoding;
    std::size_t header_bytes = 0;
    bool complete = false;          // the whole message is here
    bool answered = false;
    Clock::time_point began;
    std::stop_source stop;
    std::string out;                // framed answer
    std::size_t out_offset = 0;
    GrpcStatus status = GrpcStatus::kOk;
    std::string text;
  };

  bool start_http2();
  void read();
  void on_read(ErrorCodeIo ec, std::size_t size);
  void write();
  void tick();
  void dispatch(std::int32_t id, Call& call);
  void refuse(std::int32_t id, Call& call, GrpcStatus status, std::string text);
  void submit_answer(std::int32_t id, Call& call);
  void drop_body(Call& call);
  Call* find(std::int32_t id);

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame*, void* self);
  static int on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* self);
  static int on_frame(nghttp2_session*, const nghttp2_frame*, void* self);
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                     void* self);
  static int on_sent(nghttp2_session*, const nghttp2_frame*, void* self);
  static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* self);
  static ssize_t read_answer(nghttp2_session*, std::int32_t id, std::uint8_t* buffer, std::size_t size,
                             std::uint32_t* flags, nghttp2_data_source*, void* self);

  void take_header(Call& call, std::string_view name, std::string_view value);
  void take_data(std::int32_t id, Call& call, std::string_view data);
  void message_complete(std::int32_t id, Call& call);

  std::shared_ptr<GrpcShared> server_;
  Stream stream_;
  asio::any_io_executor executor_;
  asio::steady_timer timer_;
  nghttp2_session* http2_ = nullptr;
  std::map<std::int32_t, Call> calls_;
  std::string peer_;
  std::string tls_subject_;
  std::array<char, 16 * 1024> in_;
  std::string out_;                 // being written
  bool writing_ = false;
  bool draining_ = false;
  bool closed_ = false;
  Clock::time_point last_active_;
};

}  // namespace kvasir::net
