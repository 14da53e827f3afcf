#include "promtail-agent/targets/gelf_target.h"

#include <poll.h>
#include <sys/socket.h>

#include <cmath>

#include "common/log.h"
#include "promtail-agent/targets/syslog_parser.h"
#include "promtail-agent/targets/target_list.h"

namespace kvasir::agent {

namespace {
inline constexpr int kPollMilliseconds = 100;
inline constexpr std::size_t kDatagramBytesMax = 64 << 10;
}  // namespace

GelfTarget::GelfTarget(JobParts parts) : parts_(std::move(parts)), config_(parts_.config.gelf) {
  MetricRegistry& metrics = *parts_.services.metrics;
  entries_ = metrics.counter("promtail_gelf_target_entries_total",
                             "Total number of successful entries sent to the gelf target");
  parsing_errors_ = metrics.counter("promtail_gelf_target_parsing_errors_total",
                                    "Total number of parsing errors while receiving gelf messages");
}

GelfTarget::~GelfTarget() { stop(); }

Result<void> GelfTarget::start() {
  KVASIR_TRY(listener_, listen_on(config_.listen_address, SocketKind::kUdp));
  thread_ = std::thread([this] { run(); });
  return {};
}

void GelfTarget::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  listener_ = Fd();
}

std::vector<TargetStatus> GelfTarget::status() const {
  TargetStatus status;
  status.type = "gelf";
  status.ready = true;
  for (const auto& [name, value] : config_.labels) status.labels.set(name, value);
  status.details = {{"address", config_.listen_address}};
  return {status};
}

void GelfTarget::run() {
  std::string buffer(kDatagramBytesMax, '\0');
  while (!stopping_) {
    pollfd waiting{listener_.get(), POLLIN, 0};
    (void)::poll(&waiting, 1, kPollMilliseconds);
    for (;;) {
      const ssize_t got = ::recv(listener_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got < 0) break;
      handle({buffer.data(), static_cast<std::size_t>(got)});
    }
    parts_.feeder->tick();
  }
  parts_.feeder->close();
}

void GelfTarget::handle(std::string_view datagram) {
  auto payload = assembler_.add(datagram, parts_.services.clock->steady());
  if (payload && !*payload) return;
  auto message = payload ? parse_gelf(**payload) : Result<GelfMessage>(fail(payload.error()));
  if (!message) {
    parsing_errors_->add(1);
    log::debug("gelf", "error parsing gelf message", {{"error", message.error().message()}});
    return;
  }
  Labels labels;
  if (message->level && *message->level >= 0 && *message->level <= 7)
    labels.set("__gelf_message_level", severity_word(*message->level));
  if (!message->host.empty()) labels.set("__gelf_message_host", message->host);
  if (!message->version.empty()) labels.set("__gelf_message_version", message->version);
  if (!message->facility.empty()) labels.set("__gelf_message_facility", message->facility);
  for (const auto& [name, value] : config_.labels) labels.set(name, value);
  const auto relabelled = parts_.relabeler.apply(labels);
  if (!relabelled) return;
  TimestampNs stamp = parts_.services.clock->now();
  const double seconds = message->timestamp_seconds.value_or(0);
  if (config_.use_incoming_timestamp && seconds > 0 && seconds < 9e9) {
    stamp = TimestampNs{static_cast<std::int64_t>(std::floor(seconds)) * 1'000'000'000LL +
                        static_cast<std::int64_t>((seconds - std::floor(seconds)) * 1e9)};
  }
  entries_->add(1);
  if (!parts_.feeder->feed(label_sets_.intern(without_internal(*relabelled)), stamp, message->json)) stopping_ = true;
}

}  // namespace kvasir::agent
