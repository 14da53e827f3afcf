// bytes.h -- little-endian readers and writers for formats; every declared length is checked before it is believed.
//
// Shape:    ByteWriter appends to a std::string; ByteReader walks a view and never passes its end.
// Errors:   ByteReader goes bad once and stays bad: each read then gives zero or an empty view. Check ok() after a
//           group of reads and before meaning is taken from them.
// Lifetime: views returned by ByteReader point into the bytes it was given.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace kvasir {

static_assert(std::endian::native == std::endian::little, "formats are written for little-endian machines");

class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  template <class T>
  void fixed(T value) {
    static_assert(std::is_integral_v<T> || std::is_floating_point_v<T>);
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      out_ += static_cast<char>(value | 0x80);
      value >>= 7;
    }
    out_ += static_cast<char>(value);
  }
  /// Small numbers of either sign stay short: 0, -1, 1, -2 ... become 0, 1, 2, 3 ...
  void zigzag(std::int64_t value) {
    varint((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
  }
  void raw(std::string_view bytes) { out_.append(bytes); }
  /// varint length, then the bytes.
  void sized(std::string_view bytes) {
    varint(bytes.size());
    raw(bytes);
  }
  std::size_t size() const { return out_.size(); }

 private:
  std::string& out_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  std::size_t remaining() const { return rest_.size(); }
  std::string_view rest() const { return rest_; }

  template <class T>
  T fixed() {
    T value{};
    if (rest_.size() < sizeof value) return spoil(), value;
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return spoil(), 0;
  }
  std::int64_t zigzag() {
    const std::uint64_t value = varint();
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }
  std::string_view raw(std::uint64_t size) {
    if (size > rest_.size()) return spoil(), std::string_view();
    const auto bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  std::string_view sized() { return raw(varint()); }
  /// A count of items that take at least `bytes_each` bytes; bad if so many cannot follow.
  std::uint64_t count(std::size_t bytes_each) {
    const std::uint64_t n = varint();
    if (n > rest_.size() / (bytes_each == 0 ? 1 : bytes_each)) return spoil(), 0;
    return n;
  }

 private:
  void spoil() {
    ok_ = false;
    rest_ = {};
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace kvasir
