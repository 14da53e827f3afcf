// result_cache.h -- parts of range queries that were computed before, each with what it was computed from.
//
// Shape:    a part is the series of some neighbouring steps of one query. `key` says which, `origin` names the
//           immutable segments and the delete requests that it was read from: a part of another origin is of no use and
//           is replaced.
// Limits:   the bytes of all parts stay below the limit and are charged to a budget; the longest untouched go first.
// Threads:  any.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/memory_budget.h"
#include "common/mutex.h"
#include "logql/query_result.h"

namespace kvasir::server {

class ResultCache {
 public:
  using Part = std::shared_ptr<const std::vector<logql::Series>>;

  /// limit_bytes 0: nothing is kept. parent may be null and must outlive the cache.
  ResultCache(std::uint64_t limit_bytes, MemoryBudget* parent)
      : limit_bytes_(limit_bytes), budget_("result cache", 0, parent) {}
  ~ResultCache();
  ResultCache(const ResultCache&) = delete;
  ResultCache& operator=(const ResultCache&) = delete;

  bool enabled() const { return limit_bytes_ > 0; }
  /// Null: not here, or of another origin.
  Part get(const std::string& key, const std::string& origin);
  void put(const std::string& key, std::string origin, std::vector<logql::Series> series);

  struct Counters {
    std::uint64_t asked = 0;
    std::uint64_t found = 0;
    std::uint64_t parts = 0;  // held now
    std::uint64_t bytes = 0;  // of these
  };
  Counters counters() const;

 private:
  struct Entry {
    std::string key;
    std::string origin;
    Part part;
    std::uint64_t bytes = 0;
  };
  using Entries = std::list<Entry>;  // the latest first
  void remove(Entries::iterator entry) KVASIR_REQUIRES(mutex_);

  const std::uint64_t limit_bytes_;
  MemoryBudget budget_;
  mutable Mutex mutex_;
  Entries entries_ KVASIR_GUARDED_BY(mutex_);
  std::unordered_map<std::string, Entries::iterator> by_key_ KVASIR_GUARDED_BY(mutex_);
  Counters counters_ KVASIR_GUARDED_BY(mutex_);
};

}  // namespace kvasir::server
