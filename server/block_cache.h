// block_cache.h -- opened blocks that rest between queries, with all that was decoded of them.
//
// Shape:    take() hands a resting block to one query, which gives it back with put(); while it is away, another query
//           opens its own copy. So a block is never shared and needs no lock.
// Limits:   the bytes of resting blocks stay below the limit and are charged to a budget; the longest untouched go
//           first.
// Lifetime: a resting block keeps its segment's file mapped; drop_stale() lets go of those whose segment nobody else
//           holds.
// Threads:  any.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>

#include "common/memory_budget.h"
#include "common/mutex.h"
#include "ingest/storage.h"
#include "server/opened_block.h"

namespace kvasir::server {

class BlockCache {
 public:
  /// `limit_bytes` 0: nothing rests. `parent` may be null and must outlive the cache.
  explicit BlockCache(std::uint64_t limit_bytes, MemoryBudget* parent = nullptr)
      : limit_bytes_(limit_bytes), budget_("block cache", 0, parent) {}
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  struct Key {
    const chunks::SegmentReader* segment = nullptr;
    std::size_t block = 0;
    bool operator==(const Key&) const = default;
  };
  /// Null: not here, or away.
  std::unique_ptr<OpenedBlock> take(const Key& key);
  void put(const Key& key, const std::shared_ptr<const ingest::Segment>& segment, std::unique_ptr<OpenedBlock> block);
  void drop_stale();

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
    std::unique_ptr<OpenedBlock> block;
    std::uint64_t bytes = 0;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return std::hash<const void*>()(key.segment) ^ key.block * std::size_t{0x9e3779b97f4a7c15};
    }
  };
  using Entries = std::list<Entry>;  // the latest first

  /// Moves an entry to `gone`, to be freed without the lock.
  void remove(Entries::iterator entry, Entries& gone) KVASIR_REQUIRES(mutex_);

  const std::uint64_t limit_bytes_;
  MemoryBudget budget_;
  mutable Mutex mutex_;
  Entries entries_ KVASIR_GUARDED_BY(mutex_);
  std::unordered_map<Key, Entries::iterator, KeyHash> by_key_ KVASIR_GUARDED_BY(mutex_);
  Counters counters_ KVASIR_GUARDED_BY(mutex_);
};

}  // namespace kvasir::server
