// block_statistics.h -- answers a count from what a handle says of its block, which is then not opened.
//
// Use:      shares() tells into which groups the rows of a block fall, if its statistics are enough for that: groups by
//           stream labels, or labels and filters over `detected_level`.
// Law:      exactly what the pipeline would give over every row, or nothing.
// Threads:  one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "logql/exec/scan.h"

namespace kvasir::logql {

class BlockStatistics {
 public:
  explicit BlockStatistics(const ScanPlan& plan);

  /// Rows of one group.
  struct Share {
    Labels group;
    std::uint64_t rows = 0;
    std::uint64_t line_bytes = 0;  // only if asked for
  };
  /// Empty optional: the rows must be looked at. The span is valid until the next call.
  std::optional<std::span<const Share>> shares(const BlockHandle& handle, bool needs_bytes);
  /// The group of every row of the block, if the stream's labels alone decide it.
  std::optional<Labels> group_of_stream(const BlockHandle& handle);
  /// True if group_of_stream() is the same for all exact blocks of streams with this `key`, which is made here.
  bool make_group_key(const Labels& stream, std::string& key) const;

 private:
  bool groups_by_stream(const Labels& stream, bool& by_level) const;
  bool add_share(const LevelStatistics::Rows& rows, std::uint64_t line_bytes);

  const ScanPlan& plan_;
  bool usable_ = false;
  bool only_groups_ = false;  // no stage drops a row or changes a label
  PipelineRunner runner_;
  std::vector<Share> shares_;
};

/// `| drop __error__`: nothing to rows without an error.
bool drops_only_errors(const Stage& stage);

}  // namespace kvasir::logql
