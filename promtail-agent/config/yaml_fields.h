// yaml_fields.h -- reads the keys of one YAML map strictly: each must be asked for, each value must suit its field.
//
// Shape:    read(key, out) leaves `out` alone when the key is absent or null. finish() reports keys nobody asked for.
// Types:    a scalar is resolved by the field: in a text field `y` and `1` stay text, in a bool field every YAML 1.1
//           spelling counts.
// Errors:   collected as `line 3: field foo not found in type config.Config`; nothing stops at the first.
// Lifetime: refers to the node and to the YamlProblems it was given.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/time.h"
#include "common/yaml.h"

namespace kvasir::agent {

class YamlProblems {
 public:
  void add(int line, std::string_view text);
  bool empty() const { return lines_.empty(); }
  /// `yaml: unmarshal errors:\n  line 3: ...\n  line 7: ...`
  Error to_error() const;

 private:
  std::vector<std::string> lines_;
};

class YamlFields {
 public:
  /// nullptr or null: an empty map. `type` names the block in messages.
  YamlFields(const YamlNode* node, std::string type, YamlProblems& problems);

  /// nullptr when absent or null. Marks the key as known.
  const YamlNode* node(std::string_view key);
  bool has(std::string_view key) { return node(key) != nullptr; }

  void read(std::string_view key, std::string& out);
  void read(std::string_view key, bool& out);
  void read(std::string_view key, int& out);
  void read(std::string_view key, std::int64_t& out);
  void read(std::string_view key, double& out);
  void read(std::string_view key, std::vector<std::string>& out);
  void read(std::string_view key, std::map<std::string, std::string>& out);
  /// Go's form (1h30m), or a bare integer of nanoseconds.
  void read_duration(std::string_view key, Duration& out);
  /// Prometheus' form (1d, 1h30m), Go's too.
  void read_long_duration(std::string_view key, Duration& out);
  /// Bytes with a binary unit: 8K, 1MB.
  void read_bytes(std::string_view key, std::uint64_t& out);
  /// One of the words; anything else is an error.
  void read_word(std::string_view key, const std::vector<std::string_view>& words, std::string& out);
  /// Known, accepted, not looked at.
  void ignore(std::initializer_list<std::string_view> keys);
  /// Calls f for each item of a list; absent means none.
  void each(std::string_view key, const std::function<void(const YamlNode&)>& f);
  void problem(std::string_view key, std::string_view text);

  YamlProblems& problems() { return problems_; }
  int line() const { return node_ == nullptr ? 0 : node_->line; }
  /// Reports unknown keys. Call last.
  void finish();

 private:
  const YamlNode* scalar(std::string_view key, std::string_view wanted);
  void mismatch(const YamlNode& found, std::string_view wanted);

  const YamlNode* node_;
  std::string type_;
  YamlProblems& problems_;
  std::set<std::string, std::less<>> known_;
};

/// Decimal integer with an optional unit B K KB M MB ... E EB in any case, powers of 1024.
std::optional<std::uint64_t> parse_binary_size(std::string_view text);
/// The spellings of YAML 1.1.
std::optional<bool> parse_yaml_bool(std::string_view text);

}  // namespace kvasir::agent
