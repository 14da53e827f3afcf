// memory_source.h -- a LogSource over lines in memory: tests, benchmarks and kvasirctl's --stdin.
//
// Order:    sequence numbers are given in the order of add(); each stream's rows are sorted into blocks of
//           rows_per_block.
// Lifetime: blocks share the rows with the source and may outlive it.
// Threads:  add() from one thread; after the last add() everything may be used from any thread.
// Notes:    it offers the fast paths that a plain row store can answer exactly, so that tests meet them;
//           without_fast_paths() turns them off.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "logql/log_source.h"

namespace kvasir::logql {

struct MemorySourceOptions {
  std::size_t rows_per_block = 4096;
  bool fast_paths = true;   // narrow_literal, columns
  bool exact = true;        // REQUIRES: no two rows with equal stream, timestamp and line
};

class MemoryRows;  // one block's rows and the columns made of them so far

class MemorySource final : public LogSource {
 public:
  explicit MemorySource(MemorySourceOptions options = {}) : options_(options) {}
  ~MemorySource() override;

  /// Labels of the stream, the line and its structured metadata; all are copied.
  void add(const Labels& stream, TimestampNs timestamp, std::string_view line, std::vector<Label> metadata = {});

  Result<std::vector<std::unique_ptr<BlockHandle>>> select(const SelectRequest& request,
                                                           QueryContext& context) override;
  bool has_stream_label(std::string_view tenant, std::string_view name) override;

  struct Row {
    TimestampNs timestamp;
    std::uint64_t sequence = 0;
    std::string line;
    std::vector<Label> metadata;
  };
  struct Stream {
    std::shared_ptr<const StreamIdentity> identity;
    std::vector<Row> rows;
    std::vector<std::shared_ptr<MemoryRows>> blocks;  // sealed by the first select()
    bool sealed = false;
  };

 private:
  void seal(Stream& stream);

  MemorySourceOptions options_;
  std::map<Labels, Stream> streams_;
  std::uint64_t next_sequence_ = 0;
  Mutex mutex_;
};

}  // namespace kvasir::logql
