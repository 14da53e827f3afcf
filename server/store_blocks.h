// store_blocks.h -- segment blocks and head chunks as the query engine sees them.
//
// Lifetime: handles and blocks keep their segment or chunk alive.
// Threads:  handles from any thread, a block by one at a time.
// Errors:   those of chunks::Block, and limit_exceeded if an open block does not fit the query's memory. Where the
//           engine's interface has no room for an error (lengths, sequences, metadata), damage gives neutral values
//           there and is reported by lines().
#pragma once

#include <memory>

#include "chunks/segment_reader.h"
#include "ingest/tenant_head.h"
#include "logql/log_source.h"
#include "server/block_cache.h"
#include "server/delete_requests.h"

namespace kvasir::server {

using StreamPtr = std::shared_ptr<const logql::StreamIdentity>;

/// A handle whose exactness is found out after the fact, when all blocks of its stream are known.
class StoreBlockHandle : public logql::BlockHandle {
 public:
  const StreamPtr& stream() const final { return stream_; }
  bool exact() const final { return exact_; }
  bool distinct() const final { return true; }  // repeated pushes are recognised before they reach a chunk
  void set_inexact() { exact_ = false; }
  /// Rows that these requests delete are left out by open().
  void hide(std::vector<DeletePtr> requests) {
    deletes_ = std::move(requests);
    set_inexact();
  }
  Result<std::unique_ptr<logql::LogBlock>> open() const final;
  /// Names and values of structured metadata over all rows.
  virtual std::uint64_t metadata_bytes() const = 0;

 protected:
  explicit StoreBlockHandle(StreamPtr stream) : stream_(std::move(stream)) {}
  virtual Result<std::unique_ptr<logql::LogBlock>> open_rows() const = 0;

 private:
  StreamPtr stream_;
  std::vector<DeletePtr> deletes_;
  bool exact_ = true;
};

/// What a query holds of a segment: where its blocks come from and go back to.
struct QueriedSegment {
  std::shared_ptr<const ingest::Segment> segment;  // keeps the file in its place
  std::shared_ptr<const chunks::SegmentReader> reader;
  std::shared_ptr<BlockCache> cache;
  MemoryBudget* budget = nullptr;  // of the query; charged with what an open block takes
};

std::unique_ptr<StoreBlockHandle> make_segment_handle(StreamPtr stream, std::shared_ptr<const QueriedSegment> segment,
                                                      std::size_t block);
/// `budget` is the query's.
std::unique_ptr<StoreBlockHandle> make_head_handle(StreamPtr stream, ingest::ChunkView chunk, MemoryBudget& budget);

}  // namespace kvasir::server
