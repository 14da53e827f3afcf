// stage_options.h -- reads the options of one stage, leniently in types and in the case of names, as Promtail's users
// write them.
//
// Types:    text takes any scalar as it is written; bool takes YAML 1.1's spellings, quoted or not; a single value
//           stands for a list of one. An option given as null is absent.
// Errors:   wrong types (`'source' expected type 'string', got a map`) and faults that the stage finds are noted in
//           Diagnostics, each at the line of its option; the first one comes back from finish(). Options nobody asked
//           for become warnings.
// Threads:  one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/yaml.h"
#include "promtail-agent/stages/factories.h"

namespace kvasir::agent {

/// A name and what it maps to; empty when the configuration gives null.
struct TextPair {
  std::string name;
  std::string value;
  bool null = false;
};

class StageOptions {
 public:
  StageOptions(const YamlNode& node, StagePlace place, Diagnostics& diagnostics);

  bool has(std::string_view name);
  /// The node under the name, or nullptr if it is absent or null.
  const YamlNode* find(std::string_view name);
  std::optional<std::string> text(std::string_view name);
  std::string text(std::string_view name, std::string_view fallback) {
    return text(name).value_or(std::string(fallback));
  }
  bool flag(std::string_view name, bool fallback = false);
  std::int64_t integer(std::string_view name, std::int64_t fallback);
  std::optional<double> number(std::string_view name);
  std::vector<std::string> texts(std::string_view name);
  std::vector<TextPair> pairs(std::string_view name);
  void warn(const std::string& text);
  /// Something wrong with an option; the others can still be looked at.
  void fault(std::string_view option, const std::string& reason);
  bool faulty() const { return error_.has_value(); }

  /// After the last option was asked for.
  Result<void> finish();

 private:
  void wrong_type(std::string_view name, std::string_view wanted, const YamlNode& got);

  const YamlNode& node_;
  StagePlace place_;
  Diagnostics& diagnostics_;
  std::vector<std::string> known_;
  std::optional<Error> error_;
};

/// The pairs of a map whose values are text or null, in the order of the file.
Result<std::vector<TextPair>> read_pairs(const YamlNode& node);
/// The same, and every name must hold `is_name`; what is wrong is noted entry by entry.
Result<std::vector<TextPair>> read_named_pairs(const YamlNode& node, BuildContext& context,
                                               bool (*is_name)(std::string_view));
/// A list of text, or a single one.
Result<std::vector<std::string>> read_texts(const YamlNode& node);

/// A number of bytes with an optional unit: B, K, KB, KiB ... E, in any case, powers of 1024; no fractions.
std::optional<std::uint64_t> parse_base2_size(std::string_view text);

/// [a-zA-Z_][a-zA-Z0-9_]*
bool is_label_name(std::string_view name);

}  // namespace kvasir::agent
