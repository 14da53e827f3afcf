// ip_pattern.h -- `ip("10.0.0.0/8")`: one address, a CIDR block or a range, searched in any text.
//
// Notes:    IPv4 and IPv4-mapped IPv6 addresses never equal each other. Addresses at the very end of a text are found
//           too.
// Errors:   parse: `ip: invalid pattern: "x"`.
// Threads:  immutable.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/result.h"

namespace kvasir::logql {

struct IpAddress {
  bool is_v6 = false;
  std::array<std::uint8_t, 16> bytes{};  // IPv4: the first four

  static std::optional<IpAddress> parse(std::string_view text);
};

class IpPattern {
 public:
  static Result<IpPattern> parse(std::string_view text);

  bool contains(const IpAddress& address) const;
  /// True if any address in the text is in the pattern.
  bool found_in(std::string_view text) const;

 private:
  IpAddress low_;
  IpAddress high_;  // inclusive
};

}  // namespace kvasir::logql
