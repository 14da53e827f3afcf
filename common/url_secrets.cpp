#include "common/url_secrets.h"

#include <algorithm>

namespace kvasir {

std::string without_userinfo(std::string text, std::string_view stand_in) {
  for (std::size_t at = text.find("://"); at != std::string::npos; at = text.find("://", at)) {
    at += 3;
    const std::size_t end = std::min(text.find_first_of("/?# \t\r\n", at), text.size());
    const std::size_t sign = std::string_view(text).substr(0, end).rfind('@');
    if (sign != std::string::npos && sign > at) text.replace(at, sign + 1 - at, stand_in);
  }
  return text;
}

}  // namespace kvasir
