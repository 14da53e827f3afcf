// block_cache.h -- opened blocks that rest between queries, with all that was decoded of them.
//
// Shape:    take() hands a resting block to one query, which gives it back with put(); while it is away, another query
//           opens its own copy. So such a block is never shared and needs no lock. A stored block with the rows of many
//           streams stays here while queries read it, all of them the same one: find_shared(), keep_shared().
// Limits:   the bytes of resting blocks stay below the limit and are charged to a budget; the longest untouched go
//           first. Notes of blocks have an eighth of the limit to themselves.
// Lifetime: a resting block keeps its segment's file mapped; drop_stale() lets go of those whose segment nobody else
//           holds.
// Threads:  any.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>

#include "chunks/shared_block.h"
#include "common/memory_budget.h"
#include "common/mutex.h"
#include "ingest/storage.h"
#include "server/opened_block.h"
#include "server/segment_notes.h"

namespace kvasir::server {

class BlockCache {
 public:
  /// `limit_bytes` 0: nothing rests. `parent` may be null and must outlive the cache.
  explicit BlockCache(std::uint64_t limit_bytes, MemoryBudget* parent = nullptr)
      : limit_bytes_(limit_bytes - limit_bytes / 8),
        budget_("block cache", 0, parent),
        notes_(limit_bytes / 8, parent) {}
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  struct Key {
    const chunks::SegmentReader* segment = nullptr;
    std::uint32_t part = 0;
    bool operator==(const Key&) const = default;
  };
  /// Null: not here, or away.
  std::unique_ptr<OpenedBlock> take(const Key& key);
  void put(const Key& key, const std::shared_ptr<const ingest::Segment>& segment, std::unique_ptr<OpenedBlock> block);
  /// Null: not here.
  std::shared_ptr<chunks::SharedBlock> find_shared(const Key& key);
  /// Keeps it and its reader, or counts its bytes anew.
  void keep_shared(const Key& key, const std::shared_ptr<const ingest::Segment>& segment,
                   std::shared_ptr<const chunks::SegmentReader> reader, std::shared_ptr<chunks::SharedBlock> block);
  void drop_stale();
  SegmentNotes& notes() { return notes_; }

  struct Counters {
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    std::uint64_t evicted = 0;
    std::uint64_t blocks = 0;  // resting now
    std::uint64_t bytes = 0;   // of these
  };
  Counters counters() const;

 private:
  struct Entry {
    Key key;
    std::weak_ptr<const ingest::Segment> segment;
    std::unique_ptr<OpenedBlock> block;  // or:
    std::shared_ptr<const chunks::SegmentReader> reader;  // outlives `shared`
    std::shared_ptr<chunks::SharedBlock> shared;
    std::uint64_t bytes = 0;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return std::hash<const void*>()(key.segment) ^ key.part * std::size_t{0x9e3779b97f4a7c15};
    }
  };
  using Entries = std::list<Entry>;  // the latest first

  /// Makes room and takes the entry in; what had to go is in `gone`.
  void add(Entry entry, Entries& gone) KVASIR_REQUIRES(mutex_);
  /// Moves an entry to `gone`, to be freed without the lock.
  void remove(Entries::iterator entry, Entries& gone) KVASIR_REQUIRES(mutex_);

  const std::uint64_t limit_bytes_;
  MemoryBudget budget_;
  SegmentNotes notes_;
  mutable Mutex mutex_;
  Entries entries_ KVASIR_GUARDED_BY(mutex_);
  std::unordered_map<Key, Entries::iterator, KeyHash> by_key_ KVASIR_GUARDED_BY(mutex_);
  Counters counters_ KVASIR_GUARDED_BY(mutex_);
};

}  // namespace kvasir::server
