#include "chunks/parts.h"

#include "chunks/compression.h"
#include "chunks/limits.h"
#include "common/crc32c.h"

namespace kvasir::chunks {
namespace {

constexpr std::size_t kInlineBytesMax = 48;   // a checksum of its own would cost more than it is worth
constexpr std::size_t kSmallBytesMax = 2048;  // shorter texts share one frame and so one window

Error damaged(std::string_view what) {
  return Error(ErrorCode::kCorruption, "block part damaged: " + std::string(what));
}

}  // namespace

void PartWriter::text(std::string_view bytes, ByteWriter& meta) {
  if (bytes.size() < kSmallBytesMax) {
    meta.varint(bytes.size() << 2 | static_cast<unsigned>(Place::kSmall));
    small_.append(bytes);
    return;
  }
  const std::size_t before = area_.size();
  zstd_append(bytes, area_);
  if (area_.size() - before >= bytes.size()) {
    area_.resize(before);
    return dense(bytes, meta);
  }
  meta.varint(bytes.size() << 2 | static_cast<unsigned>(Place::kZstd));
  meta.varint(area_.size() - before);
  meta.fixed(crc32c(std::string_view(area_).substr(before)));
}

void PartWriter::dense(std::string_view bytes, ByteWriter& meta) {
  if (bytes.size() <= kInlineBytesMax) {
    meta.varint(bytes.size() << 2 | static_cast<unsigned>(Place::kInline));
    meta.raw(bytes);
    return;
  }
  meta.varint(bytes.size() << 2 | static_cast<unsigned>(Place::kPlain));
  meta.fixed(crc32c(bytes));
  area_.append(bytes);
}

Part PartReader::describe(ByteReader& meta) {
  Part part;
  const std::uint64_t head = meta.varint();
  part.place = static_cast<Place>(head & 3);
  part.raw_bytes = head >> 2;
  std::uint64_t stored_bytes = part.raw_bytes;
  switch (part.place) {
    case Place::kInline: part.stored = meta.raw(part.raw_bytes); return part;
    case Place::kSmall:
      part.small_offset = small_used_;
      if (part.raw_bytes > small_bytes_ - small_used_) meta.raw(~std::uint64_t{0});  // spoils the reader
      else small_used_ += part.raw_bytes;
      return part;
    case Place::kPlain: break;
    case Place::kZstd: stored_bytes = meta.varint(); break;
  }
  part.crc = meta.fixed<std::uint32_t>();
  if (stored_bytes > area_.size() - area_used_ || part.raw_bytes > kPartBytesMax) {
    meta.raw(~std::uint64_t{0});
    return part;
  }
  part.stored = area_.substr(area_used_, stored_bytes);
  area_used_ += stored_bytes;
  if (checks_ && crc32c(part.stored) != part.crc) meta.raw(~std::uint64_t{0});
  return part;
}

Result<std::string_view> PartReader::small() {
  if (small_loaded_) return small_;
  if (small_bytes_ > kPartBytesMax) return fail(damaged("small frame too long"));
  char* const bytes = arena_.allocate(small_bytes_);
  if (small_bytes_ != 0 && !zstd_expand(small_frame_, bytes, small_bytes_)) return fail(damaged("small frame"));
  small_ = std::string_view(bytes, small_bytes_);
  small_loaded_ = true;
  return small_;
}

Result<std::string_view> PartReader::load(Part& part) {
  if (part.loaded) return part.expanded;
  switch (part.place) {
    case Place::kInline: part.expanded = part.stored; break;
    case Place::kSmall: {
      KVASIR_TRY(const std::string_view small, this->small());
      part.expanded = small.substr(part.small_offset, part.raw_bytes);
      break;
    }
    case Place::kPlain:
      if (crc32c(part.stored) != part.crc) return fail(damaged("checksum"));
      part.expanded = part.stored;
      break;
    case Place::kZstd: {
      if (crc32c(part.stored) != part.crc) return fail(damaged("checksum"));
      char* const bytes = arena_.allocate(part.raw_bytes);
      if (!zstd_expand(part.stored, bytes, part.raw_bytes)) return fail(damaged("frame"));
      part.expanded = std::string_view(bytes, part.raw_bytes);
      break;
    }
  }
  part.loaded = true;
  return part.expanded;
}

}  // namespace kvasir::chunks
