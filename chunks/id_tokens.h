// id_tokens.h -- finds id-like tokens in text: runs of 16 to 64 letters and digits with a digit among them, and UUIDs.
//
// Law:      a UUID is found wherever its 8-4-4-4-12 hex pattern stands, whatever is beside it; a run is the longest
//           possible one.
// Source:   docs/formats/segment-v1.md section 6.2.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace kvasir::chunks {

inline constexpr std::size_t kIdTokenMin = 16;
inline constexpr std::size_t kIdTokenMax = 64;

struct IdTokens {
  std::vector<std::uint64_t> hashes;  // id_hash of each, with repeats
  std::uint64_t lengths = 0;          // bit min(n, 63): a run of n >= kIdTokenMin letters and digits occurs
};

void find_id_tokens(std::string_view text, IdTokens& found);

struct IdTokenPlace {
  std::size_t begin, end;
  bool is_uuid;
};
/// The same tokens with their places; for needles.
std::vector<IdTokenPlace> locate_id_tokens(std::string_view text);

/// Of the token without hyphens, folded to lower case; stable, since filters are stored.
std::uint64_t id_hash(std::string_view token);

bool is_id_byte(char c);

}  // namespace kvasir::chunks
