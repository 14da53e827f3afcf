#include "alerts/humanize.h"

#include <array>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

#include "common/number.h"

namespace kvasir::alerts {
namespace {

constexpr std::array<std::string_view, 8> kLarge{"k", "M", "G", "T", "P", "E", "Z", "Y"};
constexpr std::array<std::string_view, 8> kSmall{"m", "u", "n", "p", "f", "a", "z", "y"};
constexpr std::array<std::string_view, 8> kBinary{"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};

bool is_special(double value) { return value == 0 || std::isnan(value) || std::isinf(value); }

// %.4g as C prints it; Go agrees but for infinities.
std::string four_digits(double value) {
  if (std::isnan(value) || std::isinf(value)) return format_go_float(value);
  return fmt::format("{:.4g}", value);
}

std::string large(double value, double step, const std::array<std::string_view, 8>& prefixes) {
  std::string_view prefix;
  for (const auto candidate : prefixes) {
    if (std::fabs(value) < step) break;
    prefix = candidate;
    value /= step;
  }
  return four_digits(value) + std::string(prefix);
}

std::string small(double value, std::string_view suffix) {
  std::string_view prefix;
  for (const auto candidate : kSmall) {
    if (std::fabs(value) >= 1) break;
    prefix = candidate;
    value *= 1000;
  }
  return four_digits(value) + std::string(prefix) + std::string(suffix);
}

std::string long_duration(double seconds) {
  const char* sign = seconds < 0 ? "-" : "";
  const auto whole = static_cast<std::int64_t>(std::fabs(seconds));
  const auto days = whole / 86400, hours = whole / 3600 % 24, minutes = whole / 60 % 60, rest = whole % 60;
  if (days != 0) return fmt::format("{}{}d {}h {}m {}s", sign, days, hours, minutes, rest);
  if (hours != 0) return fmt::format("{}{}h {}m {}s", sign, hours, minutes, rest);
  return fmt::format("{}{}m {}s", sign, minutes, rest);
}

}  // namespace

std::string humanize(double value) {
  if (is_special(value)) return four_digits(value);
  return std::fabs(value) >= 1 ? large(value, 1000, kLarge) : small(value, "");
}

std::string humanize1024(double value) {
  if (is_special(value) || std::fabs(value) <= 1) return four_digits(value);
  return large(value, 1024, kBinary);
}

std::string humanize_duration(double seconds) {
  if (std::isnan(seconds) || std::isinf(seconds)) return four_digits(seconds);
  if (seconds == 0) return "0s";
  if (std::fabs(seconds) >= 60 && std::fabs(seconds) < 9e15) return long_duration(seconds);
  return std::fabs(seconds) >= 1 ? four_digits(seconds) + "s" : small(seconds, "s");
}

std::string humanize_percentage(double ratio) { return four_digits(ratio * 100) + "%"; }

}  // namespace kvasir::alerts
