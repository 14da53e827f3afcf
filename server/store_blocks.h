// store_blocks.h -- segment blocks and head chunks as the query engine sees them.
//
// Lifetime: handles and blocks keep their segment or chunk alive.
// Threads:  handles from any thread, a block by one at a time.
// Errors:   those of chunks::Block, and limit_exceeded if an open block does not fit the query's memory. Where the
//           engine's interface has no room for an error (lengths, sequences, metadata), damage gives neutral values
//           there and is reported by lines().
#pragma once

#include <memory>
#include <mutex>

#include "chunks/segment_reader.h"
#include "ingest/tenant_head.h"
#include "logql/log_source.h"
#include "server/block_cache.h"
#include "server/delete_requests.h"

namespace kvasir::server {

using StreamPtr = std::shared_ptr<const logql::StreamIdentity>;

/// What a query holds of a segment: where its blocks come from and go back to.
class QueriedSegment {
 public:
  /// `budget` is the query's; charged with what an open block takes.
  QueriedSegment(std::shared_ptr<const ingest::Segment> in, std::shared_ptr<const chunks::SegmentReader> opened,
                 std::shared_ptr<BlockCache> blocks, MemoryBudget& query_budget);

  /// Null: a query asks for the ends of one step and phase only.
  StepEnds* ends(std::int64_t step, std::int64_t phase) const;

  const std::shared_ptr<const ingest::Segment> segment;  // keeps the file in its place
  const std::shared_ptr<const chunks::SegmentReader> reader;
  const std::shared_ptr<BlockCache> cache;
  const std::shared_ptr<NotedSegment> notes;
  MemoryBudget& budget;

 private:
  mutable std::once_flag asked_;
  mutable std::shared_ptr<StepEnds> ends_;
};

/// Where a block of a segment is, in the hands of a query.
struct SegmentPlace {
  SegmentPlace(std::shared_ptr<const QueriedSegment> segment, std::size_t number)
      : in(std::move(segment)), block(number), entry(&in->reader->blocks()[number]) {}

  std::shared_ptr<const QueriedSegment> in;
  std::size_t block;
  const chunks::BlockEntry* entry;  // of the reader

  BlockCache::Key key() const { return {in->reader.get(), entry->part}; }
};

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
  std::span<const logql::IntervalEnd> known_interval_ends(std::int64_t step, std::int64_t phase) const final;
  void note_apart(const logql::BlockHandle& other) const final;
  /// True if it is known that no entry is in both.
  bool is_apart(const StoreBlockHandle& other) const;
  /// Names and values of structured metadata over all rows.
  virtual std::uint64_t metadata_bytes() const = 0;

 protected:
  explicit StoreBlockHandle(StreamPtr stream) : stream_(std::move(stream)) {}
  virtual Result<std::unique_ptr<logql::LogBlock>> open_rows() const = 0;
  /// Null: not of a segment.
  virtual const SegmentPlace* place() const { return nullptr; }

 private:
  StreamPtr stream_;
  std::vector<DeletePtr> deletes_;
  bool exact_ = true;
};

std::unique_ptr<StoreBlockHandle> make_segment_handle(StreamPtr stream, std::shared_ptr<const QueriedSegment> segment,
                                                      std::size_t block);
/// `budget` is the query's.
std::unique_ptr<StoreBlockHandle> make_head_handle(StreamPtr stream, ingest::ChunkView chunk, MemoryBudget& budget);

}  // namespace kvasir::server
