// replay.h -- brings the head back from the write-ahead log: the same apply as for fresh batches.
//
// Order:    files ascending. Rows that a segment already has are skipped (see wal-v1.md section 6).
// Errors:   io; unsupported (a newer record). A torn or damaged record ends its file and is reported, not an error.
// Source:   docs/formats/wal-v1.md
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/filesystem.h"
#include "common/result.h"
#include "ingest/tenant_head.h"
#include "ingest/wal.h"

namespace kvasir::ingest {

class Ledger;

struct ReplayOutcome {
  WalStart start;
  std::uint64_t entries = 0;     // brought back
  std::uint64_t flushed = 0;     // were in segments
  std::uint64_t damaged_files = 0;
};

struct ReplayTarget {
  std::function<TenantHead&(std::string_view tenant)> head;
  /// Called after each file: may flush when memory is short.
  std::function<Result<void>()> after_file;
  /// Reserves memory; false: go on without.
  std::function<bool(std::uint64_t bytes)> charge;
  /// Told each percent of the log's bytes that has been read, ascending; may be empty.
  std::function<void(unsigned percent)> on_progress;
  Ledger* ledger = nullptr;   // takes the covers that it does not have yet
};

Result<ReplayOutcome> replay_wal(const Path& directory, Filesystem& filesystem, const Clock& clock, Storage& storage,
                                 const ReplayTarget& target);

}  // namespace kvasir::ingest
