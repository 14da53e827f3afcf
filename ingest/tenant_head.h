// tenant_head.h -- the rows of one tenant that are in memory only: a slot per stream with its active and its sealed
// chunks.
//
// Shape:    admit (order rules, limits) ... write-ahead log ... apply -> active chunk -> sealed chunk -> pending ->
//           segment
// Order:    chunks of a stream are sealed, and leave memory, in the order of their sequences.
// Threads:  any; a mutex per shard of streams, one for the queue of sealed chunks. Lock order: shard, then queue or
//           index. apply() by one thread at a time.
// Lifetime: slots live as long as the head.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <vector>

#include "common/memory_budget.h"
#include "common/mutex.h"
#include "common/time.h"
#include "ingest/head_chunk.h"
#include "ingest/push_batch.h"
#include "ingest/storage.h"
#include "ingest/wal_record.h"

namespace kvasir::ingest {

/// One stream. `shard` is the index of the mutex that guards what is not constant.
struct StreamSlot {
  index::StreamId id = 0;
  std::uint32_t number = 0;                       // for the write-ahead log
  std::shared_ptr<const StreamIdentity> identity;

  std::int64_t newest_admitted = TimestampNs::min().value;
  std::shared_ptr<HeadChunk> active;
  Duration active_since{0};
  Duration last_append{0};
  std::vector<std::shared_ptr<HeadChunk>> sealed;  // few; an empty one takes no memory, as a deque would
  std::uint64_t flushed_sequence = 0;             // rows up to it are in segments
  std::int64_t noted_day = TimestampNs::min().value;
  bool empty() const { return active == nullptr && sealed.empty(); }
};

struct SealedChunk {
  StreamSlot* slot = nullptr;
  std::shared_ptr<HeadChunk> chunk;
  Duration sealed_at{0};
};

/// One stream's rows in memory, frozen at the moment of the snapshot.
struct HeadBlock {
  index::StreamId stream = 0;
  std::shared_ptr<const StreamIdentity> identity;
  ChunkView chunk;
};

/// Memory that n rows take; what admission reserves and a chunk gives back.
inline std::uint64_t head_charge(std::uint64_t rows, std::uint64_t bytes) { return rows * 48 + bytes; }

struct HeadOptions {
  std::uint64_t chunk_bytes = 1u << 20;
};

class TenantHead {
 public:
  TenantHead(TenantStorage& storage, HeadOptions options, std::shared_ptr<MemoryBudget> budget,
             std::atomic<std::uint32_t>& next_number);
  TenantHead(const TenantHead&) = delete;
  TenantHead& operator=(const TenantHead&) = delete;

  TenantStorage& storage() { return storage_; }

  /// The slot of this stream. An empty optional: it has no rows here and `streams_max` (0 = none) others have.
  StreamSlot* find_or_add(const std::shared_ptr<const StreamIdentity>& identity, std::uint64_t streams_max,
                          std::uint64_t opening = 0);
  /// True if no row of the stream is in the head.
  bool is_empty(StreamSlot& slot) const;
  /// The first timestamp that the stream still accepts, then moved on by what is accepted: returns the entries that are
  /// too far behind, by position in `entries`.
  struct TooOld {
    std::size_t position = 0;
    TimestampNs oldest;
  };
  std::vector<TooOld> check_order(StreamSlot& slot, std::span<const EntryView> entries, Duration window);

  struct Applied {
    std::uint64_t rows = 0;
    std::vector<std::uint32_t> repeated;  // rows that were there before, by their place in `rows`
    std::uint64_t flushed = 0;   // rows that a segment already has (replay)
  };
  /// `appended`, if not null, gets the new rows. `charged`: admission reserved memory for these rows.
  Applied apply(StreamSlot& slot, const BatchStream& rows, std::uint64_t first_sequence, Duration now, bool charged,
                std::vector<EntryView>* appended);

  struct SealRule {
    Duration idle_since{0};              // last append before it
    Duration active_before{0};           // first append before it
    std::uint64_t sequence_max = 0;      // holds a row with a sequence up to it
    std::uint64_t bytes_min = UINT64_MAX; // charge at least so much
  };
  /// Seals active chunks for which any part of the rule holds.
  void seal(const SealRule& rule, Duration now);

  /// Sealed chunks from the front of the queue, about so many charged bytes, at least one if there is one.
  std::vector<SealedChunk> take_pending(std::uint64_t bytes);
  void put_back(std::vector<SealedChunk> chunks);
  struct Pending {
    std::uint64_t bytes = 0;
    std::uint64_t chunks = 0;
    std::optional<Duration> oldest;
  };
  Pending pending() const;
  /// The rows are in a segment that is being published.
  void drop_flushed(std::span<const SealedChunk> chunks);
  void set_flushed_sequence(StreamSlot& slot, std::uint64_t sequence);
  /// Rows below it are skipped by apply(). Before the first apply().
  void set_flushed_floor(std::uint64_t sequence) { flushed_floor_ = sequence; }

  /// No row in memory has a smaller sequence; UINT64_MAX if there is none.
  std::uint64_t oldest_sequence() const;
  /// Active chunks' charges, for choosing which to seal.
  std::vector<std::uint64_t> active_charges() const;
  void snapshot(std::span<const index::StreamId> ids, TimeRange range, std::vector<HeadBlock>& out) const;
  /// Tells the index again on which days there are rows here.
  void note_days();

  std::uint64_t active_streams() const { return active_streams_; }

 private:
  static constexpr std::size_t kShards = 16;
  Mutex& shard(const StreamSlot& slot) const { return shards_[slot.id % kShards]; }
  std::vector<StreamSlot*> all_slots() const;
  StreamSlot* slot_at(index::StreamId id) const;
  /// Full, and the next row is not of the same instant as the last one: chunks, and so blocks, should not touch in
  /// time.
  bool is_full(std::uint64_t line_bytes, std::int64_t newest, std::int64_t next) const {
    return line_bytes >= options_.chunk_bytes && (next > newest || line_bytes >= 2 * options_.chunk_bytes);
  }
  HeadChunk& chunk_with_room(StreamSlot& slot, std::uint64_t sequence, std::int64_t timestamp, Duration now);
  void seal_locked(StreamSlot& slot, Duration now);
  void note_day(StreamSlot& slot, const BatchStream& rows);

  TenantStorage& storage_;
  HeadOptions options_;
  std::shared_ptr<MemoryBudget> budget_;
  std::atomic<std::uint32_t>& next_number_;
  mutable std::array<Mutex, kShards> shards_;
  mutable std::shared_mutex slots_mutex_;
  std::vector<std::unique_ptr<StreamSlot>> slots_;   // by stream id; grows only
  std::atomic<std::uint64_t> active_streams_{0};
  std::uint64_t flushed_floor_ = 0;
  mutable Mutex pending_mutex_;
  std::deque<SealedChunk> pending_ KVASIR_GUARDED_BY(pending_mutex_);
  std::uint64_t pending_bytes_ KVASIR_GUARDED_BY(pending_mutex_) = 0;
};

}  // namespace kvasir::ingest
