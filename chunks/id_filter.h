// id_filter.h -- a split-block Bloom filter over id hashes: one 32-byte bucket per look-up.
//
// Law:      contains() is true for every hash that was put in.
// Source:   F. Putze et al., "Cache-, hash- and space-efficient Bloom filters" (2007); docs/formats/segment-v1.md
//           section 6.2.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kvasir::chunks {

inline constexpr std::size_t kFilterBucketBytes = 32;

/// Appends a filter of about 12 bits per hash; nothing for no hashes. REQUIRES: no repeats, for the size to fit.
void append_id_filter(std::span<const std::uint64_t> hashes, std::string& out);
/// An empty filter holds nothing.
bool id_filter_contains(std::string_view filter, std::uint64_t hash);

}  // namespace kvasir::chunks
