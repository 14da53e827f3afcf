// content_encoding.h -- undoes and applies HTTP content encodings, with a hard limit on what comes out.
//
// Threads:  any; no state is shared.
// Errors:   unsupported (unknown name), invalid_argument (damaged or truncated data), limit_exceeded (more than the limit; found
//           before that much memory is taken).
#pragma once

#include <cstdint>
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

/// The encoding to answer with for an Accept-Encoding value: gzip if allowed (q > 0), else identity.
ContentEncoding choose_response_encoding(std::string_view accept_encoding);

}  // namespace kvasir::net
