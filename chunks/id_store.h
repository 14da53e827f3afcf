// id_store.h -- where id columns leave their bytes while a segment is written, and find them when it is read.
//
// Shape:    a slot is one id column of one block: fixed-width values in row order.
// Lifetime: an IdSource outlives the blocks that ask it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace kvasir::chunks {

/// One id column while the segment is written.
struct PendingIds {
  std::uint32_t block = 0;
  std::uint32_t width = 0;          // bytes of one value
  std::string bytes;                // width each
  std::vector<std::int64_t> times;  // of the entry of each value; empty: spread evenly from `first` on
  std::int64_t first = 0;
  double step = 0;                  // ns
  bool hashed = false;              // its ids are among the block's token hashes already
  bool pooled = false;              // the pool must hold them: the block's filter, copied, does not
  std::size_t count() const { return bytes.size() / width; }
  std::int64_t time_of(std::size_t value) const {
    return times.empty() ? first + static_cast<std::int64_t>(step * static_cast<double>(value)) : times[value];
  }
};

/// Reading: the bytes of a slot.
class IdSource {
 public:
  virtual ~IdSource() = default;
  /// Writes count * width bytes to out. Errors: corruption, also when the slot has another count or width.
  virtual Result<void> read_slot(std::uint32_t slot, std::uint32_t width, std::size_t count, char* out) const = 0;
  /// Values of the slot that equal the id, as ascending indexes. Faster than reading the slot.
  virtual Result<std::vector<std::uint32_t>> find_in_slot(std::uint32_t slot, std::size_t count,
                                                          std::string_view id) const = 0;
};

/// Slots of one block: `shift` is added to the numbers that the block has for them.
struct IdSlots {
  IdSlots(const IdSource& all, std::uint32_t added = 0) : source(&all), shift(added) {}  // NOLINT: mostly no shift
  const IdSource* source;
  std::uint32_t shift;
};

/// Writing: slots in the order in which columns asked for them.
class PendingIdStore final : public IdSource {
 public:
  std::uint32_t add(PendingIds ids) {
    slots_.push_back(std::move(ids));
    return static_cast<std::uint32_t>(slots_.size() - 1);
  }
  /// Drops the slots from `size` on: their columns were not kept.
  void truncate(std::size_t size) { slots_.resize(size); }
  std::size_t size() const { return slots_.size(); }
  const std::vector<PendingIds>& slots() const { return slots_; }
  void clear() { slots_ = {}; }
  void set_block(std::size_t from, std::uint32_t block) {
    for (; from < slots_.size(); ++from) slots_[from].block = block;
  }
  void set_hashed(std::size_t from) {
    for (; from < slots_.size(); ++from) slots_[from].hashed = true;
  }

  Result<void> read_slot(std::uint32_t slot, std::uint32_t width, std::size_t count, char* out) const override;
  Result<std::vector<std::uint32_t>> find_in_slot(std::uint32_t slot, std::size_t count,
                                                  std::string_view id) const override;

 private:
  std::vector<PendingIds> slots_;
};

}  // namespace kvasir::chunks
