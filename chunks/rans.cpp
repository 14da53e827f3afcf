#include "chunks/rans.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "common/bytes.h"

namespace kvasir::chunks {
namespace {

constexpr unsigned kScaleBits = 12;
constexpr std::uint32_t kScale = 1u << kScaleBits;
constexpr std::uint32_t kStateMin = 1u << 16;
constexpr std::size_t kLanes = 4;

using Frequencies = std::array<std::uint16_t, 256>;  // of kScale; one symbol alone has kScale itself, which fits

/// Scales counts so that they sum to kScale and no used symbol gets zero.
Frequencies normalise(const SymbolCounts& counts, std::uint64_t total) {
  Frequencies frequencies{};
  std::int64_t left = kScale;
  for (std::size_t s = 0; s < 256; ++s) {
    if (counts[s] == 0) continue;
    const auto share = static_cast<std::uint16_t>(std::uint64_t{counts[s]} * kScale / total);
    frequencies[s] = std::max<std::uint16_t>(share, 1);
    left -= frequencies[s];
  }
  while (left != 0) {  // the most frequent symbol can best spare or take the rest
    const auto top = std::max_element(frequencies.begin(), frequencies.end());
    const std::int64_t step = left > 0 ? left : std::max<std::int64_t>(left, -static_cast<std::int64_t>(*top / 2));
    *top = static_cast<std::uint16_t>(*top + step);
    left -= step;
  }
  return frequencies;
}

void write_table(const Frequencies& frequencies, std::string& out) {
  ByteWriter writer(out);
  const auto used = std::count_if(frequencies.begin(), frequencies.end(), [](auto f) { return f != 0; });
  writer.varint(static_cast<std::uint64_t>(used));
  unsigned previous = 0;
  for (unsigned s = 0; s < 256; ++s) {
    if (frequencies[s] == 0) continue;
    writer.varint(s - previous);
    writer.varint(frequencies[s]);
    previous = s;
  }
}

bool read_table(ByteReader& reader, Frequencies& frequencies) {
  const std::uint64_t used = reader.count(2);
  if (used == 0 || used > 256) return false;
  std::uint64_t symbol = 0, sum = 0;
  for (std::uint64_t i = 0; i < used; ++i) {
    const std::uint64_t step = reader.varint();
    const std::uint64_t frequency = reader.varint();
    if (step > 255 || (i != 0 && step == 0) || frequency == 0 || frequency > kScale) return false;
    symbol += step;
    sum += frequency;
    if (symbol > 255) return false;
    frequencies[symbol] = static_cast<std::uint16_t>(frequency);
  }
  return reader.ok() && sum == kScale;
}

struct Slot {
  std::uint16_t frequency;
  std::uint16_t offset;  // of the slot inside its symbol's range
  std::uint8_t symbol;
};

void fill_slots(const Frequencies& frequencies, std::array<Slot, kScale>& slots) {
  std::size_t at = 0;
  for (unsigned s = 0; s < 256; ++s) {
    for (std::uint16_t i = 0; i < frequencies[s]; ++i) slots[at++] = {frequencies[s], i, static_cast<std::uint8_t>(s)};
  }
}

}  // namespace

SymbolCounts count_symbols(std::span<const std::uint8_t> symbols) {
  SymbolCounts counts{};
  for (const auto s : symbols) ++counts[s];
  return counts;
}

std::uint64_t rans_cost_bytes(const SymbolCounts& counts, std::uint64_t symbols) {
  double bits = 0;
  std::uint64_t used = 0;
  for (const auto count : counts) {
    if (count == 0) continue;
    ++used;
    bits += count * std::log2(static_cast<double>(symbols) / count);
  }
  return static_cast<std::uint64_t>(bits / 8) + used * 5 / 2 + 4 * kLanes + 4;
}

void rans_encode(std::span<const std::uint8_t> symbols, const SymbolCounts& counts, std::string& out) {
  const Frequencies frequencies = normalise(counts, symbols.size());
  write_table(frequencies, out);
  std::array<std::uint32_t, 256> starts{};
  for (std::size_t s = 1; s < 256; ++s) starts[s] = starts[s - 1] + frequencies[s - 1];

  std::array<std::uint32_t, kLanes> states;
  states.fill(kStateMin);
  std::vector<std::uint16_t> words(symbols.size() + 1);
  std::size_t at = words.size();
  for (std::size_t i = symbols.size(); i-- > 0;) {  // backwards, so that the decoder runs forwards
    std::uint32_t& x = states[i % kLanes];
    const std::uint32_t f = frequencies[symbols[i]];
    if (x >= std::uint64_t{f} << (32 - kScaleBits)) {
      words[--at] = static_cast<std::uint16_t>(x);
      x >>= 16;
    }
    x = (x / f << kScaleBits) + x % f + starts[symbols[i]];
  }
  ByteWriter writer(out);
  for (const auto state : states) writer.fixed(state);
  writer.varint(words.size() - at);
  out.append(reinterpret_cast<const char*>(words.data() + at), (words.size() - at) * 2);
}

bool rans_decode(std::string_view& bytes, std::span<std::uint8_t> symbols) {
  ByteReader reader(bytes);
  Frequencies frequencies{};
  if (!read_table(reader, frequencies)) return false;
  std::array<std::uint32_t, kLanes> x;
  for (auto& state : x) state = reader.fixed<std::uint32_t>();
  const std::uint64_t word_count = reader.count(2);
  const std::string_view words = reader.raw(word_count * 2);
  if (!reader.ok()) return false;
  bytes = reader.rest();

  static thread_local std::array<Slot, kScale> slots;
  fill_slots(frequencies, slots);
  const char* next = words.data();
  const char* const end = next + words.size();
  const auto step = [&](std::uint32_t& state) {
    const Slot slot = slots[state & (kScale - 1)];
    state = slot.frequency * (state >> kScaleBits) + slot.offset;
    if (state < kStateMin && next != end) {
      std::uint16_t word;
      std::memcpy(&word, next, 2);
      next += 2;
      state = state << 16 | word;
    }
    return slot.symbol;
  };
  std::size_t i = 0;
  for (; i + kLanes <= symbols.size(); i += kLanes) {
    symbols[i] = step(x[0]);
    symbols[i + 1] = step(x[1]);
    symbols[i + 2] = step(x[2]);
    symbols[i + 3] = step(x[3]);
  }
  for (; i < symbols.size(); ++i) symbols[i] = step(x[i % kLanes]);
  // A whole stream ends where the encoder began.
  return next == end && std::all_of(x.begin(), x.end(), [](auto state) { return state == kStateMin; });
}

}  // namespace kvasir::chunks
