// How a run is packed: one flag byte, the base (and the first value for differences), then the values minus the base.
// Which of the ways is smallest is computed from minimum, maximum and class counts before anything is written.
#include "chunks/int_codec.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "chunks/bit_stream.h"
#include "chunks/rans.h"
#include "chunks/unpack_bits.h"
#include "common/bytes.h"

namespace kvasir::chunks {
namespace {

enum Way : std::uint8_t { kConstant = 0, kPacked = 1, kClasses = 2, kSymbols = 3, kFrames = 4 };
constexpr std::uint8_t kWayMask = 7;
constexpr std::uint8_t kDelta = 8;
constexpr unsigned kDivisorShift = 4;
constexpr std::size_t kFrameValues = 128;  // a frame of any width fills whole bytes
constexpr std::array<std::int64_t, 4> kDivisors = {1, 1'000, 1'000'000, 1'000'000'000};

// A value below 16 is its own class. Above, a class is the bit width and the two bits below the top one.
constexpr unsigned kDirectClasses = 16;

std::uint8_t class_of(std::uint64_t value) {
  if (value < kDirectClasses) return static_cast<std::uint8_t>(value);
  const unsigned width = static_cast<unsigned>(std::bit_width(value));
  return static_cast<std::uint8_t>(kDirectClasses + (width - 5) * 4 + (value >> (width - 3) & 3));
}

unsigned extra_bits(std::uint8_t symbol) { return symbol < kDirectClasses ? 0 : (symbol - kDirectClasses) / 4 + 2; }

std::uint64_t class_base(std::uint8_t symbol) {
  if (symbol < kDirectClasses) return symbol;
  return std::uint64_t{4u | (symbol & 3u)} << extra_bits(symbol);
}

/// The values as they would be packed: differences or not, minus base, divided.
struct Reduced {
  std::vector<std::uint64_t> values;
  std::int64_t first = 0;
  std::int64_t base = 0;
  std::uint64_t widest = 0;
  std::size_t divisor = 0;  // index into kDivisors
  bool delta = false;
};

void subtract_base(Reduced& run) {
  std::int64_t low = static_cast<std::int64_t>(run.values[0]);
  for (const auto v : run.values) low = std::min(low, static_cast<std::int64_t>(v));
  run.base = low;
  for (auto& v : run.values) v -= static_cast<std::uint64_t>(low);
}

bool all_divisible(const std::vector<std::uint64_t>& values, std::uint64_t by) {
  return std::all_of(values.begin(), values.end(), [by](auto v) { return v % by == 0; });
}

void divide(Reduced& run) {
  while (run.divisor + 1 < kDivisors.size() && all_divisible(run.values, 1000)) {
    for (auto& v : run.values) v /= 1000;
    ++run.divisor;
  }
}

Reduced reduce(std::span<const std::int64_t> values, bool delta) {
  Reduced run;
  run.delta = delta;
  run.first = values[0];
  run.values.resize(values.size() - (delta ? 1 : 0));
  for (std::size_t i = 0; i < run.values.size(); ++i) {
    const auto v = static_cast<std::uint64_t>(values[i + (delta ? 1 : 0)]);
    run.values[i] = delta ? v - static_cast<std::uint64_t>(values[i]) : v;
  }
  subtract_base(run);
  for (const auto v : run.values) run.widest = std::max(run.widest, v);
  if (run.widest >= 1000) {
    divide(run);
    run.widest = static_cast<std::uint64_t>(run.widest / static_cast<std::uint64_t>(kDivisors[run.divisor]));
  }
  return run;
}

std::vector<std::uint8_t> frame_widths(const Reduced& run) {
  std::vector<std::uint8_t> widths;
  for (std::size_t begin = 0; begin < run.values.size(); begin += kFrameValues) {
    std::uint64_t bits = 0;
    for (std::size_t i = begin; i < std::min(begin + kFrameValues, run.values.size()); ++i) bits |= run.values[i];
    widths.push_back(static_cast<std::uint8_t>(std::bit_width(bits)));
  }
  return widths;
}

std::uint64_t frames_cost(const std::vector<std::uint8_t>& widths) {
  std::uint64_t bytes = widths.size();
  for (const auto width : widths) bytes += width * kFrameValues / 8;
  return bytes;
}

std::uint64_t packed_cost(const Reduced& run) {
  return BitReader::bytes_for(run.values.size() * static_cast<std::uint64_t>(std::bit_width(run.widest)));
}

struct ClassCost {
  SymbolCounts counts{};
  std::uint64_t bytes = 0;
  bool direct = false;  // the value itself is the symbol
};

/// Few large values are cheaper as symbols of their own; many, as classes.
ClassCost direct_cost(const Reduced& run) {
  ClassCost cost;
  cost.direct = true;
  for (const auto v : run.values) ++cost.counts[v];
  cost.bytes = rans_cost_bytes(cost.counts, run.values.size());
  return cost;
}

ClassCost class_cost(const Reduced& run) {
  ClassCost cost;
  if (run.widest < 256) {
    cost = direct_cost(run);
    if (run.widest < kDirectClasses) return cost;
    ClassCost classes;
    for (std::size_t v = 0; v < 256; ++v) classes.counts[class_of(v)] += cost.counts[v];
    std::uint64_t bits = 0;
    for (unsigned s = 0; s < 256; ++s)
      bits += std::uint64_t{classes.counts[s]} * extra_bits(static_cast<std::uint8_t>(s));
    classes.bytes = rans_cost_bytes(classes.counts, run.values.size()) + BitReader::bytes_for(bits);
    return cost.bytes <= classes.bytes ? cost : classes;
  }
  for (const auto v : run.values) ++cost.counts[class_of(v)];
  std::uint64_t bits = 0;
  for (unsigned s = 0; s < 256; ++s) bits += std::uint64_t{cost.counts[s]} * extra_bits(static_cast<std::uint8_t>(s));
  cost.bytes = rans_cost_bytes(cost.counts, run.values.size()) + BitReader::bytes_for(bits);
  return cost;
}

void write_header(const Reduced& run, Way way, ByteWriter& writer) {
  writer.fixed(static_cast<std::uint8_t>(way | (run.delta ? kDelta : 0) | run.divisor << kDivisorShift));
  if (run.delta) writer.zigzag(run.first);
  writer.zigzag(run.base);
}

void write_packed(const Reduced& run, std::string& out) {
  ByteWriter writer(out);
  if (run.widest == 0) return write_header(run, kConstant, writer);
  write_header(run, kPacked, writer);
  const unsigned width = static_cast<unsigned>(std::bit_width(run.widest));
  writer.fixed(static_cast<std::uint8_t>(width));
  BitWriter bits(out);
  for (const auto v : run.values) bits.put(v, width);
  bits.finish();
}

void write_classes(const Reduced& run, const ClassCost& cost, std::string& out) {
  ByteWriter writer(out);
  write_header(run, cost.direct ? kSymbols : kClasses, writer);
  std::vector<std::uint8_t> symbols(run.values.size());
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    symbols[i] = cost.direct ? static_cast<std::uint8_t>(run.values[i]) : class_of(run.values[i]);
  }
  rans_encode(symbols, cost.counts, out);
  if (cost.direct) return;
  BitWriter bits(out);
  for (std::size_t i = 0; i < symbols.size(); ++i)
    bits.put(run.values[i] - class_base(symbols[i]), extra_bits(symbols[i]));
  bits.finish();
}

/// In frames if that is smaller.
void write_bits(const Reduced& run, std::string& out) {
  const std::vector<std::uint8_t> widths = frame_widths(run);
  if (run.widest == 0 || frames_cost(widths) >= packed_cost(run)) return write_packed(run, out);
  ByteWriter writer(out);
  write_header(run, kFrames, writer);
  writer.raw({reinterpret_cast<const char*>(widths.data()), widths.size()});
  BitWriter bits(out);
  for (std::size_t i = 0; i < run.values.size(); ++i) bits.put(run.values[i], widths[i / kFrameValues]);
  bits.finish();
}

struct Header {
  Way way;
  bool delta;
  std::uint64_t divisor;
  std::uint64_t first = 0;
  std::uint64_t base = 0;
};

bool read_header(ByteReader& reader, Header& header) {
  const auto flags = reader.fixed<std::uint8_t>();
  header.way = static_cast<Way>(flags & kWayMask);
  header.delta = (flags & kDelta) != 0;
  if (flags >> kDivisorShift >= static_cast<int>(kDivisors.size()) || header.way > kFrames) return false;
  header.divisor = static_cast<std::uint64_t>(kDivisors[flags >> kDivisorShift]);
  if (header.delta) header.first = static_cast<std::uint64_t>(reader.zigzag());
  header.base = static_cast<std::uint64_t>(reader.zigzag());
  return reader.ok();
}

bool read_packed(ByteReader& reader, const Header& header, std::span<std::int64_t> out) {
  const unsigned width = reader.fixed<std::uint8_t>();
  if (width > 64) return false;
  const std::string_view bytes = reader.raw(BitReader::bytes_for(std::uint64_t{width} * out.size()));
  if (!reader.ok()) return false;
  unpack_bits(bytes, {width, header.divisor, header.base}, out);
  return true;
}

bool read_frames(ByteReader& reader, const Header& header, std::span<std::int64_t> out) {
  const std::string_view widths = reader.raw((out.size() + kFrameValues - 1) / kFrameValues);
  if (!reader.ok()) return false;
  for (std::size_t frame = 0; frame < widths.size(); ++frame) {
    const auto width = static_cast<std::uint8_t>(widths[frame]);
    const auto values = out.subspan(frame * kFrameValues, std::min(kFrameValues, out.size() - frame * kFrameValues));
    const std::string_view bytes = reader.raw(BitReader::bytes_for(std::uint64_t{width} * values.size()));
    if (!reader.ok() || width > 64) return false;
    unpack_bits(bytes, {width, header.divisor, header.base}, values);
  }
  return true;
}

bool read_classes(ByteReader& reader, const Header& header, std::span<std::int64_t> out) {
  std::vector<std::uint8_t> symbols(out.size());
  std::string_view rest = reader.rest();
  if (out.empty() || !rans_decode(rest, symbols)) return false;
  reader = ByteReader(rest);
  if (header.way == kSymbols) {
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<std::int64_t>(symbols[i] * header.divisor + header.base);
    return true;
  }
  std::uint64_t bit_count = 0;
  for (const auto s : symbols) bit_count += extra_bits(s);
  const std::string_view bytes = reader.raw(BitReader::bytes_for(bit_count));
  if (!reader.ok()) return false;
  BitReader bits(bytes);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint64_t v = class_base(symbols[i]) + bits.get(extra_bits(symbols[i]));
    out[i] = static_cast<std::int64_t>(v * header.divisor + header.base);
  }
  return true;
}

void undo_delta(std::uint64_t first, std::span<std::int64_t> values) {
  std::uint64_t running = first;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto step = static_cast<std::uint64_t>(values[i]);  // of the value after this one; the last slot is unused
    values[i] = static_cast<std::int64_t>(running);
    running += step;
  }
}

}  // namespace

void encode_ints(std::span<const std::int64_t> values, std::string& out) {
  if (values.empty()) return;
  const Reduced plain = reduce(values, false);
  if (plain.widest == 0) return write_packed(plain, out);
  const ClassCost plain_classes = class_cost(plain);
  Reduced delta;
  ClassCost delta_classes;
  std::uint64_t delta_best = ~std::uint64_t{0};
  if (values.size() > 1) {
    delta = reduce(values, true);
    delta_classes = class_cost(delta);
    delta_best = std::min(packed_cost(delta), delta_classes.bytes);
  }
  const bool use_delta = delta_best + 4 < std::min(packed_cost(plain), plain_classes.bytes) / 100 * 97;
  const Reduced& run = use_delta ? delta : plain;
  const ClassCost& classes = use_delta ? delta_classes : plain_classes;
  // Packed values are read three times as fast, so classes have to earn their place.
  if (classes.bytes < packed_cost(run) / 100 * 97) return write_classes(run, classes, out);
  write_bits(run, out);
}

void encode_ints_fast(std::span<const std::int64_t> values, std::string& out) {
  if (values.empty()) return;
  std::string plain;
  write_bits(reduce(values, false), plain);
  std::string delta;
  if (values.size() > 1) write_bits(reduce(values, true), delta);
  out.append(delta.empty() || plain.size() <= delta.size() ? plain : delta);
}

bool decode_ints(std::string_view& bytes, std::span<std::int64_t> values) {
  if (values.empty()) return true;
  ByteReader reader(bytes);
  Header header;
  if (!read_header(reader, header)) return false;
  const std::span<std::int64_t> packed = header.delta ? values.first(values.size() - 1) : values;
  bool ok = true;
  switch (header.way) {
    case kConstant: std::fill(packed.begin(), packed.end(), static_cast<std::int64_t>(header.base)); break;
    case kPacked: ok = read_packed(reader, header, packed); break;
    case kFrames: ok = read_frames(reader, header, packed); break;
    case kClasses:
    case kSymbols: ok = read_classes(reader, header, packed); break;
  }
  if (!ok) return false;
  if (header.delta) {
    values.back() = 0;
    undo_delta(header.first, values);
  }
  bytes = reader.rest();
  return true;
}

}  // namespace kvasir::chunks
