// block_pruner.h -- tells from the filters of a segment that a block cannot match. Answers "cannot" or "perhaps".
//
// Shape:    PruneQuery (time, literals, ids) -> BlockPruner per segment -> cannot_match(block), ~10 ns each
// Lifetime: the reader must outlive the pruner; the query is copied.
// Threads:  cannot_match may be called from any thread.
// Law:      never "cannot" for a block that holds a matching row.
// Source:   docs/formats/segment-v1.md section 6.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "chunks/segment_reader.h"
#include "common/time.h"

namespace kvasir::chunks {

struct PruneQuery {
  TimeRange range;
  std::vector<std::string> literals;  // every wanted line holds each of them, byte for byte
  std::vector<std::string> ids;  // every wanted row holds each of them as a whole token, in its line or its metadata
};

class BlockPruner {
 public:
  BlockPruner(const SegmentReader& segment, PruneQuery query);
  ~BlockPruner();
  BlockPruner(BlockPruner&&) noexcept;
  BlockPruner& operator=(BlockPruner&&) noexcept;

  /// True if no block of the segment can match: nothing need be asked per block.
  bool nothing_matches() const;
  bool cannot_match(std::size_t block) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kvasir::chunks
