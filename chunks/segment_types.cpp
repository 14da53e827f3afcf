#include "chunks/segment_types.h"

namespace kvasir::chunks {
namespace {

constexpr std::array<std::string_view, kLevelCount> kNames = {"",      "unknown", "trace",    "debug", "info",
                                                              "warn", "error",   "critical", "fatal", ""};

}  // namespace

std::string_view level_name(Level level) { return kNames[static_cast<std::size_t>(level)]; }

Level level_of(std::string_view detected_level) {
  for (std::size_t i = 1; i + 1 < kLevelCount; ++i) {
    if (kNames[i] == detected_level) return static_cast<Level>(i);
  }
  return Level::kOther;
}

}  // namespace kvasir::chunks
