// notifier.h -- sends alerts to Alertmanagers (API v2), away from the evaluation.
//
// Shape:    send() queues; each Alertmanager has a queue and a thread of its own, which posts batches of
//           kAlertsPerRequest, so that one that hangs never delays another.
// Errors:   a batch that an Alertmanager did not take after the tries allowed is dropped and counted; the next resend
//           repairs it.
// Limits:   queue_capacity alerts an Alertmanager; past it the oldest are dropped and counted. One call lasts at most
//           options.timeout.
// Threads:  send() from any thread; never blocks on the network.
// Source:   docs/alerts.md, "Notifications"; Alertmanager's OpenAPI description of /api/v2/alerts.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "alerts/rule.h"
#include "common/labels.h"
#include "common/net/http_client.h"

namespace kvasir::alerts {

inline constexpr std::size_t kAlertsPerRequest = 256;

struct NotifierOptions {
  std::vector<std::string> urls;              // without /api/v2/alerts; user:password@ becomes basic auth
  net::HttpHeaders headers;                   // authorization
  Duration timeout = std::chrono::seconds(10);
  std::size_t queue_capacity = 10000;         // alerts that wait for one Alertmanager
  unsigned tries = 3;                         // of one batch at one Alertmanager
  Duration first_back_off = std::chrono::milliseconds(200);
};

struct OutgoingAlert {
  std::string tenant;
  Labels labels;
  TextMap annotations;
  TimestampNs starts_at;
  TimestampNs ends_at;
  std::string generator_url;
};

/// Over all Alertmanagers: an alert that two of them take counts twice.
struct NotifierCounters {
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> errors{0};   // failed calls
  std::atomic<std::uint64_t> dropped{0};  // alerts
};

class Notifier {
 public:
  Notifier(NotifierOptions options, std::shared_ptr<net::HttpClient> client);
  /// Tries to send what is queued for at most `timeout`, then ends.
  ~Notifier();

  void send(const std::vector<OutgoingAlert>& alerts);
  const NotifierCounters& counters() const { return counters_; }
  /// Of the longest queue.
  std::size_t queued() const;

 private:
  class Lane;  // the way to one Alertmanager

  const NotifierOptions options_;
  const std::shared_ptr<net::HttpClient> client_;
  NotifierCounters counters_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

/// The body of POST /api/v2/alerts.
std::string encode_alerts(const std::vector<OutgoingAlert>& alerts);

}  // namespace kvasir::alerts
