// code_marks.h -- from the codes of a dictionary that are wanted to the rows that have one of them.
//
// Threads:  free function without state.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kvasir::chunks {

/// Sets bit i of `words` if wanted[codes[i]] is not 0; bits that are set stay. REQUIRES: every code < wanted.size();
/// words hold a bit per code.
void mark_codes(std::span<const std::uint32_t> codes, std::span<const std::uint8_t> wanted,
                std::span<std::uint64_t> words);

}  // namespace kvasir::chunks
