#include "promtail-agent/stages/arena.h"

#include <algorithm>

namespace kvasir::agent {

Arena& Arena::operator=(Arena&& other) noexcept {
  blocks_ = std::move(other.blocks_);
  other.blocks_.clear();
  next_ = std::exchange(other.next_, nullptr);
  room_ = std::exchange(other.room_, 0);
  reserved_ = std::exchange(other.reserved_, 0);
  return *this;
}

void Arena::grow(std::size_t size) {
  // Doubling keeps the number of blocks small; the next clear() leaves one.
  const std::size_t wanted = std::max({size, kArenaBlockBytes, reserved_});
  blocks_.push_back({std::make_unique_for_overwrite<char[]>(wanted), wanted});
  next_ = blocks_.back().bytes.get();
  room_ = wanted;
  reserved_ += wanted;
}

void Arena::clear() {
  if (blocks_.size() == 1 && reserved_ <= kArenaKeepMax) {
    next_ = blocks_.front().bytes.get();
    room_ = reserved_;
    return;
  }
  if (blocks_.empty()) return;
  // One block that would have held everything, unless that was an exception in size.
  const std::size_t wanted = std::min(reserved_, kArenaKeepMax);
  blocks_.clear();
  reserved_ = 0;
  room_ = 0;
  grow(wanted);
}

}  // namespace kvasir::agent
