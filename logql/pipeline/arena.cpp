#include "logql/pipeline/arena.h"

#include <algorithm>
#include <cstring>

namespace kvasir::logql {

namespace {
constexpr std::size_t kFirstChunkBytes = 4096;
constexpr std::size_t kChunkBytesKept = 1 << 20;  // larger ones are let go at reset
}  // namespace

std::string_view Arena::copy(std::string_view text) {
  if (text.empty()) return {};
  char* bytes = allocate(text.size());
  std::memcpy(bytes, text.data(), text.size());
  return {bytes, text.size()};
}

void Arena::reset() {
  if (chunks_.empty()) return;
  std::erase_if(chunks_, [](const Chunk& chunk) { return chunk.size > kChunkBytesKept; });
  current_ = 0;
  next_ = chunks_.empty() ? nullptr : chunks_[0].bytes.get();
  end_ = chunks_.empty() ? nullptr : next_ + chunks_[0].size;
}

void Arena::grow(std::size_t size) {
  std::size_t following = chunks_.empty() ? 0 : current_ + 1;
  while (following < chunks_.size() && chunks_[following].size < size) ++following;
  if (following >= chunks_.size()) {
    const std::size_t last = chunks_.empty() ? kFirstChunkBytes / 2 : chunks_.back().size;
    const std::size_t bytes = std::max(size, std::min(last * 2, kChunkBytesKept));
    chunks_.push_back({std::make_unique<char[]>(bytes), bytes});
    following = chunks_.size() - 1;
  }
  current_ = following;
  next_ = chunks_[current_].bytes.get();
  end_ = next_ + chunks_[current_].size;
}

}  // namespace kvasir::logql
