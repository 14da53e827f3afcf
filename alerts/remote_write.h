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

#include <atomic>
#include <deque>
#include <memory>
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

/// Marks the end of a series; a NaN of its own.
double stale_marker();

/// The snappy-compressed WriteRequest.
std::string encode_write_request(const std::vector<RecordedSample>& samples);

struct RemoteWriteOptions {
  std::string url;
  net::HttpHeaders headers;
  Path directory;                                 // of the queue
  bool add_org_id_header = true;
  Duration timeout = std::chrono::seconds(30);
  Duration back_off_min = std::chrono::milliseconds(30);
  Duration back_off_max = std::chrono::seconds(5);
  std::uint64_t queue_bytes_max = 512ULL << 20;
};

struct RemoteWriteCounters {
  std::atomic<std::uint64_t> sent_samples{0};
  std::atomic<std::uint64_t> retries{0};
  std::atomic<std::uint64_t> dropped_requests{0};
};

class RemoteWriter {
 public:
  /// Takes up the requests that an earlier process left in the folder.
  static Result<std::unique_ptr<RemoteWriter>> open(RemoteWriteOptions options, Filesystem& filesystem,
                                                    std::shared_ptr<net::HttpClient> client);
  ~RemoteWriter();

  /// Durable when it returns.
  Result<void> add(const std::string& tenant, const std::vector<RecordedSample>& samples);
  const RemoteWriteCounters& counters() const { return counters_; }

 private:
  struct Request {
    std::string tenant;
    Path path;
    std::uint64_t bytes = 0;
    std::uint64_t samples = 0;
  };
  enum class Outcome { kTaken, kRefused, kTryAgain };

  RemoteWriter(RemoteWriteOptions options, Filesystem& filesystem, std::shared_ptr<net::HttpClient> client);
  Result<void> take_up();
  void drop_over_limit() KVASIR_REQUIRES(mutex_);
  void run(std::stop_token stop);
  Outcome send(const Request& request);
  std::optional<Request> front();
  void pop(const Request& request);
  void wait(Duration time, std::stop_token stop);

  const RemoteWriteOptions options_;
  Filesystem& filesystem_;
  const std::shared_ptr<net::HttpClient> client_;
  RemoteWriteCounters counters_;
  Mutex mutex_;
  Condition changed_;
  std::deque<Request> queue_ KVASIR_GUARDED_BY(mutex_);
  std::uint64_t queued_bytes_ KVASIR_GUARDED_BY(mutex_) = 0;
  std::uint64_t next_number_ KVASIR_GUARDED_BY(mutex_) = 1;
  std::jthread thread_;
};

}  // namespace kvasir::alerts
