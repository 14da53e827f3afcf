// stored_segment.h -- the SegmentReader over a file's bytes, with the doors that pruning and inspection need.
//
// Parts:    stored blocks; several blocks may be slices of one. Filters, trigrams and ids are kept by part.
// Memory:   the shared block of which open_block() opened a slice last stays open, for the slices that come next: who
//           reads stream after stream meets the slices of one shared block together.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <unordered_map>

#include "chunks/id_region.h"
#include "chunks/segment_index.h"
#include "chunks/segment_reader.h"
#include "chunks/shared_block.h"
#include "chunks/stored_block.h"
#include "chunks/trigrams.h"
#include "common/mutex.h"

namespace kvasir::chunks {

class StoredSegment final : public SegmentReader {
 public:
  StoredSegment(std::shared_ptr<const RandomFile> file, std::string_view bytes, SegmentIndex index);

  std::span<const SegmentStream> streams() const override { return index_.streams; }
  std::span<const BlockEntry> blocks() const override { return index_.blocks; }
  std::pair<std::size_t, std::size_t> blocks_of(std::size_t stream) const override;
  Result<std::unique_ptr<Block>> open_block(std::size_t index) const override;
  bool is_slice(std::size_t index) const override { return blocks_of_part(index_.blocks[index].part).size() > 1; }
  Result<std::shared_ptr<SharedBlock>> shared_block(std::size_t index) const override;
  std::optional<std::vector<std::uint32_t>> blocks_with_id(std::string_view id) const override;
  std::uint64_t file_bytes() const override { return bytes_.size(); }

  std::size_t parts() const { return index_.parts(); }
  /// Of a block that some entry names. Rows of several streams ascend only by slice.
  Result<std::unique_ptr<StoredBlock>> open_part(const BlockEntry& entry, RowOrder order) const;
  /// Blocks that are slices of the part; one: it is not shared.
  std::span<const std::uint32_t> blocks_of_part(std::size_t part) const;
  /// As blocks_with_id.
  std::optional<std::vector<std::uint32_t>> parts_with_id(std::string_view id) const;
  /// Null if damaged.
  const TrigramIndex* trigrams() const;
  /// False on damage: nothing may then be concluded from filters.
  bool filters_usable() const;
  std::string_view filter_of(std::size_t part) const;
  const IdRegion& ids() const { return ids_; }
  /// The bytes of the stored block that the entry names.
  std::string_view stored_part(const BlockEntry& entry) const {
    return bytes_.substr(entry.offset, entry.stored_bytes);
  }
  struct SlotRange {
    std::uint32_t first = 0, count = 0;
  };
  /// The id columns of the part, which mostly lie one after the other; empty: they do not.
  std::optional<SlotRange> slots_of_part(std::size_t part) const;
  const SegmentIndex& index() const { return index_; }

 private:
  static constexpr std::size_t kStripes = 8;
  /// The shared blocks that somebody holds, of every kStripes-th part.
  struct OpenParts {
    Mutex mutex;
    std::unordered_map<std::uint32_t, std::weak_ptr<SharedBlock>> by_part KVASIR_GUARDED_BY(mutex);
  };
  void keep_recent(const std::shared_ptr<SharedBlock>& block) const;

  std::shared_ptr<const RandomFile> file_;  // may be null
  std::string_view bytes_;
  SegmentIndex index_;
  IdRegion ids_;
  std::vector<std::uint32_t> part_starts_;  // parts + 1, into part_blocks_
  std::vector<std::uint32_t> part_blocks_;
  std::vector<SlotRange> part_slots_;       // of each part; from the first to the last
  std::vector<std::uint32_t> slot_counts_;  // of each part: how many of these are its own
  mutable std::array<OpenParts, kStripes> open_parts_;
  mutable Mutex recent_mutex_;
  mutable std::shared_ptr<SharedBlock> recent_ KVASIR_GUARDED_BY(recent_mutex_);
  mutable std::atomic<int> filters_state_{0};  // 0 not looked at, 1 usable, 2 damaged
  mutable std::atomic<std::shared_ptr<const std::optional<TrigramIndex>>> trigrams_;
};

}  // namespace kvasir::chunks
