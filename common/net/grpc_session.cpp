#include "common/net/grpc_session.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/write.hpp>

#include "common/log.h"
#include "common/net/tls_context.h"

namespace kvasir::net {
namespace {

constexpr std::size_t kWriteBytes = 256 * 1024;
constexpr std::int32_t kWindowBytes = 1 << 20;

std::string_view view(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

nghttp2_nv field(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

/// Answers of handlers as gRPC has them.
class GrpcReply final : public HttpReply {
 public:
  GrpcReply(std::shared_ptr<GrpcSession> session, std::int32_t call, std::stop_token stop)
      : session_(std::move(session)), call_(call), stop_(std::move(stop)) {}
  ~GrpcReply() override {
    if (!sent_) answer(GrpcStatus::kInternal, "the call was not answered", {});
  }

  void send(HttpResponse response) override {
    const GrpcStatus status = grpc_status_of_http(response.status);
    if (status == GrpcStatus::kOk) return answer(status, {}, std::move(response.body));
    answer(status, response.body.substr(0, response.body.find('\n')), {});
  }
  void begin(int, HttpHeaders) override { answer(GrpcStatus::kInternal, "calls are answered whole", {}); }
  bool write(std::string) override { return false; }
  void end() override {}
  std::shared_ptr<WebSocketSession> upgrade(WebSocketOptions) override { return nullptr; }
  std::stop_token stop_token() const override { return stop_; }

 private:
  void answer(GrpcStatus status, std::string text, std::string message) {
    if (sent_) return;
    sent_ = true;
    if (session_->server()->stopped) return;
    asio::dispatch(session_->executor(), [session = session_, call = call_, status, text = std::move(text),
                                          message = std::move(message)]() mutable {
      session->respond(call, status, std::move(text), std::move(message));
    });
  }

  std::shared_ptr<GrpcSession> session_;
  std::int32_t call_;
  std::stop_token stop_;
  bool sent_ = false;
};

void send_busy(HttpReply& reply) { reply.send(HttpResponse::text(503, "too many calls in flight, try again")); }

}  // namespace

GrpcSession::GrpcSession(std::shared_ptr<GrpcShared> server, Stream stream)
    : server_(std::move(server)), stream_(std::move(stream)), executor_(stream_.get_executor()), timer_(executor_),
      last_active_(Clock::now()) {}

GrpcSession::~GrpcSession() {
  for (auto& [id, call] : calls_) drop_body(call);
  nghttp2_session_del(http2_);
  MutexLock lock(server_->mutex);
  server_->sessions.erase(this);
  server_->changed.notify_all();
}

void GrpcSession::start() {
  ErrorCodeIo ec;
  const auto remote = stream_.socket().remote_endpoint(ec);
  if (ec) return close();
  peer_ = remote.address().to_string() + ":" + std::to_string(remote.port());
  stream_.socket().set_option(Tcp::no_delay(true), ec);
  tick();
  if (stream_.tls() == nullptr) return start_http2() ? read() : close();
  stream_.tls()->async_handshake(Stream::Tls::server, [self = shared_from_this()](ErrorCodeIo failed) {
    if (failed || self->closed_) return self->close();
    const auto ssl = self->stream_.tls()->native_handle();
    if (SSL_get_verify_result(ssl) == X509_V_OK) self->tls_subject_ = peer_common_name(ssl);
    self->start_http2() ? self->read() : self->close();
  });
}

bool GrpcSession::start_http2() {
  nghttp2_session_callbacks* callbacks = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) return false;
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
  const int made = nghttp2_session_server_new(&http2_, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
  if (made != 0) return false;
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, server_->options.calls_per_connection_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindowBytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, server_->options.header_bytes_max}};
  nghttp2_submit_settings(http2_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(http2_, NGHTTP2_FLAG_NONE, 0, 4 * kWindowBytes);
  write();
  return true;
}

void GrpcSession::read() {
  if (closed_) return;
  stream_.async_read_some(asio::buffer(in_),
                          [self = shared_from_this()](ErrorCodeIo ec, std::size_t size) { self->on_read(ec, size); });
}

void GrpcSession::on_read(ErrorCodeIo ec, std::size_t size) {
  if (ec || closed_) return close();
  last_active_ = Clock::now();
  const auto taken = nghttp2_session_mem_recv(http2_, reinterpret_cast<const std::uint8_t*>(in_.data()), size);
  if (taken < 0) {
    log::debug("grpc", "a connection broke the protocol",
               {{"peer", peer_}, {"error", nghttp2_strerror(static_cast<int>(taken))}});
    return close();
  }
  write();
  read();
}

void GrpcSession::write() {
  if (writing_ || closed_) return;
  out_.clear();
  while (out_.size() < kWriteBytes) {
    const std::uint8_t* data = nullptr;
    const auto size = nghttp2_session_mem_send(http2_, &data);
    if (size < 0) return close();
    if (size == 0) break;
    out_.append(view(data, static_cast<std::size_t>(size)));
  }
  if (out_.empty()) {
    const bool over = nghttp2_session_want_read(http2_) == 0 && nghttp2_session_want_write(http2_) == 0;
    if (over || (draining_ && calls_.empty())) close();
    return;
  }
  writing_ = true;
  asio::async_write(stream_, asio::buffer(out_), [self = shared_from_this()](ErrorCodeIo ec, std::size_t) {
    self->writing_ = false;
    if (ec) return self->close();
    self->last_active_ = Clock::now();
    self->write();
  });
}

/// Once a second: calls that take too long to arrive, and connections on which nothing happens.
void GrpcSession::tick() {
  timer_.expires_after(std::chrono::seconds(1));
  timer_.async_wait([self = shared_from_this()](ErrorCodeIo ec) {
    if (ec || self->closed_) return;
    const auto now = Clock::now();
    const auto& options = self->server_->options;
    bool waiting = false;   // for a handler
    for (auto& [id, call] : self->calls_) {
      waiting = waiting || (call.complete && !call.answered);
      const bool late = !call.complete && !call.answered && now - call.began > options.call_timeout;
      if (late) self->refuse(id, call, GrpcStatus::kDeadlineExceeded, "the message took too long to arrive");
    }
    const Duration patience =
        self->calls_.empty() && self->http2_ != nullptr ? options.idle_timeout : options.call_timeout;
    if (!waiting && now - self->last_active_ > patience) return self->close();
    if (self->http2_ != nullptr) self->write();
    if (!self->closed_) self->tick();
  });
}

GrpcSession::Call* GrpcSession::find(std::int32_t id) {
  const auto found = calls_.find(id);
  return found == calls_.end() ? nullptr : &found->second;
}

int GrpcSession::on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  auto& session = *static_cast<GrpcSession*>(self);
  Call& call = session.calls_[frame->hd.stream_id];
  call.began = Clock::now();
  call.request.peer = session.peer_;
  call.request.tls_subject = session.tls_subject_;
  return 0;
}

int GrpcSession::on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                           std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t,
                           void* self) {
  auto& session = *static_cast<GrpcSession*>(self);
  Call* call = session.find(frame->hd.stream_id);
  if (call == nullptr) return 0;
  call->header_bytes += name_size + value_size + 32;
  if (call->header_bytes > session.server_->options.header_bytes_max) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  session.take_header(*call, view(name, name_size), view(value, value_size));
  return 0;
}

void GrpcSession::take_header(Call& call, std::string_view name, std::string_view value) {
  if (name == ":method") call.request.method = value;
  else if (name == ":path") call.request.path = call.request.target = value;
  else if (name == "content-type") call.content_type = value;
  else if (name == "grpc-encoding") call.encoding = value;
  else if (!name.starts_with(':')) call.request.headers.add(std::string(name), std::string(value));
}

int GrpcSession::on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
  auto& session = *static_cast<GrpcSession*>(self);
  Call* call = carries ? session.find(frame->hd.stream_id) : nullptr;
  if (call == nullptr || call->answered) return 0;
  const std::int32_t id = frame->hd.stream_id;
  if (frame->hd.type == NGHTTP2_HEADERS) {
    const bool grpc = call->request.method == "POST" && call->content_type.starts_with("application/grpc");
    if (!grpc) session.refuse(id, *call, GrpcStatus::kInvalidArgument, "this port takes gRPC calls only");
    else if (!session.server_->handlers.contains(call->request.path))
      session.refuse(id, *call, GrpcStatus::kUnimplemented, "unknown method");
    else if (session.draining_) session.refuse(id, *call, GrpcStatus::kUnavailable, "the server is stopping");
  }
  const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (ends && !call->answered) session.message_complete(id, *call);
  return 0;
}

int GrpcSession::on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                         void* self) {
  auto& session = *static_cast<GrpcSession*>(self);
  Call* call = session.find(id);
  if (call != nullptr && !call->answered) session.take_data(id, *call, view(data, size));
  return 0;
}

void GrpcSession::take_data(std::int32_t id, Call& call, std::string_view data) {
  const auto& options = server_->options;
  if (server_->buffered_bytes.fetch_add(data.size()) + data.size() > options.buffered_bytes_max) {
    server_->buffered_bytes -= data.size();
    return refuse(id, call, GrpcStatus::kUnavailable, "too many messages are being received, try again");
  }
  call.request.body += data;
  if (call.request.body.size() < kGrpcPrefixBytes) return;
  const std::uint64_t declared = declared_grpc_bytes(call.request.body);
  if (declared > options.message_bytes_max) {
    return refuse(id, call, GrpcStatus::kInvalidArgument,
                  "request body too large: message size too large than max (" + std::to_string(declared) + " vs " +
                      std::to_string(options.message_bytes_max) + ")");
  }
  if (call.request.body.size() > kGrpcPrefixBytes + declared) {
    refuse(id, call, GrpcStatus::kInvalidArgument, "a unary call has one message");
  }
}

void GrpcSession::message_complete(std::int32_t id, Call& call) {
  call.complete = true;
  const auto message = read_grpc_message(call.request.body, server_->options.message_bytes_max);
  if (!message) return refuse(id, call, GrpcStatus::kInvalidArgument, message.error().message());
  if (message->compressed && call.encoding.empty()) {
    return refuse(id, call, GrpcStatus::kInvalidArgument, "a compressed message without grpc-encoding");
  }
  if (message->compressed) call.request.headers.set("Content-Encoding", call.encoding);
  else call.request.headers.erase("Content-Encoding");
  dispatch(id, call);
}

void GrpcSession::dispatch(std::int32_t id, Call& call) {
  auto request = std::make_shared<HttpRequest>(std::move(call.request));
  server_->buffered_bytes -= request->body.size();
  request->body.erase(0, kGrpcPrefixBytes);
  request->route = request->path;
  auto reply = std::make_shared<GrpcReply>(shared_from_this(), id, call.stop.get_token());
  const auto& handler = server_->handlers.find(request->path)->second;
  const bool aside = server_->aside && server_->options.set_aside(*request);
  const auto& pool = aside ? server_->aside : server_->pool;
  const bool taken = pool->post([&shared = *server_, &handler, request, reply, aside] {
    if (aside && (shared.draining || reply->client_gone())) return send_busy(*reply);  // waited in vain
    try {
      handler(std::move(*request), reply);
    } catch (const std::exception& error) {
      log::error("grpc", "handler threw", {{"error", error.what()}});
    }
  });
  if (!taken) send_busy(*reply);
}

void GrpcSession::drop_body(Call& call) {
  if (!call.complete) server_->buffered_bytes -= call.request.body.size();
  call.request.body = {};
}

void GrpcSession::refuse(std::int32_t id, Call& call, GrpcStatus status, std::string text) {
  if (call.complete) server_->buffered_bytes -= call.request.body.size();
  drop_body(call);
  call.status = status;
  call.text = encode_grpc_text(text);
  submit_answer(id, call);
}

void GrpcSession::respond(std::int32_t id, GrpcStatus status, std::string text, std::string message) {
  Call* call = closed_ ? nullptr : find(id);
  if (call == nullptr || call->answered) return;
  call->status = status;
  call->text = encode_grpc_text(text);
  if (status == GrpcStatus::kOk) call->out = frame_grpc_message(message);
  submit_answer(id, *call);
  write();
}

/// With a message: headers, data, trailers. Without: the status stands in the headers, which end the stream.
void GrpcSession::submit_answer(std::int32_t id, Call& call) {
  call.answered = true;
  const std::string status = std::to_string(static_cast<int>(call.status));
  std::vector<nghttp2_nv> head = {field(":status", "200"), field("content-type", "application/grpc")};
  if (call.status != GrpcStatus::kOk) {
    head.push_back(field("grpc-status", status));
    head.push_back(field("grpc-message", call.text));
    nghttp2_submit_response(http2_, id, head.data(), head.size(), nullptr);
    return;
  }
  nghttp2_data_provider provider{};
  provider.read_callback = read_answer;
  nghttp2_submit_response(http2_, id, head.data(), head.size(), &provider);
}

ssize_t GrpcSession::read_answer(nghttp2_session* http2, std::int32_t id, std::uint8_t* buffer, std::size_t size,
                                 std::uint32_t* flags, nghttp2_data_source*, void* self) {
  Call* call = static_cast<GrpcSession*>(self)->find(id);
  if (call == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  const std::size_t count = std::min(size, call->out.size() - call->out_offset);
  std::copy_n(call->out.data() + call->out_offset, count, reinterpret_cast<char*>(buffer));
  call->out_offset += count;
  if (call->out_offset < call->out.size()) return static_cast<ssize_t>(count);
  *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
  const nghttp2_nv trailer = field("grpc-status", "0");
  nghttp2_submit_trailer(http2, id, &trailer, 1);
  return static_cast<ssize_t>(count);
}

/// Who was refused before all was sent need not send the rest.
int GrpcSession::on_sent(nghttp2_session* http2, const nghttp2_frame* frame, void* self) {
  const bool ends = frame->hd.type == NGHTTP2_HEADERS && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  const Call* call = ends ? static_cast<GrpcSession*>(self)->find(frame->hd.stream_id) : nullptr;
  if (call != nullptr && !call->complete)
    nghttp2_submit_rst_stream(http2, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
  return 0;
}

int GrpcSession::on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* self) {
  auto& session = *static_cast<GrpcSession*>(self);
  Call* call = session.find(id);
  if (call == nullptr) return 0;
  call->stop.request_stop();
  session.drop_body(*call);
  session.calls_.erase(id);
  return 0;
}

void GrpcSession::begin_drain() {
  if (closed_ || draining_) return;
  draining_ = true;
  if (http2_ == nullptr || calls_.empty()) return close();
  nghttp2_submit_shutdown_notice(http2_);
  write();
}

void GrpcSession::close() {
  if (closed_) return;
  closed_ = true;
  timer_.cancel();
  ErrorCodeIo ec;
  stream_.socket().close(ec);
  for (auto& [id, call] : calls_) call.stop.request_stop();
}

}  // namespace kvasir::net
