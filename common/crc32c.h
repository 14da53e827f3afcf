// crc32c.h -- the Castagnoli checksum (reflected polynomial 0x82f63b78) that guards every stored part.
//
// Source:   RFC 3720 appendix B.4 has the test vectors. SSE4.2 where the processor has it, a table otherwise.
#pragma once

#include <cstdint>
#include <string_view>

namespace kvasir {

/// Of the whole view; `seed` is the checksum of the bytes before it, to go on from.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

/// The table version, for tests.
std::uint32_t crc32c_portable(std::string_view bytes, std::uint32_t seed = 0);

}  // namespace kvasir
