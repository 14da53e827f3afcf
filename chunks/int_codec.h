// int_codec.h -- packs a run of 64-bit integers in the smallest of a few ways.
//
// Ways:     constant; bit-packed above a base, in one width or a width per frame; entropy-coded symbols; entropy-coded
//           classes (small values, or exponent and two mantissa bits) with the low bits raw; each of them over the
//           values or over their differences, divided by a common 10^3, 10^6 or 10^9.
// Order:    arithmetic wraps modulo 2^64, so every int64 comes back.
// Errors:   decode gives false for bytes that cannot be right; it never reads or writes out of bounds.
// Limits:   the caller knows the count.
// Source:   docs/formats/segment-v1.md section 5.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kvasir::chunks {

void encode_ints(std::span<const std::int64_t> values, std::string& out);
/// Consumes from the front of `bytes`. With values.size() == 0 nothing is read.
bool decode_ints(std::string_view& bytes, std::span<std::int64_t> values);

/// Bit-packed only: a little less dense, read at a value per nanosecond or better. For timestamps.
void encode_ints_fast(std::span<const std::int64_t> values, std::string& out);

}  // namespace kvasir::chunks
