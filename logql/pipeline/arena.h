// arena.h -- bytes that live as long as one entry is processed: unescaped values, formatted lines.
//
// Lifetime: views stay valid until reset(); reset keeps the memory, so the steady state allocates nothing.
// Threads:  one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace kvasir::logql {

class Arena {
 public:
  /// Room for `size` bytes, uninitialised. A later call may follow it directly but never moves it.
  char* allocate(std::size_t size) {
    if (size > static_cast<std::size_t>(end_ - next_)) grow(size);
    char* bytes = next_;
    next_ += size;
    return bytes;
  }
  /// Gives back the unused tail of the last allocation.
  void shrink_last(char* end) { next_ = end; }
  std::string_view copy(std::string_view text);
  void reset();

 private:
  void grow(std::size_t size);

  struct Chunk {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };
  std::vector<Chunk> chunks_;
  std::size_t current_ = 0;  // chunks_[current_] is being filled
  char* next_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace kvasir::logql
