// rans.h -- an entropy coder for small symbols: close to the entropy, four interleaved states, one pass each way.
//
// Shape:    bytes (symbols 0..255) <-> frequency table | four u32 states | u16 words
// Errors:   decode gives false for a table, state or word stream that cannot be right; never reads or writes out of
//           bounds.
// Limits:   the caller knows the symbol count; frequencies are 12 bits.
// Source:   J. Duda, "Asymmetric numeral systems" (2013); docs/formats/segment-v1.md section 5.2.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kvasir::chunks {

using SymbolCounts = std::array<std::uint32_t, 256>;

SymbolCounts count_symbols(std::span<const std::uint8_t> symbols);
/// Bytes that rans_encode would take, within a few.
std::uint64_t rans_cost_bytes(const SymbolCounts& counts, std::uint64_t symbols);
/// REQUIRES: not empty, counts == count_symbols(symbols).
void rans_encode(std::span<const std::uint8_t> symbols, const SymbolCounts& counts, std::string& out);
/// Exactly symbols.size() symbols; consumes from the front of `bytes`.
bool rans_decode(std::string_view& bytes, std::span<std::uint8_t> symbols);

}  // namespace kvasir::chunks
