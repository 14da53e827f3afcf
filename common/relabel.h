// relabel.h -- relabel_configs: rules that rewrite, keep or drop a set of labels (of a target, of an alert).
//
// Model:    a missing label reads as ""; a label set to "" is removed. Rules run in order; the first that drops ends
//           it.
// Regexes:  RE2, anchored at both ends, dot matches newline. Replacements use $1, ${1}, $name, ${name}, $$; `$1x` is
//           the group named 1x, which does not exist and is empty.
// Errors:   invalid_argument, in the words that users of Prometheus know; the caller adds which scrape config it was.
// Threads:  rules are immutable; apply() may be called from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/labels.h"
#include "common/result.h"
#include "common/yaml.h"

namespace re2 {
class RE2;
}

namespace kvasir {

enum class RelabelAction {
  kReplace, kKeep, kDrop, kKeepEqual, kDropEqual, kHashMod, kLabelMap, kLabelDrop, kLabelKeep, kLowercase, kUppercase,
};

/// As written, before validation; defaults are those of the configuration file.
struct RelabelRule {
  std::vector<std::string> source_labels;
  std::string separator = ";";
  std::string regex = "(.*)";
  std::uint64_t modulus = 0;
  std::string target_label;
  std::string replacement = "$1";
  std::string action = "replace";  // any case
};

class Relabeler {
 public:
  /// No rules: apply() gives the labels back.
  Relabeler() = default;
  /// Error text: `RelabelConfigs[1]: <reason>`.
  static Result<Relabeler> create(const std::vector<RelabelRule>& rules);
  /// From a `relabel_configs` sequence; null means no rules. Unknown keys are errors.
  static Result<Relabeler> parse(const YamlNode& rules);

  /// The labels that result, or an empty optional if a rule dropped them. Labels with empty values are removed.
  std::optional<Labels> apply(const Labels& labels) const;
  bool empty() const { return rules_.empty(); }

 private:
  struct Compiled;
  std::vector<std::shared_ptr<const Compiled>> rules_;
};

}  // namespace kvasir
