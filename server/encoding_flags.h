// encoding_flags.h -- the flags of X-Loki-Response-Encoding-Flags.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "common/net/http_types.h"

namespace kvasir::server {

/// As sent, without spaces; unknown ones too, since the answer echoes them.
inline std::vector<std::string> encoding_flags(const net::HttpRequest& request) {
  const std::string_view header = request.headers.get("X-Loki-Response-Encoding-Flags").value_or("");
  std::vector<std::string> flags;
  for (std::size_t at = 0; at < header.size();) {
    const std::size_t comma = std::min(header.find(',', at), header.size());
    std::string flag(header.substr(at, comma - at));
    std::erase(flag, ' ');
    if (!flag.empty()) flags.push_back(std::move(flag));
    at = comma + 1;
  }
  return flags;
}

inline bool asks_for_categories(const std::vector<std::string>& flags) {
  return std::find(flags.begin(), flags.end(), "categorize-labels") != flags.end();
}

}  // namespace kvasir::server
