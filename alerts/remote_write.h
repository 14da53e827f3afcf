// remote_write.h -- recorded series on their way to a Prometheus that receives remote writes.
//
// Shape:    add() writes one request to the queue on disk (folder of the tenant, one file a request, oldest first); one
//           thread sends files in order and deletes each when it was taken. So nothing is lost while the receiver is
//           away, up to the limit.
// Errors:   5xx, 429 and network errors are tried again with back-off for ever; other 4xx drop the request and count
//           it.
// Limits:   queue_bytes_max on disk a tenant; past it the oldest requests are dropped and counted.
// Threads:  add() from any thread.
// Source:   Prometheus remote-write 1.0: snappy block of protobuf WriteRequest.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/filesystem.h"
#include "common/labels.h"
#include "common/mutex.h"
#include "common/net/http_client.h"

namespace kvasir::alerts {

struct RecordedSample {
  Labels labels;  // with __name__
  double value = 0;
  std::int64_t timestamp_ms = 0;
};

/// Marks the end of a series: the NaN that Prometheus knows it by.
double stale_marker();
bool is_stale_marker(double value);

/// The snappy-compressed WriteRequest.
std::string encode_write_request(const std::vector<RecordedSample>& samples);

struct RemoteWriteOptions {
  std::string url;
  std::string name;                               // of the client, for /metrics
  net::HttpHeaders headers;
  Path directory;                                 // of the queue
  bool add_org_id_header = true;
  Duration timeout = std::chrono::seconds(30);
  Duration back_off_min = std::chrono::milliseconds(30);
  Duration back_off_max = std::chrono::seconds(5);
  std::uint64_t queue_bytes_max = 512ULL << 20;
};

/// Of one tenant, in samples.
struct RemoteWriteTotals {
  std::uint64_t appended = 0;          // put into the queue
  std::uint64_t sent = 0;              // taken or refused by the receiver
  std::uint64_t failed = 0;            // refused by it
  std::uint64_t retried = 0;           // in calls that are made again
  std::uint64_t dropped = 0;           // because the queue is full or its disk refuses
  std::uint64_t pending = 0;
  std::uint64_t pending_bytes = 0;     // on disk
  std::int64_t newest_ms = 0;          // timestamp of the newest appended sample
  std::int64_t newest_sent_ms = 0;     // 0: none that this process recorded
};

struct RemoteWriteReport {
  std::string name;                    // of the client
  std::string url;                     // without credentials
  std::map<std::string, RemoteWriteTotals> tenants;
};

class RemoteWriter {
 public:
  /// Takes up the requests that an earlier process left in the folder.
  static Result<std::unique_ptr<RemoteWriter>> open(RemoteWriteOptions options, Filesystem& filesystem,
                                                    std::shared_ptr<net::HttpClient> client);
  ~RemoteWriter();

  /// Durable when it returns.
  Result<void> add(const std::string& tenant, const std::vector<RecordedSample>& samples);
  RemoteWriteReport report() const;

 private:
  struct Request {
    std::string tenant;
    Path path;
    std::uint64_t bytes = 0;
    std::uint64_t samples = 0;
    std::int64_t newest_ms = 0;  // 0: unknown, of an earlier process
  };
  enum class Outcome { kTaken, kRefused, kTryAgain };

  RemoteWriter(RemoteWriteOptions options, Filesystem& filesystem, std::shared_ptr<net::HttpClient> client);
  Result<void> take_up();
  Result<void> append(const std::string& tenant, const std::vector<RecordedSample>& samples) KVASIR_REQUIRES(mutex_);
  void push(Request request) KVASIR_REQUIRES(mutex_);
  void forget_front() KVASIR_REQUIRES(mutex_);
  void drop_over_limit() KVASIR_REQUIRES(mutex_);
  void run(std::stop_token stop);
  Outcome send(const Request& request);
  std::optional<Request> front();
  void finish(const Request& request, Outcome outcome);
  void complain(const Request& request, const std::string& reason);
  void wait(Duration time, std::stop_token stop);

  const RemoteWriteOptions options_;
  Filesystem& filesystem_;
  const std::shared_ptr<net::HttpClient> client_;
  mutable Mutex mutex_;
  Condition changed_;
  std::deque<Request> queue_ KVASIR_GUARDED_BY(mutex_);
  std::uint64_t queued_bytes_ KVASIR_GUARDED_BY(mutex_) = 0;
  std::uint64_t next_number_ KVASIR_GUARDED_BY(mutex_) = 1;
  std::map<std::string, RemoteWriteTotals> totals_ KVASIR_GUARDED_BY(mutex_);
  std::optional<Duration> told_full_ KVASIR_GUARDED_BY(mutex_);  // when the log said last that the queue is full
  std::optional<Duration> told_away_;                            // ... that the receiver does not take; the thread's
  std::jthread thread_;
};

}  // namespace kvasir::alerts
