// content_encoding.h -- undoes and applies HTTP content encodings, with a hard limit on what comes out.
//
// Threads:  any; no state is shared between calls or objects.
// Errors:   unsupported (unknown name), invalid_argument (damaged or truncated data), limit_exceeded (more than the
//           limit; found before that much memory is taken).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace kvasir::net {

enum class ContentEncoding {
  kIdentity,
  kGzip,
  kDeflate,       // raw or zlib-wrapped, told apart by the first bytes
  kZstd,
  kLz4,           // frame format
};

/// "", identity, gzip, x-gzip, deflate, zstd, lz4; any case.
std::optional<ContentEncoding> parse_content_encoding(std::string_view name);

/// At most `limit_bytes` come out.
Result<std::string> decompress(ContentEncoding encoding, std::string_view data, std::uint64_t limit_bytes);

/// gzip and zstd only; REQUIRES one of them.
std::string compress(ContentEncoding encoding, std::string_view data);

/// The encoding to answer with for an Accept-Encoding value: zstd or gzip, whichever it weighs more (zstd if it does
/// not care), or identity. `*` stands for gzip.
ContentEncoding choose_response_encoding(std::string_view accept_encoding);

/// `gzip`; REQUIRES: gzip or zstd.
std::string_view content_encoding_name(ContentEncoding encoding);

/// Compresses a body that is made piece by piece. One thread at a time.
class StreamCompressor {
 public:
  /// gzip, zstd, or identity, which copies.
  explicit StreamCompressor(ContentEncoding encoding);
  ~StreamCompressor();
  /// Appends what is ready to `out`; some may be kept back.
  void add(std::string_view data, std::string& out);
  /// Appends the rest; nothing may be added after.
  void finish(std::string& out);

  struct Coder;  // internal

 private:
  std::unique_ptr<Coder> coder_;  // null: identity
};

}  // namespace kvasir::net
