// text_arena.h -- text that lives as long as a decoded push: unescaped strings, built label strings.
//
// Lifetime: views stay valid until clear() or destruction; moving the arena keeps them.
// Threads:  one at a time.
#pragma once

#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace kvasir::ingest {

class TextArena {
 public:
  /// Room for `size` bytes; give the unused end back with shrink() before the next call.
  char* allocate(std::size_t size) {
    if (size > left_) grow(size);
    char* place = next_;
    next_ += size;
    left_ -= size;
    return place;
  }
  void shrink(std::size_t unused) {
    next_ -= unused;
    left_ += unused;
  }
  std::string_view copy(std::string_view text) {
    char* place = allocate(text.size());
    if (!text.empty()) std::memcpy(place, text.data(), text.size());
    return {place, text.size()};
  }
  /// Keeps the newest block for reuse.
  void clear() {
    bytes_ = 0;
    if (blocks_.empty()) return;
    if (blocks_.size() > 1) blocks_.erase(blocks_.begin(), blocks_.end() - 1);
    next_ = blocks_.back().bytes.get();
    left_ = bytes_ = blocks_.back().size;
  }
  std::size_t held_bytes() const { return bytes_; }

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    std::size_t size;
  };
  static constexpr std::size_t kBlockBytes = 16 * 1024;

  void grow(std::size_t size) {
    const std::size_t block = size > kBlockBytes ? size : kBlockBytes;
    blocks_.push_back({std::make_unique_for_overwrite<char[]>(block), block});
    next_ = blocks_.back().bytes.get();
    left_ = block;
    bytes_ += block;
  }

  std::vector<Block> blocks_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace kvasir::ingest
