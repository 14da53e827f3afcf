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

#include <map>
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

/// Of one tenant at one Alertmanager.
struct NotifierTotals {
  std::uint64_t sent = 0;     // alerts in calls, failed ones among them
  std::uint64_t errors = 0;   // alerts in failed calls
  std::uint64_t dropped = 0;  // alerts given up, or pushed out of a full queue
  std::uint64_t calls = 0;
  Duration time{0};           // of the calls
};

struct AlertmanagerReport {
  std::string url;            // of the calls, without credentials
  std::size_t queued = 0;     // alerts
  std::map<std::string, NotifierTotals> tenants;
};

class Notifier {
 public:
  Notifier(NotifierOptions options, std::shared_ptr<net::HttpClient> client);
  /// Tries to send what is queued for at most `timeout`, then ends.
  ~Notifier();

  void send(const std::vector<OutgoingAlert>& alerts);
  std::size_t queue_capacity() const { return options_.queue_capacity; }
  /// One for each Alertmanager, in the order of the configuration.
  std::vector<AlertmanagerReport> report() const;

 private:
  class Lane;  // the way to one Alertmanager

  const NotifierOptions options_;
  const std::shared_ptr<net::HttpClient> client_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

/// The body of POST /api/v2/alerts.
std::string encode_alerts(const std::vector<OutgoingAlert>& alerts);

}  // namespace kvasir::alerts
