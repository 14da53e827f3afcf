// compression.h -- zstd level 1 with reused contexts. Level 3 was never smaller on log columns, level 6 costs six times
// the time.
//
// Threads:  any; one context per thread.
// Errors:   decompress gives false unless the frame holds exactly the declared number of bytes.
#pragma once

#include <string>
#include <string_view>

namespace kvasir::chunks {

/// Appends the frame.
void zstd_append(std::string_view raw, std::string& out);
/// Fills `out`, whose size is the declared raw size.
bool zstd_expand(std::string_view frame, char* out, std::size_t raw_bytes);

}  // namespace kvasir::chunks
