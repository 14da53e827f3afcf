#include "chunks/segment_types.h"

namespace kvasir::chunks {
namespace {

constexpr std::array<std::string_view, kLevelCount> kNames = {"",      "unknown", "trace",    "debug", "info",
                                                              "warn", "error",   "critical", "fatal", ""};

}  // namespace

std::string_view level_name(Level level) { return kNames[static_cast<std::size_t>(level)]; }

std::uint64_t metadata_bytes_of(const LevelCounts& levels) {
  constexpr std::uint64_t kNameBytes = std::string_view("detected_level").size();
  std::uint64_t bytes = 0;
  for (std::size_t level = 1; level < kLevelCount; ++level)
    bytes += levels[level] * (kNameBytes + kNames[level].size());
  return bytes;
}

Level level_of(std::string_view detected_level) {
  for (std::size_t i = 1; i + 1 < kLevelCount; ++i) {
    if (kNames[i] == detected_level) return static_cast<Level>(i);
  }
  return Level::kOther;
}

Level level_of_metadata(std::span<const LabelView> metadata) {
  Level level = Level::kNone;
  for (const LabelView& pair : metadata) {
    if (pair.name == "detected_level") level = level == Level::kNone ? level_of(pair.value) : Level::kOther;
  }
  return level;
}

}  // namespace kvasir::chunks
