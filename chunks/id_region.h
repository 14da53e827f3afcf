// id_region.h -- the ids of a segment: pools of distinct ids that many rows share, and the slots (id columns of
// blocks).
//
// Pool:     the ids of one width, sorted, each once; beside it the order of their first appearance in time. A slot that
//           refers to the pool stores ranks of that order: traces live close together in time, so neighbouring rows
//           have near ranks.
// Slot:     raw bytes (ids that occur once, such as span ids), or ranks in groups of kIdGroupRows with least and
//           greatest rank, so that one id is found by reading a group or two.
// Threads:  reading from any thread.
// Errors:   corruption.
// Source:   docs/formats/segment-v1.md section 6.1.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chunks/id_store.h"
#include "common/bytes.h"
#include "common/result.h"

namespace kvasir::chunks {

inline constexpr std::size_t kIdGroupRows = 1024;

enum class SlotWay : std::uint8_t { kRaw = 0, kRanks = 1 };

/// What the segment index says of one slot.
struct SlotEntry {
  std::uint32_t block = 0;  // index into the blocks
  std::uint32_t width = 0;
  std::uint32_t count = 0;
  SlotWay way = SlotWay::kRaw;
  std::uint64_t offset = 0;  // in the id region
  std::uint64_t bytes = 0;
  std::uint32_t crc = 0;
};

struct PoolEntry {
  std::uint32_t width = 0;
  std::uint32_t count = 0;
  std::uint64_t offset = 0;  // in the id region: first ranks, then ids
  std::uint64_t rank_bytes = 0;
  std::uint32_t crc = 0;  // over both
};

struct IdRegionEntries {
  std::vector<PoolEntry> pools;
  std::vector<SlotEntry> slots;
};

/// Packs the slots; appends to `region`. Blocks in the entries are as in the pending ids.
IdRegionEntries write_id_region(const PendingIdStore& pending, std::string& region);

void write_id_entries(const IdRegionEntries& entries, std::string& out);
/// False: damaged. Offsets and sizes are checked against region_bytes.
bool read_id_entries(std::string_view& bytes, std::uint64_t region_bytes, std::size_t blocks, IdRegionEntries& entries);

class IdRegion final : public IdSource {
 public:
  IdRegion(std::string_view region, IdRegionEntries entries);

  Result<void> read_slot(std::uint32_t slot, std::uint32_t width, std::size_t count, char* out) const override;
  Result<std::vector<std::uint32_t>> find_in_slot(std::uint32_t slot, std::size_t count,
                                                  std::string_view id) const override;

  const IdRegionEntries& entries() const { return entries_; }
  /// Appends the blocks in whose pooled columns the id occurs, in no order. On damage: every block with such a column.
  void blocks_of_pooled(std::string_view id, std::vector<std::uint32_t>& blocks) const;

 private:
  struct Pool {
    PoolEntry entry;
    std::vector<std::uint32_t> sorted_position;  // of each rank
    std::string_view ids;
  };

  Result<const Pool*> pool(std::uint32_t width) const;
  Result<std::optional<std::uint32_t>> rank_of(std::string_view id) const;
  Result<std::string_view> checked(const SlotEntry& slot) const;
  Result<void> read_ranks(const SlotEntry& slot, char* out) const;
  Result<std::vector<std::uint32_t>> find_rank(const SlotEntry& slot, std::uint32_t rank) const;

  std::string_view region_;
  IdRegionEntries entries_;
  mutable std::vector<std::atomic<std::shared_ptr<const Pool>>> pools_;  // loaded at first use
};

}  // namespace kvasir::chunks
