// push_queue.h -- what a PushClient keeps of each tenant: the batch that grows, and those that wait to be sent.
//
// Threads:  under the client's lock.
#pragma once

#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "promtail-agent/client/push_client.h"

namespace kvasir::agent {

inline constexpr Duration kSenderWaitMax = std::chrono::seconds(1);

enum DropReason : std::size_t { kIngesterError, kRateLimited, kStreamLimited, kLineTooLong, kDropReasons };
constexpr std::string_view kReasonNames[kDropReasons] = {"ingester_error", "rate_limited", "stream_limited",
                                                         "line_too_long"};

std::string snappy_block(const std::string& raw);

/// A batch that has been encoded.
struct PushClient::Prepared {
  std::string origin;
  std::uint64_t sequence = 0;
  std::uint64_t entries = 0;
  std::uint64_t raw_bytes = 0;
  std::uint64_t body_bytes = 0;
  std::string body;            // empty if it is only on disk
  std::uint64_t spooled = 0;   // its number there; 0: not on disk
  Duration created{0};         // when its first entry came; of one from the last run: the start
  SourceHolds holds;           // empty once spooled
  bool half = false;           // of a batch that was too large for the server; its whole may be on disk
};

struct PushClient::Tenant {
  std::string name;
  SeriesPtr dropped_entries[kDropReasons];
  SeriesPtr dropped_bytes[kDropReasons];
  SeriesPtr mutated_entries[kDropReasons];
  SeriesPtr mutated_bytes[kDropReasons];
  SeriesPtr retries, queue_bytes, oldest_seconds;
  std::optional<Batch> open;
  std::list<Prepared> queue;             // references to the front stay good while others come and go
  std::uint64_t memory_bytes = 0;  // bodies in the queue
  std::uint64_t request_bytes_max = 0;  // of those that wait_for_room() let in
  std::uint64_t sequence = 0;
  int attempts = 0;                // of the front
  Duration not_before{0};
  bool sending = false;
  std::vector<ingest::FileCover> given_up;  // to be told with the next batch
  std::unordered_map<std::uint64_t, Duration> active_streams;  // by hash, last use; only with max_streams

  void drop(DropReason reason, std::uint64_t entries, std::uint64_t bytes) {
    dropped_entries[reason]->add(static_cast<double>(entries));
    dropped_bytes[reason]->add(static_cast<double>(bytes));
  }
};

}  // namespace kvasir::agent
