// detected_level.h -- the level of an entry, as Loki's distributor finds it.
//
// Cost:     one pass over the line at most two times; nothing is allocated.
// Threads:  LevelDetector is immutable; use it from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/labels.h"

namespace kvasir::ingest {

enum class Level : std::uint8_t { kUnknown, kTrace, kDebug, kInfo, kWarn, kError, kCritical, kFatal };

/// The metadata pair for a level; its views are static, so equal pairs have equal pointers.
const LabelView& level_pair(Level level);
/// The name of that pair: `detected_level`, the one static text.
std::string_view detected_level_name();

/// trace trc debug dbg info inf information warn wrn warning error err critical fatal, any case.
std::optional<Level> parse_level(std::string_view word);
/// By OpenTelemetry's severity number.
Level level_of_severity(std::string_view decimal);

class LevelDetector {
 public:
  /// json_depth_max 0: any depth.
  LevelDetector(std::vector<std::string> fields, std::uint64_t json_depth_max);

  /// A value that names its level outright, from stream labels: it is kept as sent if it is no known word.
  std::optional<std::string_view> from_labels(const Labels& labels) const;
  /// The same, from metadata (names in stored form); `severity_number` counts last.
  std::optional<std::string_view> from_metadata(std::span<const LabelView> metadata) const;
  Level from_line(std::string_view line) const;

 private:
  std::optional<std::string_view> from_json(std::string_view line) const;
  std::optional<std::string_view> from_logfmt(std::string_view line) const;
  bool is_field(std::string_view name) const;

  std::vector<std::string> fields_;
  std::uint64_t json_depth_max_;
  std::uint64_t lengths_ = 0;  // bit n: some field name has n bytes
};

/// The earliest level word between word boundaries.
Level scan_level_words(std::string_view line);

}  // namespace kvasir::ingest
