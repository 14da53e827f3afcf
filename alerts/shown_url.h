// shown_url.h -- an address as logs and metrics may show it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace kvasir::alerts {

/// Without `user:password@`.
inline std::string shown_url(std::string_view url) {
  const auto scheme = url.find("://");
  const auto begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  const auto end = std::min(url.find_first_of("/?#", begin), url.size());
  const auto at = url.substr(begin, end - begin).rfind('@');
  if (at == std::string_view::npos) return std::string(url);
  return std::string(url.substr(0, begin)) + std::string(url.substr(begin + at + 1));
}

}  // namespace kvasir::alerts
