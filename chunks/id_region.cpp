#include "chunks/id_region.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <numeric>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "chunks/int_codec.h"
#include "chunks/limits.h"
#include "common/crc32c.h"

namespace kvasir::chunks {
namespace {

constexpr double kSharedShareMin = 0.25;  // of a slot's values that occur elsewhere too, for the slot to use the pool

Error damaged(std::string_view what) { return Error(ErrorCode::kCorruption, "ids damaged: " + std::string(what)); }

struct Seen {
  const char* id = nullptr;
  std::uint32_t times = 0;
  std::uint32_t rank = 0;
  std::int64_t first = 0;  // earliest entry timestamp
};

std::string_view id_at(const PendingIds& slot, std::size_t i) {
  return std::string_view(slot.bytes).substr(i * slot.width, slot.width);
}

/// The distinct ids of all slots of one width, and for each value which one it is.
class Census {
 public:
  explicit Census(std::span<const PendingIds* const> slots) : width_(slots.front()->width), index_(kIndexLeast) {
    for (const PendingIds* slot : slots) add(*slot);
  }
  std::string_view id_of(std::uint32_t number) const { return {ids_[number].id, width_}; }
  std::span<const std::uint32_t> numbers(const PendingIds& slot) const { return numbers_.at(&slot); }
  std::vector<Seen>& ids() { return ids_; }
  const Seen& operator[](std::uint32_t number) const { return ids_[number]; }

 private:
  void add(const PendingIds& slot) {
    auto& numbers = numbers_[&slot];
    numbers.reserve(slot.count());
    for (std::size_t i = 0; i < slot.count(); ++i) {
      const std::uint32_t number = find(id_at(slot, i));
      Seen& seen = ids_[number];
      const std::int64_t time = slot.time_of(i);
      if (seen.times++ == 0 || time < seen.first) seen.first = time;
      numbers.push_back(number);
    }
  }

  /// Where the id is in the index, or where it belongs.
  std::size_t place_of(std::string_view id) const {
    const std::size_t mask = index_.size() - 1;
    std::size_t at = XXH3_64bits(id.data(), id.size()) & mask;
    while (index_[at] != 0 && id_of(index_[at] - 1) != id) at = (at + 1) & mask;
    return at;
  }

  std::uint32_t find(std::string_view id) {
    std::size_t at = place_of(id);
    if (index_[at] != 0) return index_[at] - 1;
    if ((ids_.size() + 1) * 4 > index_.size() * 3) {
      grow_index();
      at = place_of(id);
    }
    ids_.push_back({id.data()});
    index_[at] = static_cast<std::uint32_t>(ids_.size());
    return index_[at] - 1;
  }

  void grow_index() {
    const std::size_t slots = index_.size() * 2;
    index_ = {};  // before the new one is taken
    index_.resize(slots);
    const std::size_t mask = slots - 1;
    for (std::uint32_t number = 0; number < ids_.size(); ++number) {
      std::size_t at = XXH3_64bits(ids_[number].id, width_) & mask;
      while (index_[at] != 0) at = (at + 1) & mask;
      index_[at] = number + 1;
    }
  }

  static constexpr std::size_t kIndexLeast = 1024;
  const std::size_t width_;
  std::vector<Seen> ids_;
  std::vector<std::uint32_t> index_;  // open addressing: number + 1, 0 = free
  std::map<const PendingIds*, std::vector<std::uint32_t>> numbers_;
};

bool is_shared(std::span<const std::uint32_t> numbers, const Census& census) {
  const auto shared =
      std::count_if(numbers.begin(), numbers.end(), [&](std::uint32_t n) { return census[n].times > 1; });
  return static_cast<double>(shared) >= kSharedShareMin * static_cast<double>(numbers.size());
}

/// Gives every id of the shared slots its rank and writes the pool.
PoolEntry write_pool(std::span<const PendingIds* const> shared, Census& census, std::string& region) {
  std::vector<std::uint32_t> sorted;
  std::vector<bool> taken(census.ids().size());
  for (const PendingIds* slot : shared) {
    for (const std::uint32_t number : census.numbers(*slot)) {
      if (!taken[number]) sorted.push_back(number);
      taken[number] = true;
    }
  }
  std::sort(sorted.begin(), sorted.end(), [&](auto a, auto b) { return census.id_of(a) < census.id_of(b); });
  std::vector<std::uint32_t> by_time(sorted.size());
  std::iota(by_time.begin(), by_time.end(), 0u);
  std::sort(by_time.begin(), by_time.end(), [&](auto a, auto b) {
    const Seen &x = census[sorted[a]], &y = census[sorted[b]];
    return x.first != y.first ? x.first < y.first : a < b;
  });
  std::vector<std::int64_t> positions(sorted.size());
  for (std::uint32_t rank = 0; rank < by_time.size(); ++rank) {
    census.ids()[sorted[by_time[rank]]].rank = rank;
    positions[rank] = by_time[rank];
  }
  PoolEntry entry{shared[0]->width, static_cast<std::uint32_t>(sorted.size()), region.size(), 0, 0};
  encode_ints_fast(positions, region);
  entry.rank_bytes = region.size() - entry.offset;
  for (const std::uint32_t number : sorted) region.append(census.id_of(number));
  entry.crc = crc32c(std::string_view(region).substr(entry.offset));
  return entry;
}

/// Groups: table of (least rank, spread, bytes), then the groups.
void write_ranks(std::span<const std::uint32_t> numbers, const Census& census, std::string& region) {
  std::string table, groups;
  ByteWriter writer(table);
  std::int64_t previous = 0;
  for (std::size_t begin = 0; begin < numbers.size(); begin += kIdGroupRows) {
    std::vector<std::int64_t> ranks;
    for (std::size_t i = begin; i < std::min(begin + kIdGroupRows, numbers.size()); ++i)
      ranks.push_back(census[numbers[i]].rank);
    const auto [least, greatest] = std::minmax_element(ranks.begin(), ranks.end());
    const std::size_t before = groups.size();
    encode_ints(ranks, groups);
    writer.zigzag(*least - previous);
    writer.varint(static_cast<std::uint64_t>(*greatest - *least));
    writer.varint(groups.size() - before);
    previous = *least;
  }
  region.append(table);
  region.append(groups);
}

struct Group {
  std::int64_t least, greatest;
  std::string_view bytes;
  std::size_t first;  // value
  std::size_t count;
};

bool read_groups(std::string_view bytes, std::size_t count, std::vector<Group>& groups) {
  ByteReader reader(bytes);
  std::vector<std::uint64_t> sizes;
  std::int64_t previous = 0;
  for (std::size_t begin = 0; begin < count; begin += kIdGroupRows) {
    const std::int64_t least =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(previous) + static_cast<std::uint64_t>(reader.zigzag()));
    const std::uint64_t spread = reader.varint();
    sizes.push_back(reader.varint());
    if (!reader.ok() || least < 0 || least > 0xffffffff || spread > 0xffffffff) return false;
    groups.push_back(
        {least, least + static_cast<std::int64_t>(spread), {}, begin, std::min(kIdGroupRows, count - begin)});
    previous = least;
  }
  for (std::size_t g = 0; g < groups.size(); ++g) groups[g].bytes = reader.raw(sizes[g]);
  return reader.ok() && reader.at_end();
}

bool decode_group(const Group& group, std::span<std::int64_t> out) {
  std::string_view bytes = group.bytes;
  return decode_ints(bytes, out.first(group.count)) && bytes.empty();
}

}  // namespace

Result<void> PendingIdStore::read_slot(std::uint32_t slot, std::uint32_t width, std::size_t count, char* out) const {
  if (slot >= slots_.size() || slots_[slot].width != width || slots_[slot].count() != count)
    return fail(damaged("pending slot"));
  std::memcpy(out, slots_[slot].bytes.data(), slots_[slot].bytes.size());
  return {};
}

Result<std::vector<std::uint32_t>> PendingIdStore::find_in_slot(std::uint32_t slot, std::size_t count,
                                                                std::string_view id) const {
  std::vector<std::uint32_t> found;
  if (slot >= slots_.size() || slots_[slot].count() != count) return fail(damaged("pending slot"));
  if (slots_[slot].width != id.size()) return found;
  for (std::size_t i = 0; i < count; ++i) {
    if (id_at(slots_[slot], i) == id) found.push_back(static_cast<std::uint32_t>(i));
  }
  return found;
}

IdRegionEntries write_id_region(const PendingIdStore& pending, std::string& region) {
  IdRegionEntries entries;
  entries.slots.resize(pending.slots().size());
  std::map<std::uint32_t, std::vector<const PendingIds*>> by_width;
  for (const PendingIds& slot : pending.slots()) by_width[slot.width].push_back(&slot);
  for (const auto& [width, slots] : by_width) {
    Census census(slots);
    std::vector<const PendingIds*> shared;
    for (const PendingIds* slot : slots) {
      if (slot->pooled || is_shared(census.numbers(*slot), census)) shared.push_back(slot);
    }
    std::vector<bool> pooled(pending.slots().size());
    for (const PendingIds* slot : shared) pooled[static_cast<std::size_t>(slot - pending.slots().data())] = true;
    if (!shared.empty()) entries.pools.push_back(write_pool(shared, census, region));
    for (const PendingIds* slot : slots) {
      const auto index = static_cast<std::size_t>(slot - pending.slots().data());
      SlotEntry& entry = entries.slots[index];
      entry = {slot->block, width, static_cast<std::uint32_t>(slot->count()), SlotWay::kRaw, region.size(), 0, 0};
      if (pooled[index]) {
        entry.way = SlotWay::kRanks;
        write_ranks(census.numbers(*slot), census, region);
      } else {
        region.append(slot->bytes);
      }
      entry.bytes = region.size() - entry.offset;
      entry.crc = crc32c(std::string_view(region).substr(entry.offset));
    }
  }
  return entries;
}

void write_id_entries(const IdRegionEntries& entries, std::string& out) {
  ByteWriter writer(out);
  writer.varint(entries.pools.size());
  for (const PoolEntry& pool : entries.pools) {
    writer.varint(pool.width);
    writer.varint(pool.count);
    writer.varint(pool.offset);
    writer.varint(pool.rank_bytes);
    writer.fixed(pool.crc);
  }
  writer.varint(entries.slots.size());
  for (const SlotEntry& slot : entries.slots) {
    writer.varint(slot.block);
    writer.varint(slot.width);
    writer.varint(slot.count);
    writer.fixed(static_cast<std::uint8_t>(slot.way));
    writer.varint(slot.offset);
    writer.varint(slot.bytes);
    writer.fixed(slot.crc);
  }
}

bool read_id_entries(std::string_view& bytes, std::uint64_t region_bytes, std::size_t blocks,
                     IdRegionEntries& entries) {
  constexpr std::uint64_t kWidthMax = 32;
  ByteReader reader(bytes);
  entries.pools.resize(reader.count(8));
  for (PoolEntry& pool : entries.pools) {
    const std::uint64_t width = reader.varint(), count = reader.varint();
    pool.offset = reader.varint();
    pool.rank_bytes = reader.varint();
    pool.crc = reader.fixed<std::uint32_t>();
    if (width == 0 || width > kWidthMax || count == 0 || count > region_bytes / width) return false;
    if (pool.offset > region_bytes || pool.rank_bytes > region_bytes - pool.offset) return false;
    if (width * count > region_bytes - pool.offset - pool.rank_bytes) return false;
    pool.width = static_cast<std::uint32_t>(width);
    pool.count = static_cast<std::uint32_t>(count);
  }
  entries.slots.resize(reader.count(10));
  for (SlotEntry& slot : entries.slots) {
    const std::uint64_t block = reader.varint(), width = reader.varint(), count = reader.varint();
    const auto way = reader.fixed<std::uint8_t>();
    slot.offset = reader.varint();
    slot.bytes = reader.varint();
    slot.crc = reader.fixed<std::uint32_t>();
    if (block >= blocks || width == 0 || width > kWidthMax || way > 1) return false;
    if (count == 0 || count > std::uint64_t{kBlockRowsMax} * kSlotsMax) return false;
    if (slot.offset > region_bytes || slot.bytes > region_bytes - slot.offset) return false;
    if (way == 0 && slot.bytes != width * count) return false;
    slot.block = static_cast<std::uint32_t>(block);
    slot.width = static_cast<std::uint32_t>(width);
    slot.count = static_cast<std::uint32_t>(count);
    slot.way = static_cast<SlotWay>(way);
  }
  bytes = reader.rest();
  return reader.ok();
}

IdRegion::IdRegion(std::string_view region, IdRegionEntries entries)
    : region_(region), entries_(std::move(entries)), pools_(entries_.pools.size()) {}

Result<const IdRegion::Pool*> IdRegion::pool(std::uint32_t width) const {
  for (std::size_t p = 0; p < entries_.pools.size(); ++p) {
    const PoolEntry& entry = entries_.pools[p];
    if (entry.width != width) continue;
    if (const auto loaded = pools_[p].load()) return loaded.get();
    const std::string_view bytes =
        region_.substr(entry.offset, entry.rank_bytes + std::uint64_t{entry.width} * entry.count);
    if (crc32c(bytes) != entry.crc) return fail(damaged("pool checksum"));
    auto made = std::make_shared<Pool>();
    made->entry = entry;
    made->ids = bytes.substr(entry.rank_bytes);
    std::vector<std::int64_t> positions(entry.count);
    std::string_view packed = bytes.substr(0, entry.rank_bytes);
    if (!decode_ints(packed, positions) || !packed.empty()) return fail(damaged("pool ranks"));
    made->sorted_position.resize(entry.count);
    for (std::size_t rank = 0; rank < positions.size(); ++rank) {
      if (static_cast<std::uint64_t>(positions[rank]) >= entry.count) return fail(damaged("pool position"));
      made->sorted_position[rank] = static_cast<std::uint32_t>(positions[rank]);
    }
    std::shared_ptr<const Pool> none;
    pools_[p].compare_exchange_strong(none, std::move(made));  // whoever came first stays
    return pools_[p].load().get();
  }
  return fail(damaged("no pool of that width"));
}

Result<std::string_view> IdRegion::checked(const SlotEntry& slot) const {
  const std::string_view bytes = region_.substr(slot.offset, slot.bytes);
  if (crc32c(bytes) != slot.crc) return fail(damaged("slot checksum"));
  return bytes;
}

Result<void> IdRegion::read_slot(std::uint32_t slot, std::uint32_t width, std::size_t count, char* out) const {
  if (slot >= entries_.slots.size()) return fail(damaged("slot number"));
  const SlotEntry& entry = entries_.slots[slot];
  if (entry.width != width || entry.count != count) return fail(damaged("slot size"));
  if (entry.way == SlotWay::kRanks) return read_ranks(entry, out);
  KVASIR_TRY(const std::string_view bytes, checked(entry));
  std::memcpy(out, bytes.data(), bytes.size());
  return {};
}

Result<void> IdRegion::read_ranks(const SlotEntry& slot, char* out) const {
  KVASIR_TRY(const std::string_view bytes, checked(slot));
  KVASIR_TRY(const Pool* const pool, this->pool(slot.width));
  std::vector<Group> groups;
  if (!read_groups(bytes, slot.count, groups)) return fail(damaged("slot groups"));
  std::vector<std::int64_t> ranks(kIdGroupRows);
  for (const Group& group : groups) {
    if (!decode_group(group, ranks)) return fail(damaged("slot ranks"));
    for (std::size_t i = 0; i < group.count; ++i, out += slot.width) {
      if (static_cast<std::uint64_t>(ranks[i]) >= pool->entry.count) return fail(damaged("slot rank"));
      std::memcpy(
          out, pool->ids.data() + std::size_t{pool->sorted_position[static_cast<std::size_t>(ranks[i])]} * slot.width,
          slot.width);
    }
  }
  return {};
}

Result<std::optional<std::uint32_t>> IdRegion::rank_of(std::string_view id) const {
  KVASIR_TRY(const Pool* const pool, this->pool(static_cast<std::uint32_t>(id.size())));
  std::size_t low = 0, high = pool->entry.count;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (pool->ids.substr(middle * id.size(), id.size()) < id) low = middle + 1;
    else high = middle;
  }
  if (low == pool->entry.count || pool->ids.substr(low * id.size(), id.size()) != id)
    return std::optional<std::uint32_t>();
  const auto& positions = pool->sorted_position;
  const auto rank = std::find(positions.begin(), positions.end(), static_cast<std::uint32_t>(low)) - positions.begin();
  return std::optional<std::uint32_t>(static_cast<std::uint32_t>(rank));
}

Result<std::vector<std::uint32_t>> IdRegion::find_rank(const SlotEntry& slot, std::uint32_t rank) const {
  KVASIR_TRY(const std::string_view bytes, checked(slot));
  std::vector<Group> groups;
  if (!read_groups(bytes, slot.count, groups)) return fail(damaged("slot groups"));
  std::vector<std::uint32_t> found;
  std::vector<std::int64_t> ranks(kIdGroupRows);
  for (const Group& group : groups) {
    if (rank < group.least || rank > group.greatest) continue;
    if (!decode_group(group, ranks)) return fail(damaged("slot ranks"));
    for (std::size_t i = 0; i < group.count; ++i) {
      if (ranks[i] == rank) found.push_back(static_cast<std::uint32_t>(group.first + i));
    }
  }
  return found;
}

Result<std::vector<std::uint32_t>> IdRegion::find_in_slot(std::uint32_t slot, std::size_t count,
                                                          std::string_view id) const {
  if (slot >= entries_.slots.size() || entries_.slots[slot].count != count) return fail(damaged("slot size"));
  const SlotEntry& entry = entries_.slots[slot];
  std::vector<std::uint32_t> found;
  if (entry.width != id.size()) return found;
  if (entry.way == SlotWay::kRanks) {
    KVASIR_TRY(const auto rank, rank_of(id));
    return rank ? find_rank(entry, *rank) : Result<std::vector<std::uint32_t>>(found);
  }
  KVASIR_TRY(const std::string_view bytes, checked(entry));
  for (std::size_t i = 0; i < count; ++i) {
    if (std::memcmp(bytes.data() + i * id.size(), id.data(), id.size()) == 0)
      found.push_back(static_cast<std::uint32_t>(i));
  }
  return found;
}

void IdRegion::blocks_of_pooled(std::string_view id, std::vector<std::uint32_t>& blocks) const {
  const auto width = static_cast<std::uint32_t>(id.size());
  if (std::none_of(entries_.pools.begin(), entries_.pools.end(),
                   [&](const PoolEntry& pool) { return pool.width == width; }))
    return;
  const auto rank = rank_of(id);
  if (rank && !*rank) return;
  for (const SlotEntry& slot : entries_.slots) {
    if (slot.way != SlotWay::kRanks || slot.width != width) continue;
    const auto found = rank ? find_rank(slot, **rank) : Result<std::vector<std::uint32_t>>(Unexpected(rank.error()));
    if (!found || !found->empty()) blocks.push_back(slot.block);
  }
}

}  // namespace kvasir::chunks
