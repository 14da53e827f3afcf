// version.h -- what this program calls itself.
#pragma once

#include <string_view>

namespace kvasir::agent {

inline constexpr std::string_view kVersion = "0.1.0";
inline constexpr std::string_view kUserAgent = "kvasir-agent/0.1.0";

}  // namespace kvasir::agent
