// arena.h -- bump storage for the texts of one entry: values stay where they are until the entry is begun anew.
//
// Lifetime: every view handed out lives until clear() or destruction; clear() keeps the first block, so a steady stream
//           of lines of ordinary size allocates nothing.
// Threads:  one.
// Limits:   blocks beyond kArenaKeepMax are given back at clear(), so that one huge line does not stay in memory.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace kvasir::agent {

inline constexpr std::size_t kArenaBlockBytes = 4 << 10;
inline constexpr std::size_t kArenaKeepMax = 256 << 10;

class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  /// The source is left empty and usable.
  Arena(Arena&& other) noexcept { *this = std::move(other); }
  Arena& operator=(Arena&& other) noexcept;

  /// Uninitialised room. REQUIRES: used for bytes only (no alignment is promised).
  char* allocate(std::size_t size) {
    if (size > room_) grow(size);
    char* at = next_;
    next_ += size;
    room_ -= size;
    return at;
  }
  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* at = allocate(text.size());
    std::memcpy(at, text.data(), text.size());
    return {at, text.size()};
  }
  /// Gives back the tail of the newest allocation. REQUIRES: `at` came from the last allocate() of `size`.
  void shrink(std::size_t size, std::size_t used) {
    next_ -= size - used;
    room_ += size - used;
  }
  void clear();
  std::size_t bytes_reserved() const { return reserved_; }

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };
  void grow(std::size_t size);

  std::vector<Block> blocks_;
  char* next_ = nullptr;
  std::size_t room_ = 0;
  std::size_t reserved_ = 0;
};

}  // namespace kvasir::agent
