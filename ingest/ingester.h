// ingester.h -- the only door for new entries: admit, write-ahead log, apply to the head; later seal and flush to
// segments.
//
// Shape:    push(PushBatch) -> callback once the batch is as durable as `wal_sync` promises and visible to queries.
// Order:    entries get ascending sequences in the order in which batches entered the log; they are applied in that
//           order.
// Law:      acknowledged is a subset of recovered, recovered is a subset of sent, each entry once.
// Threads:  push() from any thread, never waits for the disk; the callback runs on the apply thread: be quick, do not
//           push from it. Own threads: wal 1, apply 1, flush `flush_threads`.
// Errors:   push: unavailable (over the memory budget, read-only, closing), limit_exceeded, io (the disk is full:
//           nothing was stored and it may be tried again). A failed sync ends the process.
// Source:   docs/formats/wal-v1.md
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/filesystem.h"
#include "common/memory_budget.h"
#include "common/result.h"
#include "index/stream_index.h"
#include "ingest/admission.h"
#include "ingest/ledger.h"
#include "ingest/push_batch.h"
#include "ingest/storage.h"
#include "ingest/tenant_head.h"
#include "ingest/wal.h"

namespace kvasir::ingest {

/// group, interval, never.
std::optional<WalSync> parse_wal_sync(std::string_view text);

struct IngesterOptions {
  Path wal_directory;
  Path ledger_path;   // empty: `ledger` beside the log's folder
  WalSync wal_sync = WalSync::kGroup;
  Duration wal_sync_interval = std::chrono::milliseconds(100);
  std::uint64_t wal_segment_bytes = 64u << 20;
  std::uint64_t wal_rotate_bytes_min =
      1u << 20;  // an open log file of which all is in segments is left behind from this size on
  std::uint64_t wal_bytes_max = 1024u << 20;      // beyond it the streams that hold the oldest records are sealed
  std::uint64_t wal_queue_bytes_max = 64u << 20;  // waiting for the disk; beyond it push() says unavailable
  std::uint64_t chunk_bytes = 1u << 20;           // raw bytes at which a stream's chunk is sealed
  std::uint32_t block_bytes = 2u << 20;           // raw bytes of a segment's block, where a stream has so many
  Duration chunk_idle = std::chrono::minutes(5);
  Duration chunk_age_max = std::chrono::hours(1);
  std::uint64_t head_bytes_max =
      128u << 20;  // beyond 3/4 all but small chunks are sealed; beyond it acknowledgements wait
                   // for the flush, and then push() says unavailable
  // Raw bytes of sealed chunks that make a segment. Large, because an id that several streams name is stored once in a
  // segment.
  std::uint64_t segment_bytes = 256u << 20;
  Duration flush_delay = std::chrono::seconds(15);  // a sealed chunk waits at most so long for company
  std::uint32_t flush_threads = 1;                // at most half the cores are used
  std::function<AdmitLimits(std::string_view tenant)> limits;  // empty: no limits
  std::function<void(std::string_view)> on_fatal;   // for tests: instead of ending the process after a failed sync
  std::function<void(unsigned percent)> on_replay;  // each percent of the log that was read, while open() runs
  bool background = true;                         // false: no flush threads; only flush() writes segments (tests)
};

/// What a tail sees: one stream's part of an applied batch.
struct AppliedStream {
  std::shared_ptr<const StreamIdentity> identity;
  std::span<const EntryView> entries;   // with sequences
};
/// Called on the apply thread, no lock of the head held; views die on return. Must not add or remove listeners.
using ApplyListener = std::function<void(const std::string& tenant, std::span<const AppliedStream> streams)>;

/// Everything a query may see of one tenant at one moment: each applied entry is in exactly one of the two parts.
struct TenantSnapshot {
  std::vector<HeadBlock> head;
  std::shared_ptr<const SegmentSet> segments;
};

/// Gauges and counters for /metrics.
struct IngesterCounters {
  std::uint64_t batches = 0, entries = 0, bytes = 0, duplicates = 0, repeated_batches = 0;
  std::uint64_t wal_bytes_written = 0, wal_syncs = 0, wal_bytes = 0, wal_queue_bytes = 0;
  std::uint64_t head_bytes = 0, head_chunks = 0, active_streams = 0;
  std::uint64_t segments_written = 0, flush_failures = 0, flush_verify_failures = 0, replayed_entries = 0;
};

class Ingester {
 public:
  using Callback = std::function<void(Result<Rejections>)>;

  /// Replays the log into the head, then starts the threads. All references must outlive the ingester.
  static Result<std::unique_ptr<Ingester>> open(IngesterOptions options, Storage& storage, Filesystem& filesystem,
                                                const Clock& clock, MemoryBudget& budget);
  virtual ~Ingester() = default;   // close()

  /// Rejections in the result: the head refused a part, the rest is stored. An error: nothing is stored.
  virtual void push(PushBatch batch, Callback callback) = 0;
  /// Seals and flushes all that was applied before the call; returns when it is in segments.
  virtual Result<void> flush() = 0;
  /// Refuses pushes with unavailable (`true`), or takes them again.
  virtual void set_read_only(bool read_only) = 0;
  /// The same for another reason, which is said: there is too little room on the disk.
  virtual void set_low_on_disk(bool low) = 0;
  /// Stops taking pushes, finishes those under way, syncs the log and joins the threads. With `flush_first` the head is
  /// flushed.
  virtual void close(bool flush_first) = 0;

  /// Streams of `ids` (ascending) that have rows in the range, and the segments. A tenant without data gives an empty
  /// one.
  virtual TenantSnapshot snapshot(std::string_view tenant, std::span<const index::StreamId> ids,
                                  TimeRange range) const = 0;

  /// Listeners are called for every batch applied after this; remove_listener() returns when no call is running.
  virtual std::uint64_t add_listener(ApplyListener listener) = 0;
  virtual void remove_listener(std::uint64_t id) = 0;

  virtual IngesterCounters counters() const = 0;
  /// Which bytes of which files durable pushes were made of.
  virtual const Ledger& ledger() const = 0;
  /// Every row with a smaller sequence is in a segment: the log will not bring it back.
  virtual std::uint64_t durable_floor() const = 0;
};

}  // namespace kvasir::ingest
