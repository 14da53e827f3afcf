// parts.h -- the byte strings of a block: where each lies, how it is packed, its checksum.
//
// Shape:    a part is described inside META (place, sizes, crc32c) and lies in META itself, in the SMALL frame that
//           short texts share, or in the PARTS area of the block, plain or as a zstd frame.
// Lifetime: PartReader expands into the Arena that it was given; views live as long as that arena and the stored bytes.
// Errors:   corruption: bad checksum, impossible length.
// Source:   docs/formats/segment-v1.md section 4.3.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.h"
#include "common/result.h"

namespace kvasir::chunks {

/// Bytes that live as long as a block.
class Arena {
 public:
  char* allocate(std::size_t bytes) {
    total_bytes_ += bytes;
    pieces_.push_back(std::make_unique_for_overwrite<char[]>(bytes));
    return pieces_.back().get();
  }
  std::uint64_t total_bytes() const { return total_bytes_; }
  void clear() {
    pieces_.clear();
    total_bytes_ = 0;
  }

 private:
  std::vector<std::unique_ptr<char[]>> pieces_;
  std::uint64_t total_bytes_ = 0;
};

enum class Place : std::uint8_t { kInline = 0, kSmall = 1, kPlain = 2, kZstd = 3 };

/// Gathers the parts while META is written.
class PartWriter {
 public:
  /// Text that zstd may shrink.
  void text(std::string_view bytes, ByteWriter& meta);
  /// Bytes that are dense already.
  void dense(std::string_view bytes, ByteWriter& meta);

  const std::string& small() const { return small_; }
  const std::string& area() const { return area_; }

 private:
  std::string small_;
  std::string area_;
};

struct Part {
  Place place = Place::kInline;
  std::uint64_t raw_bytes = 0;
  std::uint64_t small_offset = 0;  // in the SMALL frame
  std::string_view stored;         // inline, plain or zstd bytes
  std::uint32_t crc = 0;
  std::string_view expanded;  // once loaded
  bool loaded = false;
};

/// Hands out the parts of one block in the order in which META names them.
class PartReader {
 public:
  /// `small_frame` is the stored frame, expanded at first use to `small_bytes`.
  PartReader(std::string_view small_frame, std::uint64_t small_bytes, std::string_view area, Arena& arena)
      : small_frame_(small_frame), small_bytes_(small_bytes), area_(area), arena_(arena) {}

  /// From now on describe() compares the checksum of what it describes.
  void check_described() { checks_ = true; }
  /// Reads a description from META; meta goes bad on damage.
  Part describe(ByteReader& meta);
  /// The bytes of a part; checks and expands at first use.
  Result<std::string_view> load(Part& part);

 private:
  Result<std::string_view> small();

  std::string_view small_frame_;
  std::uint64_t small_bytes_;
  std::uint64_t small_used_ = 0;
  std::string_view small_;
  bool small_loaded_ = false;
  std::string_view area_;
  std::size_t area_used_ = 0;
  bool checks_ = false;
  Arena& arena_;
};

}  // namespace kvasir::chunks
