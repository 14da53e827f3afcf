#include "server/block_cache.h"

namespace kvasir::server {

void BlockCache::remove(Entries::iterator entry, Entries& gone) {
  budget_.release(entry->bytes);
  counters_.bytes -= entry->bytes;
  --counters_.blocks;
  by_key_.erase(entry->key);
  gone.splice(gone.end(), entries_, entry);
}

std::unique_ptr<OpenedBlock> BlockCache::take(const Key& key) {
  Entries taken;
  {
    MutexLock lock(mutex_);
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) {
      ++counters_.misses;
      return nullptr;
    }
    ++counters_.hits;
    remove(found->second, taken);
  }
  return std::move(taken.front().block);
}

void BlockCache::add(Entry entry, Entries& gone) {
  if (entry.bytes > limit_bytes_) {
    gone.push_back(std::move(entry));
    return;
  }
  const auto evict_last = [&]() KVASIR_REQUIRES(mutex_) {
    remove(std::prev(entries_.end()), gone);
    ++counters_.evicted;
  };
  while (counters_.bytes + entry.bytes > limit_bytes_) evict_last();
  // Memory that heads and queries need now: the cache gives way.
  while (!budget_.charge(entry.bytes)) {
    if (entries_.empty()) {
      gone.push_back(std::move(entry));
      return;
    }
    evict_last();
  }
  counters_.bytes += entry.bytes;
  ++counters_.blocks;
  entries_.push_front(std::move(entry));
  by_key_[entries_.front().key] = entries_.begin();
}

void BlockCache::put(const Key& key, const std::shared_ptr<const ingest::Segment>& segment,
                     std::unique_ptr<OpenedBlock> block) {
  Entry entry{.key = key, .segment = segment, .block = std::move(block), .reader = {}, .shared = {}};
  entry.bytes = entry.block->rest();
  Entries gone;
  MutexLock lock(mutex_);
  if (const auto other = by_key_.find(key); other != by_key_.end()) remove(other->second, gone);
  add(std::move(entry), gone);
}

std::shared_ptr<chunks::SharedBlock> BlockCache::find_shared(const Key& key) {
  MutexLock lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    ++counters_.misses;
    return nullptr;
  }
  ++counters_.hits;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->shared;
}

void BlockCache::keep_shared(const Key& key, const std::shared_ptr<const ingest::Segment>& segment,
                             std::shared_ptr<const chunks::SegmentReader> reader,
                             std::shared_ptr<chunks::SharedBlock> block) {
  Entry entry{.key = key, .segment = segment, .block = {}, .reader = std::move(reader), .shared = std::move(block)};
  entry.bytes = entry.shared->memory_bytes();
  Entries gone;
  MutexLock lock(mutex_);
  if (const auto known = by_key_.find(key); known != by_key_.end()) remove(known->second, gone);
  add(std::move(entry), gone);
}

void BlockCache::drop_stale() {
  notes_.drop_stale();
  Entries gone;
  MutexLock lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto here = entry++;
    if (here->segment.expired()) remove(here, gone);
  }
}

BlockCache::Counters BlockCache::counters() const {
  MutexLock lock(mutex_);
  return counters_;
}

}  // namespace kvasir::server
