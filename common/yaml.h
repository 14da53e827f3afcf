// yaml.h -- a YAML document as plain values with line numbers; the only place that knows yaml-cpp.
//
// Shape:    a YamlNode is null, a scalar (its source text, and whether it was written without quotes), a sequence or a
//           map in the order of the file. What a scalar means is decided by who asks: as_bool takes the spellings of
//           YAML 1.1, as_text the text as it stands (`y` stays "y", `1` stays "1").
// Errors:   parse: `yaml: line 3: ...` for broken documents and duplicate keys.
// Lifetime: values.
// Limits:   kYamlBytesMax, kYamlDepthMax, kYamlNodesMax (anchors are expanded; the node count stops the bombs).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"

namespace kvasir {

inline constexpr std::size_t kYamlBytesMax = 16 << 20;
inline constexpr int kYamlDepthMax = 64;
inline constexpr std::size_t kYamlNodesMax = 1 << 20;

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMap };

  struct Entry;  // one key of a map

  Kind kind = Kind::kNull;
  int line = 0;            // 1 is the first
  bool plain = false;      // scalar written without quotes
  std::string text;        // of a scalar
  std::vector<YamlNode> items;
  std::vector<Entry> entries;

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_sequence() const { return kind == Kind::kSequence; }
  bool is_map() const { return kind == Kind::kMap; }

  /// The value under a key of a map; nullptr when absent or when this is no map.
  const YamlNode* find(std::string_view key) const;
  /// The scalar's text as it stands; empty for null. An empty optional for sequences and maps.
  std::optional<std::string> as_text() const;
  /// true/false/yes/no/on/off/y/n in any of YAML 1.1's letter cases, unquoted.
  std::optional<bool> as_bool() const;
  std::optional<std::int64_t> as_integer() const;
};

struct YamlNode::Entry {
  std::string key;
  int line = 0;
  YamlNode value;
};

/// The first document of the text; null for an empty one.
Result<YamlNode> parse_yaml(std::string_view text);
/// Every document of the text, divided by `---`.
Result<std::vector<YamlNode>> parse_yaml_documents(std::string_view text);

/// Text that reads back as the same string scalar: quoted only where it must be.
std::string yaml_scalar(std::string_view text);

}  // namespace kvasir
