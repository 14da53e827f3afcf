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

void BlockCache::put(const Key& key, const std::shared_ptr<const ingest::Segment>& segment,
                     std::unique_ptr<OpenedBlock> block) {
  const std::uint64_t bytes = block->rest();
  if (bytes > limit_bytes_) return;
  Entries gone;
  MutexLock lock(mutex_);
  if (const auto other = by_key_.find(key); other != by_key_.end()) remove(other->second, gone);
  const auto evict_last = [&]() KVASIR_REQUIRES(mutex_) {
    remove(std::prev(entries_.end()), gone);
    ++counters_.evicted;
  };
  while (counters_.bytes + bytes > limit_bytes_) evict_last();
  // Memory that heads and queries need now: the cache gives way.
  while (!budget_.charge(bytes)) {
    if (entries_.empty()) return;
    evict_last();
  }
  entries_.push_front({key, segment, std::move(block), bytes});
  by_key_[key] = entries_.begin();
  counters_.bytes += bytes;
  ++counters_.blocks;
}

void BlockCache::drop_stale() {
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
