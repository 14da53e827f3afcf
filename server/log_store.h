// log_store.h -- what the handlers need of the stored logs, over head, index and segments; the seam between HTTP and storage.
//
// Order:    names and values ascend; series are in no order and without duplicates.
// Threads:  every method from any thread.
// Errors:   as LogSource; unavailable while closing.
// Versions: open_log_store() (server/store_source.cpp) is the real one; tests have one over a vector of lines.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/labels.h"
#include "common/matcher.h"
#include "common/result.h"
#include "common/time.h"
#include "ingest/ingester.h"
#include "logql/log_source.h"

namespace kvasir::server {

/// Streams of a tenant with data in a time range.
struct StreamSelection {
  std::string_view tenant;
  std::span<const LabelMatcher> matchers;  // empty: every stream
  TimeRange range;
};

/// Counted from block statistics; lines are read only for blocks that cross the range's ends.
struct StreamVolume {
  std::shared_ptr<const logql::StreamIdentity> stream;
  std::uint64_t bytes = 0;    // lines and structured metadata
  std::uint64_t entries = 0;
  std::uint64_t blocks = 0;
};

class LogStore {
 public:
  virtual ~LogStore() = default;

  virtual logql::LogSource& source() = 0;
  virtual ingest::Ingester& ingester() = 0;

  virtual Result<std::vector<std::string>> label_names(const StreamSelection& selection) = 0;
  virtual Result<std::vector<std::string>> label_values(const StreamSelection& selection, std::string_view name) = 0;
  virtual Result<std::vector<std::shared_ptr<const Labels>>> series(const StreamSelection& selection) = 0;

  /// Tenants that have data.
  virtual std::vector<std::string> tenants() = 0;

  /// Seals, flushes, and closes everything; queries after it answer unavailable.
  virtual void close() = 0;
};

}  // namespace kvasir::server
