// notifier.h -- sends alerts to Alertmanagers (API v2), away from the evaluation.
//
// Shape:    send() queues; one thread posts batches of kAlertsPerRequest, to every Alertmanager of the options.
// Errors:   a batch that no Alertmanager took after the tries allowed is dropped and counted; the next resend repairs
//           it.
// Limits:   queue_capacity alerts; past it the oldest are dropped and counted. One call lasts at most options.timeout.
// Threads:  send() from any thread; never blocks on the network.
// Source:   docs/alerts.md, "Notifications"; Alertmanager's OpenAPI description of /api/v2/alerts.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "alerts/rule.h"
#include "common/labels.h"
#include "common/mutex.h"
#include "common/net/http_client.h"

namespace kvasir::alerts {

inline constexpr std::size_t kAlertsPerRequest = 256;

struct NotifierOptions {
  std::vector<std::string> urls;              // without /api/v2/alerts; user:password@ becomes basic auth
  net::HttpHeaders headers;                   // authorization
  Duration timeout = std::chrono::seconds(10);
  std::size_t queue_capacity = 10000;         // alerts
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

  void send(std::vector<OutgoingAlert> alerts);
  const NotifierCounters& counters() const { return counters_; }
  std::size_t queued() const;

 private:
  void run(std::stop_token stop);
  std::vector<OutgoingAlert> take_batch();
  void post(const std::vector<OutgoingAlert>& batch, std::stop_token stop);
  bool post_to(const std::string& url, const std::string& body, const std::string& tenant, std::stop_token stop);

  const NotifierOptions options_;
  const std::shared_ptr<net::HttpClient> client_;
  NotifierCounters counters_;
  mutable Mutex mutex_;
  Condition changed_;
  std::deque<OutgoingAlert> queue_ KVASIR_GUARDED_BY(mutex_);
  std::jthread thread_;
};

/// The body of POST /api/v2/alerts.
std::string encode_alerts(const std::vector<OutgoingAlert>& alerts);

}  // namespace kvasir::alerts
