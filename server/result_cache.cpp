#include "server/result_cache.h"

namespace kvasir::server {
namespace {

std::uint64_t bytes_of(const std::vector<logql::Series>& series) {
  std::uint64_t bytes = 0;
  for (const auto& one : series) {
    bytes += sizeof one + one.points.size() * sizeof(logql::Point);
    for (const auto& label : one.labels) bytes += sizeof label + label.name.size() + label.value.size();
  }
  return bytes;
}

}  // namespace

ResultCache::~ResultCache() { budget_.release(counters_.bytes); }

ResultCache::Part ResultCache::get(const std::string& key, const std::string& origin) {
  MutexLock lock(mutex_);
  ++counters_.asked;
  const auto found = by_key_.find(key);
  if (found == by_key_.end() || found->second->origin != origin) return nullptr;
  ++counters_.found;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->part;
}

void ResultCache::put(const std::string& key, std::string origin, std::vector<logql::Series> series) {
  const std::uint64_t bytes = sizeof(Entry) + 2 * key.size() + origin.size() + bytes_of(series);
  if (bytes > limit_bytes_ / 8) return;  // one part must not push out most of the others
  MutexLock lock(mutex_);
  if (const auto old = by_key_.find(key); old != by_key_.end()) remove(old->second);
  while (!entries_.empty() && counters_.bytes + bytes > limit_bytes_) remove(std::prev(entries_.end()));
  if (!budget_.charge(bytes)) return;
  entries_.push_front(
      {key, std::move(origin), std::make_shared<const std::vector<logql::Series>>(std::move(series)), bytes});
  by_key_.emplace(key, entries_.begin());
  counters_.bytes += bytes;
  ++counters_.parts;
}

void ResultCache::remove(Entries::iterator entry) {
  counters_.bytes -= entry->bytes;
  --counters_.parts;
  budget_.release(entry->bytes);
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

ResultCache::Counters ResultCache::counters() const {
  MutexLock lock(mutex_);
  return counters_;
}

}  // namespace kvasir::server
