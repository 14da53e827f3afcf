// decompressor.h -- undoes gzip, zlib, bzip2 and zstd piece by piece.
//
// Shape:    feed() compressed bytes in any pieces; decompressed ones are appended to `out`. Concatenated members are
//           one stream.
// Limits:   one feed() gives at most kOutputBytesMax and then leaves the rest of its input: a few KiB may unpack to
//           gigabytes. A zstd window is 32 MiB at most.
// Errors:   corruption; the object is of no use afterwards.
// Threads:  one.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/result.h"

namespace kvasir::agent {

enum class CompressionFormat { kGzip, kZlib, kBzip2, kZstd };

inline constexpr std::size_t kOutputBytesMax = 1 << 20;

class Decompressor {
 public:
  virtual ~Decompressor() = default;
  /// The number of bytes of `in` that were used: all, unless has_more().
  virtual Result<std::size_t> feed(std::string_view in, std::string& out) = 0;
  /// There may be more to come without further input: feed() again, with what was left of it.
  virtual bool has_more() const = 0;
  /// True between members: the stream may end here.
  virtual bool complete() const = 0;
};

/// gz, z, bz2, zst (also their long names). Errors: invalid_argument naming the supported ones.
Result<CompressionFormat> parse_compression_format(std::string_view name);
/// gz, bz2 or zst if 8 bytes of a file begin as such a file does and no text would; else empty.
std::string_view name_of_compression(std::string_view first_bytes);
/// By the first bytes; an error if they belong to no known format.
Result<CompressionFormat> detect_compression_format(std::string_view first_bytes);
std::unique_ptr<Decompressor> make_decompressor(CompressionFormat format);

}  // namespace kvasir::agent
