#include "promtail-agent/targets/syslog_target.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "common/log.h"
#include "promtail-agent/client/pem_file.h"
#include "promtail-agent/discovery/target_groups.h"
#include "promtail-agent/targets/target_list.h"

namespace kvasir::agent {

namespace {

inline constexpr std::int64_t kMessageLengthDefault = 8192;

std::size_t message_bytes_max(const SyslogConfig& config) {
  return static_cast<std::size_t>(config.max_message_length > 0 ? config.max_message_length : kMessageLengthDefault);
}
inline constexpr int kPollMilliseconds = 100;
inline constexpr std::size_t kPeersKnownMax = 10'000;
inline constexpr std::size_t kReadBytes = 64 << 10;

std::string tls_error() {
  char text[256] = {};
  ::ERR_error_string_n(::ERR_get_error(), text, sizeof text);
  return text;
}
}  // namespace

struct SyslogTarget::TlsContext {
  explicit TlsContext(SSL_CTX* made) : context(made) {}
  ~TlsContext() { ::SSL_CTX_free(context); }
  SSL_CTX* context;
};

struct SyslogTarget::Connection {
  Connection(Fd socket, Labels peer_labels, std::size_t message_bytes_max)
      : fd(std::move(socket)), labels(std::move(peer_labels)), framer(message_bytes_max) {}
  ~Connection() {
    if (ssl != nullptr) ::SSL_free(ssl);
  }
  Fd fd;
  Labels labels;
  SyslogFramer framer;
  SSL* ssl = nullptr;
  Duration last_read{0};

  /// Bytes read; 0 at the end; -1 nothing now; -2 broken.
  ssize_t read(char* out, std::size_t size) {
    if (ssl == nullptr) {
      const ssize_t got = ::recv(fd.get(), out, size, 0);
      if (got >= 0) return got;
      return errno == EAGAIN || errno == EINTR ? -1 : -2;
    }
    const int got = ::SSL_read(ssl, out, static_cast<int>(size));
    if (got > 0) return got;
    const int error = ::SSL_get_error(ssl, got);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return -1;
    return error == SSL_ERROR_ZERO_RETURN ? 0 : -2;
  }
};

SyslogTarget::SyslogTarget(JobParts parts) : parts_(std::move(parts)), config_(parts_.config.syslog) {
  MetricRegistry& metrics = *parts_.services.metrics;
  entries_ = metrics.counter("promtail_syslog_target_entries_total",
                             "Total number of successful entries sent to the syslog target");
  parsing_errors_ = metrics.counter("promtail_syslog_target_parsing_errors_total",
                                    "Total number of parsing errors while receiving syslog messages");
  empty_messages_ =
      metrics.counter("promtail_syslog_empty_messages_total", "Total number of empty messages receiving from syslog");
}

std::vector<std::string> SyslogTarget::find_problems(const SyslogConfig& config) {
  std::vector<std::string> problems;
  if (config.listen_address.empty()) problems.emplace_back("syslog needs a listen_address, host:port");
  if (config.listen_protocol != "tcp" && config.listen_protocol != "udp") {
    problems.push_back(
        fmt::format("invalid transport protocol. expected 'tcp' or 'udp', got '{}'", config.listen_protocol));
  }
  if (config.format != "rfc5424" && config.format != "rfc3164") {
    problems.push_back(fmt::format("unsupported syslog format \"{}\"", config.format));
  }
  if (!TimeZone::find(config.location)) {
    problems.push_back(fmt::format("invalid location specified: unknown time zone {}", config.location));
  }
  const TlsConfig& tls = config.tls;
  const bool cert = !tls.cert.empty() || !tls.cert_file.empty();
  const bool key = !tls.key.empty() || !tls.key_file.empty();
  const bool asked = cert || key || !tls.ca.empty() || !tls.ca_file.empty();
  if (asked && !(cert && key)) {
    problems.emplace_back("error setting up syslog target: certificate and key files are required");
  }
  return problems;
}

Result<std::unique_ptr<SyslogTarget>> SyslogTarget::create(JobParts parts) {
  const auto problems = find_problems(parts.config.syslog);
  if (!problems.empty()) return fail(ErrorCode::kInvalidArgument, problems.front());
  std::unique_ptr<SyslogTarget> target(new SyslogTarget(std::move(parts)));
  target->zone_ = *TimeZone::find(target->config_.location);
  const TlsConfig& tls = target->config_.tls;
  const std::string cert = pem_path(tls.cert, tls.cert_file);
  if (cert.empty()) return target;
  const std::string key = pem_path(tls.key, tls.key_file);
  const std::string authority = pem_path(tls.ca, tls.ca_file);
  target->tls_ = std::make_unique<TlsContext>(::SSL_CTX_new(::TLS_server_method()));
  SSL_CTX* context = target->tls_->context;
  if (::SSL_CTX_use_certificate_chain_file(context, cert.c_str()) != 1 ||
      ::SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("unable to load server certificate or key: {}", tls_error()));
  }
  if (!authority.empty()) {
    if (::SSL_CTX_load_verify_locations(context, authority.c_str(), nullptr) != 1) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("unable to load client CA certificate: {}", tls_error()));
    }
    ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return target;
}

SyslogTarget::~SyslogTarget() { stop(); }

Result<void> SyslogTarget::start() {
  KVASIR_TRY(listener_,
             listen_on(config_.listen_address, config_.listen_protocol == "udp" ? SocketKind::kUdp : SocketKind::kTcp));
  listening_ = true;
  thread_ = std::thread([this] { run(); });
  return {};
}

void SyslogTarget::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  listening_ = false;
  listener_ = Fd();
}

std::vector<TargetStatus> SyslogTarget::status() const {
  TargetStatus status;
  status.type = "Syslog";
  status.ready = ready();
  for (const auto& [name, value] : config_.labels) status.labels.set(name, value);
  status.details = {{"address", config_.listen_address}, {"protocol", config_.listen_protocol}};
  return {status};
}

void SyslogTarget::run() {
  const bool udp = config_.listen_protocol == "udp";
  while (!stopping_) {
    std::vector<pollfd> fds = {{listener_.get(), POLLIN, 0}};
    for (const auto& connection : connections_) fds.push_back({connection->fd.get(), POLLIN, 0});
    (void)::poll(fds.data(), fds.size(), kPollMilliseconds);
    std::size_t i = 1;
    for (auto it = connections_.begin(); it != connections_.end(); ++i) {
      const bool alive = fds[i].revents == 0 || read_connection(**it);
      if (alive) look_after_idle(**it);
      const bool idle = parts_.services.clock->steady() - (*it)->last_read > config_.idle_timeout;
      it = alive && !idle ? std::next(it) : connections_.erase(it);
    }
    if ((fds[0].revents & POLLIN) != 0) udp ? read_datagrams() : accept_connections();
    parts_.feeder->tick();
  }
  for (const auto& connection : connections_) {
    if (const auto last = connection->framer.flush()) handle(*last, connection->labels);
  }
  connections_.clear();
  parts_.feeder->close();
}

Labels SyslogTarget::connection_labels(const std::string& peer) {
  const auto known = known_peers_.find(peer);
  if (known != known_peers_.end()) return known->second;
  if (known_peers_.size() >= kPeersKnownMax) known_peers_.clear();
  Labels labels{{"__syslog_connection_ip_address", peer}};
  if (const std::string name = reverse_lookup(peer); !name.empty()) labels.set("__syslog_connection_hostname", name);
  return known_peers_.emplace(peer, std::move(labels)).first->second;
}

void SyslogTarget::accept_connections() {
  for (;;) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    Fd fd(::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.valid()) return;
    if (connections_.size() >= kSyslogConnectionsMax) {
      log::warn("syslog", "too many connections, closing the new one", {{"address", config_.listen_address}});
      continue;
    }
    const int socket = fd.get();
    auto connection = std::make_unique<Connection>(std::move(fd), connection_labels(peer_address(&address, size)),
                                                   message_bytes_max(config_));
    connection->last_read = parts_.services.clock->steady();
    if (tls_ != nullptr) {
      connection->ssl = ::SSL_new(tls_->context);
      ::SSL_set_fd(connection->ssl, socket);
      ::SSL_set_accept_state(connection->ssl);
    }
    connections_.push_back(std::move(connection));
  }
}

/// False: the connection has ended.
bool SyslogTarget::read_connection(Connection& connection) {
  char buffer[kReadBytes];
  for (;;) {
    const ssize_t got = connection.read(buffer, sizeof buffer);
    if (got == -1) return true;
    std::vector<std::string> messages;
    Result<void> framed;
    if (got > 0) {
      connection.last_read = parts_.services.clock->steady();
      framed = connection.framer.feed({buffer, static_cast<std::size_t>(got)}, messages);
    }
    for (const std::string& message : messages) handle(message, connection.labels);
    if (!framed) {
      parsing_errors_->add(1);
      log::warn("syslog", "error initializing syslog stream", {{"error", framed.error().message()}});
      return false;
    }
    if (got <= 0) {
      if (const auto last = connection.framer.flush()) handle(*last, connection.labels);
      return false;
    }
  }
}

/// A message in newline framing ends with the next one; after some silence it is taken for whole.
void SyslogTarget::look_after_idle(Connection& connection) {
  if (!connection.framer.holds_message() || config_.flush_timeout <= Duration(0)) return;
  if (parts_.services.clock->steady() - connection.last_read < config_.flush_timeout) return;
  if (const auto message = connection.framer.flush()) handle(*message, connection.labels);
}

void SyslogTarget::read_datagrams() {
  std::string buffer(message_bytes_max(config_), '\0');
  for (;;) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    const ssize_t got =
        ::recvfrom(listener_.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&address), &size);
    if (got < 0) return;
    std::string_view text(buffer.data(), static_cast<std::size_t>(got));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
    if (!text.empty()) handle(std::string(text), connection_labels(peer_address(&address, size)));
  }
}

Labels SyslogTarget::labels_of(const SyslogMessage& message, const Labels& connection_labels) const {
  Labels labels = connection_labels;
  labels.set("__syslog_message_severity", severity_word(message.severity()));
  labels.set("__syslog_message_facility", facility_word(message.facility()));
  const auto set = [&](const char* name, const std::optional<std::string>& value) {
    if (value) labels.set(name, *value);
  };
  set("__syslog_message_hostname", message.hostname);
  set("__syslog_message_app_name", message.app_name);
  set("__syslog_message_proc_id", message.proc_id);
  set("__syslog_message_msg_id", message.msg_id);
  if (config_.label_structured_data) {
    for (const auto& [id, params] : message.structured) {
      for (const auto& [name, value] : params) {
        labels.set(sanitised_label_name("__syslog_message_sd_" + id + "_" + name), value);
      }
    }
  }
  for (const auto& [name, value] : config_.labels) labels.set(name, value);
  return labels;
}

void SyslogTarget::handle(const std::string& text, const Labels& connection_labels) {
  const TimestampNs now = parts_.services.clock->now();
  const auto message = config_.format == "rfc3164" ? parse_rfc3164(text, zone_, now) : parse_rfc5424(text);
  if (!message) {
    parsing_errors_->add(1);
    log::debug("syslog", "error parsing syslog stream", {{"error", message.error().message()}});
    return;
  }
  if (!message->message || message->message->empty()) {
    empty_messages_->add(1);
    return;
  }
  const auto labels = parts_.relabeler.apply(labels_of(*message, connection_labels));
  if (!labels) return;
  const LabelSetPtr set = label_sets_.intern(without_internal(*labels));
  const TimestampNs stamp = config_.use_incoming_timestamp ? message->timestamp.value_or(now) : now;
  const std::string line = config_.use_rfc5424_message ? print_rfc5424(*message) : *message->message;
  entries_->add(1);
  if (!parts_.feeder->feed(set, stamp, line)) stopping_ = true;
}

}  // namespace kvasir::agent
