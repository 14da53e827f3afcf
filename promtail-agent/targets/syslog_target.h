// syslog_target.h -- listens for syslog over TCP, TLS or UDP.
//
// Labels:   __syslog_connection_*, __syslog_message_*, the configured ones over them, then relabelling per message.
// Counting: promtail_syslog_target_entries_total, _parsing_errors_total, promtail_syslog_empty_messages_total.
// Threads:  one own thread for the listener and all connections.
// Limits:   kConnectionsMax connections; max_message_length per message.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <thread>
#include <vector>

#include "promtail-agent/services.h"
#include "promtail-agent/targets/socket.h"
#include "promtail-agent/targets/syslog_parser.h"
#include "promtail-agent/targets/target.h"

namespace kvasir::agent {

inline constexpr std::size_t kSyslogConnectionsMax = 4096;

class SyslogTarget final : public Target {
 public:
  static Result<std::unique_ptr<SyslogTarget>> create(JobParts parts);
  /// What create() would refuse without looking at files. Errors: invalid_argument.
  static std::vector<std::string> find_problems(const SyslogConfig& config);
  ~SyslogTarget() override;

  Result<void> start() override;
  void request_stop() override { stopping_ = true; }
  void stop() override;
  bool ready() const override { return listening_; }
  std::vector<TargetStatus> status() const override;

 private:
  struct Connection;
  struct TlsContext;

  explicit SyslogTarget(JobParts parts);
  void run();
  void accept_connections();
  bool read_connection(Connection& connection);
  void read_datagrams();
  void look_after_idle(Connection& connection);
  void handle(const std::string& text, const Labels& connection_labels);
  Labels labels_of(const SyslogMessage& message, const Labels& connection_labels) const;
  Labels connection_labels(const std::string& peer);

  JobParts parts_;
  const SyslogConfig config_;
  TimeZone zone_ = TimeZone::utc();  // of times that say none
  SeriesPtr entries_, parsing_errors_, empty_messages_;
  std::unique_ptr<TlsContext> tls_;
  Fd listener_;
  std::list<std::unique_ptr<Connection>> connections_;
  std::map<std::string, Labels> known_peers_;  // bounded; looked up once
  LabelSetTable label_sets_;
  std::atomic<bool> listening_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace kvasir::agent
