// decompressor.h -- undoes gzip, zlib, bzip2 and zstd piece by piece.
//
// Shape:    feed() compressed bytes in any pieces; decompressed ones are appended to `out`. Concatenated members are
//           one stream.
// Errors:   corruption; the object is of no use afterwards.
// Threads:  one.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/result.h"

namespace kvasir::agent {

enum class CompressionFormat { kGzip, kZlib, kBzip2, kZstd };

class Decompressor {
 public:
  virtual ~Decompressor() = default;
  /// Uses all of `in`.
  virtual Result<void> feed(std::string_view in, std::string& out) = 0;
  /// True between members: the stream may end here.
  virtual bool complete() const = 0;
};

/// gz, z, bz2, zst (also their long names). Errors: invalid_argument naming the supported ones.
Result<CompressionFormat> parse_compression_format(std::string_view name);
/// By the first bytes; an error if they belong to no known format.
Result<CompressionFormat> detect_compression_format(std::string_view first_bytes);
std::unique_ptr<Decompressor> make_decompressor(CompressionFormat format);

}  // namespace kvasir::agent
