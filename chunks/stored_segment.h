// stored_segment.h -- the SegmentReader over a file's bytes, with the doors that pruning and inspection need.
#pragma once

#include <atomic>
#include <memory>

#include "chunks/id_region.h"
#include "chunks/segment_index.h"
#include "chunks/segment_reader.h"
#include "chunks/stored_block.h"
#include "chunks/trigrams.h"

namespace kvasir::chunks {

class StoredSegment final : public SegmentReader {
 public:
  StoredSegment(std::shared_ptr<const RandomFile> file, std::string_view bytes, SegmentIndex index);

  std::span<const SegmentStream> streams() const override { return index_.streams; }
  std::span<const BlockEntry> blocks() const override { return index_.blocks; }
  std::pair<std::size_t, std::size_t> blocks_of(std::size_t stream) const override;
  Result<std::unique_ptr<Block>> open_block(std::size_t index) const override;
  std::optional<std::vector<std::uint32_t>> blocks_with_id(std::string_view id) const override;
  std::uint64_t file_bytes() const override { return bytes_.size(); }

  Result<std::unique_ptr<StoredBlock>> open_stored(std::size_t index) const;
  /// Null if damaged.
  const TrigramIndex* trigrams() const;
  /// False on damage: nothing may then be concluded from filters.
  bool filters_usable() const;
  std::string_view filter_of(std::size_t block) const;
  const IdRegion& ids() const { return ids_; }
  const SegmentIndex& index() const { return index_; }

 private:
  std::shared_ptr<const RandomFile> file_;  // may be null
  std::string_view bytes_;
  SegmentIndex index_;
  IdRegion ids_;
  mutable std::atomic<int> filters_state_{0};  // 0 not looked at, 1 usable, 2 damaged
  mutable std::atomic<std::shared_ptr<const std::optional<TrigramIndex>>> trigrams_;
};

}  // namespace kvasir::chunks
