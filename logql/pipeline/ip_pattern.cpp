#include "logql/pipeline/ip_pattern.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>

#include "common/labels.h"
#include "common/number.h"

namespace kvasir::logql {

namespace {

constexpr std::size_t kAddressTextMax = 45;  // ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool looks_like_v4(std::string_view text) {
  if (!is_digit(text[0])) return false;
  for (std::size_t i = 1; i < 4 && i < text.size(); ++i) {
    if (text[i] == '.') return true;
  }
  return false;
}

bool looks_like_v6(std::string_view text) {
  if (text.substr(0, 2) == "::") return true;
  for (std::size_t i = 0; i < 5 && i < text.size(); ++i) {
    if (text[i] == ':') return i > 0;
    if (!is_hex(text[i])) return false;
  }
  return false;
}

std::size_t run_length(std::string_view text, bool hex) {
  std::size_t n = 0;
  while (n < text.size() && (is_digit(text[n]) || text[n] == '.' || (hex && (is_hex(text[n]) || text[n] == ':')))) ++n;
  return n;
}

Unexpected invalid(std::string_view text) {
  std::string message = "ip: invalid pattern: ";
  append_go_quoted(message, text);
  return fail(ErrorCode::kParse, std::move(message));
}

// Clears or sets every bit of `address` behind the first `bits`.
IpAddress with_host_bits(IpAddress address, unsigned bits, bool set) {
  const unsigned total = address.is_v6 ? 128 : 32;
  for (unsigned bit = bits; bit < total; ++bit) {
    const auto mask = static_cast<std::uint8_t>(0x80 >> (bit % 8));
    auto& byte = address.bytes[bit / 8];
    byte = static_cast<std::uint8_t>(set ? byte | mask : byte & ~mask);
  }
  return address;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.empty() || text.size() > kAddressTextMax) return std::nullopt;
  std::array<char, kAddressTextMax + 1> buffer{};
  std::memcpy(buffer.data(), text.data(), text.size());
  IpAddress address;
  address.is_v6 = text.find(':') != std::string_view::npos;
  if (inet_pton(address.is_v6 ? AF_INET6 : AF_INET, buffer.data(), address.bytes.data()) != 1) return std::nullopt;
  return address;
}

Result<IpPattern> IpPattern::parse(std::string_view text) {
  IpPattern pattern;
  if (const auto address = IpAddress::parse(text)) {
    pattern.low_ = pattern.high_ = *address;
    return pattern;
  }
  if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
    const auto address = IpAddress::parse(text.substr(0, slash));
    const auto digits = text.substr(slash + 1);
    const auto bits = parse_uint64(digits);
    const bool plain = !digits.empty() && is_digit(digits[0]) && (digits.size() == 1 || digits[0] != '0');
    if (!address || !bits || !plain || *bits > (address->is_v6 ? 128u : 32u)) return invalid(text);
    pattern.low_ = with_host_bits(*address, static_cast<unsigned>(*bits), false);
    pattern.high_ = with_host_bits(*address, static_cast<unsigned>(*bits), true);
    return pattern;
  }
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return invalid(text);
  const auto low = IpAddress::parse(text.substr(0, dash));
  const auto high = IpAddress::parse(text.substr(dash + 1));
  if (!low || !high || low->is_v6 != high->is_v6 || high->bytes < low->bytes) return invalid(text);
  pattern.low_ = *low;
  pattern.high_ = *high;
  return pattern;
}

bool IpPattern::contains(const IpAddress& address) const {
  return address.is_v6 == low_.is_v6 && low_.bytes <= address.bytes && address.bytes <= high_.bytes;
}

bool IpPattern::found_in(std::string_view text) const {
  while (!text.empty()) {
    const bool v4 = looks_like_v4(text);
    if (!v4 && !looks_like_v6(text)) {
      text.remove_prefix(1);
      continue;
    }
    const std::size_t run = run_length(text, !v4);
    const auto address = IpAddress::parse(text.substr(0, run));
    if (address && contains(*address)) return true;
    text.remove_prefix(std::min(text.size(), run + 1));
  }
  return false;
}

}  // namespace kvasir::logql
