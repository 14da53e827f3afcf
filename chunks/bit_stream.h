// bit_stream.h -- fixed or varying numbers of bits, least significant first.
//
// Errors:   BitReader gives zero bits past the end; check bytes_for() against what is there first.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace kvasir::chunks {

class BitWriter {
 public:
  explicit BitWriter(std::string& out) : out_(out) {}
  /// The low `bits` bits of value, bits <= 64.
  void put(std::uint64_t value, unsigned bits) {
    if (bits > 32) {
      put_short(value & 0xffffffff, 32);
      value >>= 32;
      bits -= 32;
    }
    put_short(bits == 0 ? 0 : value & (~std::uint64_t{0} >> (64 - bits)), bits);
  }
  /// Pads to whole bytes.
  void finish() {
    while (filled_ > 0) {
      out_ += static_cast<char>(pending_);
      pending_ >>= 8;
      filled_ = filled_ > 8 ? filled_ - 8 : 0;
    }
  }

 private:
  void put_short(std::uint64_t value, unsigned bits) {
    pending_ |= value << filled_;
    filled_ += bits;
    if (filled_ >= 32) {
      const auto word = static_cast<std::uint32_t>(pending_);
      out_.append(reinterpret_cast<const char*>(&word), 4);
      pending_ >>= 32;
      filled_ -= 32;
    }
  }

  std::string& out_;
  std::uint64_t pending_ = 0;
  unsigned filled_ = 0;
};

class BitReader {
 public:
  explicit BitReader(std::string_view bytes, std::uint64_t first_bit = 0) : bytes_(bytes), position_(first_bit) {}
  static std::uint64_t bytes_for(std::uint64_t bits) { return (bits + 7) / 8; }

  /// bits <= 64; zero bits past the end.
  std::uint64_t get(unsigned bits) {
    if (bits == 0) return 0;
    if (bits > 56) {
      const std::uint64_t low = get(32);
      return low | get(bits - 32) << 32;
    }
    const std::uint64_t word = load(position_ >> 3) >> (position_ & 7);
    position_ += bits;
    return word & (~std::uint64_t{0} >> (64 - bits));
  }
  std::uint64_t position() const { return position_; }

 private:
  std::uint64_t load(std::uint64_t byte) const {
    std::uint64_t word = 0;
    if (byte + 8 <= bytes_.size()) {
      std::memcpy(&word, bytes_.data() + byte, 8);
    } else if (byte < bytes_.size()) {
      std::memcpy(&word, bytes_.data() + byte, bytes_.size() - byte);
    }
    return word;
  }

  std::string_view bytes_;
  std::uint64_t position_;
};

}  // namespace kvasir::chunks
