// ingest_scenario.h -- for tests: a whole write path over any filesystem, and the law that it must keep.
//
// Law:      acknowledged is a subset of recovered, recovered is a subset of sent, each entry once.
// Lifetime: a Store owns storage and ingester; destroying it is an orderly stop without a flush.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/filesystem.h"
#include "common/memory_budget.h"
#include "ingest/ingester.h"

namespace kvasir::ingest {

/// `{tenant}|{labels}|ns|line`, one per row, with how often it was found.
using Found = std::map<std::string, int>;

struct TestEntry {
  std::string stream;      // value of the label "s"
  std::int64_t timestamp = 0;
  std::string line;
  std::string trace;       // metadata `trace_id`, if not empty
  std::string level = "";  // metadata `detected_level`, if not empty
};

std::string entry_key(std::string_view tenant, const TestEntry& entry);

class Store {
 public:
  /// An error if it does not open.
  static Result<std::unique_ptr<Store>> open(Filesystem& filesystem, IngesterOptions options = {});
  ~Store();

  /// Pushes and waits. Empty: not acknowledged.
  Result<Rejections> push(std::string_view tenant, const std::vector<TestEntry>& entries,
                          std::optional<PushOrigin> origin = std::nullopt);
  /// All rows of all tenants, from one snapshot each.
  Found read_all() const { return read(false); }
  /// The same with `#sequence` behind each key: a row that is stored twice shows, an entry that was sent twice does
  /// not.
  Found read_rows() const { return read(true); }
  bool died() const { return *died_; }

  Ingester& ingester() { return *ingester_; }
  Storage& storage() { return *storage_; }

 private:
  Store() = default;
  Found read(bool with_sequence) const;
  std::shared_ptr<std::atomic<bool>> died_ = std::make_shared<std::atomic<bool>>(false);
  std::unique_ptr<MemoryBudget> budget_;
  std::unique_ptr<Storage> storage_;
  std::unique_ptr<Ingester> ingester_;
};

/// An identity as the validator would give it.
std::shared_ptr<const StreamIdentity> identity_of(Labels labels);

}  // namespace kvasir::ingest
