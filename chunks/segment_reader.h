// segment_reader.h -- opens a segment file and hands out its blocks.
//
// Shape:    RandomFile -> streams(), blocks(), open_block(i) -> Block
// Lifetime: the reader owns the file; a Block keeps the reader alive.
// Threads:  everything const may be called from any thread.
// Errors:   corruption (bad magic, checksum, impossible length), unsupported (newer major version), io.
// Memory:   streams and block entries are decoded at open (about 200 bytes a block); all else stays in the file's
//           pages.
// Limits:   kSegmentBytesMax; every declared length is checked against what is there before it is used.
// Source:   docs/formats/segment-v1.md
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "chunks/block.h"
#include "chunks/segment_types.h"
#include "common/filesystem.h"
#include "common/result.h"

namespace kvasir::chunks {

class SharedBlock;

class SegmentReader : public std::enable_shared_from_this<SegmentReader> {
 public:
  static Result<std::shared_ptr<const SegmentReader>> open(std::shared_ptr<const RandomFile> file);
  /// Over bytes in memory that outlive the reader and its blocks.
  static Result<std::shared_ptr<const SegmentReader>> open_bytes(std::string_view bytes);
  virtual ~SegmentReader() = default;

  virtual std::span<const SegmentStream> streams() const = 0;
  virtual std::span<const BlockEntry> blocks() const = 0;
  /// Indexes into blocks() that belong to the stream, as a half-open range.
  virtual std::pair<std::size_t, std::size_t> blocks_of(std::size_t stream) const = 0;
  /// Decodes the directory and the times; the rest on demand.
  virtual Result<std::unique_ptr<Block>> open_block(std::size_t index) const = 0;
  /// True if the block is a slice of a stored block with rows of other streams too.
  virtual bool is_slice(std::size_t index) const = 0;
  /// That stored block; null if there is none. As long as somebody holds it, everybody gets the same. It must not
  /// outlive the reader.
  virtual Result<std::shared_ptr<SharedBlock>> shared_block(std::size_t index) const = 0;

  /// Ascending indexes of the blocks in which the id may occur as a whole token, in lines or in structured metadata;
  /// few and nearly exact. An empty optional: `id` is not of the kind that is indexed (see is_indexed_id), any block
  /// may hold it.
  virtual std::optional<std::vector<std::uint32_t>> blocks_with_id(std::string_view id) const = 0;

  virtual std::uint64_t file_bytes() const = 0;
};

/// True for tokens that every segment indexes: 16 to 64 hex digits, UUIDs, ULIDs, decimals of 16 digits or more.
bool is_indexed_id(std::string_view token);

}  // namespace kvasir::chunks
