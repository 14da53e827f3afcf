// push_client.h -- sends entries to one server: batches, queue, retries, spool. Clients know nothing of each other.
//
// Shape:    push() appends to the open batch of the entry's tenant; full or old batches are encoded, queued and sent by
//           one thread. Tenants have queues of their own: one that is throttled does not hold up another.
// Order:    batches of a tenant are sent in order, one at a time; entries of a stream keep their order.
// Settling: the sources of a batch may move on when it is acknowledged, durably spooled, or finally refused and
//           counted.
// Blocking: push() waits while the tenant's queue is full and the spool (if any) does not take more. request_stop()
//           ends the wait.
// Ledger:   each batch says which bytes of which files it was made of, and what was left out and why. Where the server
//           answers that it keeps a ledger, what was left out is sent without entries too.
// Counting: every entry that is not delivered is in promtail_dropped_entries_total with a reason.
// Threads:  push() from any thread; one own thread.
// Limits:   SpoolConfig::memory_bytes_max encoded bytes per tenant in memory; past kTenantsMax tenants wait_for_room()
//           lets no new one in; kStreamsCachedMax label texts.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_map>

#include "common/clock.h"
#include "promtail-agent/client/batch.h"
#include "promtail-agent/client/http_sender.h"
#include "promtail-agent/client/spool.h"
#include "promtail-agent/config/config.h"
#include "promtail-agent/stages/metric_registry.h"

namespace kvasir::agent {

inline constexpr std::size_t kTenantsMax = 10'000;
inline constexpr std::size_t kStreamsCachedMax = 50'000;

struct PushClientParts {
  ClientConfig config;
  LimitsConfig limits;
  SpoolConfig spool_config;
  std::unique_ptr<HttpSender> http;
  MetricRegistry* metrics = nullptr;
  const ProgressTable* progress = nullptr;
  const Clock* clock = nullptr;
  std::string origin;  // unique to this object: it numbers its batches from 0
  std::string agent;   // the same in every run: with it a file has one name in the server's ledger
  bool sole = false;   // there is no other client
  std::uint64_t seed = 0;
};

class PushClient {
 public:
  explicit PushClient(PushClientParts parts);
  ~PushClient();

  /// Sends from now on, what is in the spool (nullptr: none) first. Once.
  void start(std::unique_ptr<Spool> spool);
  bool started() const { return started_; }

  /// False: stopping, or `cancelled` became true (and wake() was called) while it waited; the entry was not taken.
  bool push(const Entry& entry, const std::atomic<bool>& cancelled);
  /// These will not be pushed; a server with a ledger is told. Call it before they are settled. Never waits.
  void leave_out(std::span<const SourceRange> ranges, std::string_view reason);
  /// Counts lines that their reader dropped or cut as line_too_long, under the client's own tenant.
  void count_too_long(bool dropped, std::uint64_t entries, std::uint64_t bytes);
  /// Waits at most `limit` for room for so many bytes of a tenant ("": the client's own). False: there is none. True:
  /// so much without a position (of a file) is taken at once. More than the queue holds is let in when it is empty.
  bool wait_for_room(const std::string& tenant, std::uint64_t bytes, Duration limit);
  /// Lets waiting push() calls look at their `cancelled`.
  void wake();
  /// Ends every wait of push(); entries are refused from now on.
  void request_stop();
  /// REQUIRES: request_stop(). Sends what is queued until the deadline (clock.steady()), spools the rest if there is a
  /// spool, leaves the sources of what remains where they are, ends the thread.
  void finish(Duration deadline);

  const std::string& name() const { return parts_.config.name; }
  const ClientConfig& config() const { return parts_.config; }
  Spool* spool() { return spool_.get(); }

 private:
  struct Counters;
  struct Tenant;
  struct Prepared;
  struct Stream {
    std::string text;
    std::string tenant;
    std::uint64_t hash;
  };

  const Stream& stream_of(const LabelSet& labels);
  Tenant& tenant_of(const std::string& name);
  bool wait_for_room(Tenant& tenant, const std::atomic<bool>& cancelled, MutexLock& lock, bool has_position);
  bool admit_stream(Tenant& tenant, const Stream& stream);
  std::optional<std::string_view> fit_line(Tenant& tenant, std::string_view line);
  Batch& open_batch(Tenant& tenant);
  void close_batch(Tenant& tenant);
  void close_without_entries(Tenant& tenant);
  void tell_given_up(Tenant& tenant, std::string_view reason);
  void enqueue(Tenant& tenant, Prepared prepared);
  Result<void> to_spool(Tenant& tenant, Prepared& prepared, bool keep_body);
  Result<void> spool_in_order(Tenant& tenant, bool keep_body);
  bool may_send_front(Tenant& tenant);
  void drop_oldest(Tenant& tenant);

  void run();
  Tenant* ready_tenant(Duration now);
  Tenant* aged_tenant(Duration now);
  Duration wait_of(const Batch& batch) const;
  Duration next_deadline() const;
  void tell_ages(Duration now);
  void send_front(Tenant& tenant, MutexLock& lock);
  struct Answer {
    int status = -1;             // -1: none
    std::string error;
    Duration retry_after{0};
    bool has_ledger = false;
  };
  void pass_unreadable(Tenant& tenant, const Error& error);
  Answer attempt(const Prepared& prepared, const std::string& tenant);
  void after_attempt(Tenant& tenant, const Answer& answer);
  bool may_retry(int status) const;
  void give_up(Tenant& tenant, int status, const std::string& error);
  bool split_front(Tenant& tenant);
  void settle_front(Tenant& tenant);
  bool all_empty() const;
  void restore_spooled();

  PushClientParts parts_;
  std::unique_ptr<Spool> spool_;
  std::atomic<bool> started_{false};
  std::string host_;
  SeriesPtr encoded_bytes_, sent_bytes_, sent_entries_, spool_bytes_;
  SeriesPtr spool_dropped_, spool_errors_;
  struct Durations {
    SeriesPtr shared;  // under the name that a metrics stage may use too
    SeriesPtr own;
  };
  std::map<std::string, Durations> durations_;  // by status; of the sending thread

  Mutex mutex_;
  Condition changed_;  // work for the sender, or the end
  Condition room_;     // room in a queue
  std::map<std::string, std::unique_ptr<Tenant>> tenants_;
  std::unordered_map<std::uint64_t, Stream> streams_;  // by id of the label set
  Tenant* last_tenant_ = nullptr;
  enum class HasLedger { kUnknown, kNo, kYes } has_ledger_ = HasLedger::kUnknown;  // the server, at its last answer
  std::uint64_t random_ = 0;
  bool stopping_ = false;
  std::optional<Duration> finish_by_;
  std::stop_source abort_;
  std::thread thread_;
};

}  // namespace kvasir::agent
