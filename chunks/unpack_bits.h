// unpack_bits.h -- bit-packed integers of one width back to 64 bits.
//
// Shape:    value i = packed i * scale + base, modulo 2^64; packed values lie one behind the other, low bits first.
// Errors:   none; bytes past the end count as zero.
// Threads:  free function without state.
// Source:   docs/formats/segment-v1.md section 5.2
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace kvasir::chunks {

struct PackedShape {
  unsigned width = 0;  // bits, 0 to 64
  std::uint64_t scale = 1;
  std::uint64_t base = 0;
};

/// Fills `out`. scale < 2^32.
void unpack_bits(std::string_view bytes, const PackedShape& shape, std::span<std::int64_t> out);

}  // namespace kvasir::chunks
