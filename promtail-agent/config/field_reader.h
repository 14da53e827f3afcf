// field_reader.h -- fills a block's fields from a YAML map, strictly: each key must be known, each value must suit its
// field.
//
// Shape:    a key that is absent or null leaves its value alone. finish() reports keys that the block does not have,
//           with the nearest that it has.
// Types:    a scalar is resolved by the field: in a text field `y` and `1` stay text, in a flag every YAML 1.1 spelling
//           counts.
// Errors:   collected as `line 3: field foo not found in type config.plain`; nothing stops at the first.
// Lifetime: refers to the node and to the YamlProblems it was given.
#pragma once

#include <optional>
#include <set>
#include <utility>

#include "common/result.h"
#include "promtail-agent/config/fields.h"

namespace kvasir::agent {

class YamlProblems {
 public:
  void add(int line, std::string_view text);
  void advise(int line, std::string_view text) { advice_.emplace_back(line, text); }
  bool empty() const { return problems_.empty(); }
  const std::vector<std::pair<int, std::string>>& all() const { return problems_; }
  /// What is no problem, but should be told.
  const std::vector<std::pair<int, std::string>>& advice() const { return advice_; }
  /// `yaml: unmarshal errors:\n  line 3: ...\n  line 7: ...`
  Error to_error() const;

 private:
  std::vector<std::pair<int, std::string>> problems_;
  std::vector<std::pair<int, std::string>> advice_;
};

class FieldReader final : public Fields {
 public:
  /// nullptr or null: an empty map. `type` names the block in messages.
  FieldReader(const YamlNode* node, std::string_view type, YamlProblems& problems);
  /// Reports unknown keys. Call last.
  void finish();

  using Fields::duration;
  using Fields::integer;
  void text(Key key, std::string& value) override;
  void secret(Key key, std::string& value) override { text(key, value); }
  void url(Key key, std::string& value) override;
  void flag(Key key, bool& value) override;
  void integer(Key key, std::int64_t& value) override;
  void number(Key key, double& value) override;
  void bytes(Key key, std::uint64_t& value) override;
  void duration(Key key, Duration& value, DurationForm form) override;
  void word(Key key, std::string& value, std::span<const std::string_view> words) override;
  void texts(Key key, std::vector<std::string>& values) override;
  void secret_texts(Key key, std::vector<std::string>& values) override { texts(key, values); }
  void pairs(Key key, std::map<std::string, std::string>& values) override;
  void labels(Key key, std::map<std::string, std::string>& values) override;
  void secrets(Key key, std::map<std::string, std::vector<std::string>>& values) override;
  void yaml(Key key, YamlNode& node) override;
  void block(Key key, std::string_view type, bool* given, const Inside& inside) override;
  void list(Key key, std::string_view type, std::size_t count, const Item& item) override;
  void named(Key key, std::string_view type, const std::vector<std::string>& names, const NamedItem& item) override;
  void shared(std::string_view, const Inside& inside) override { inside(*this); }
  void accept(std::initializer_list<std::string_view> names, std::string_view why) override;
  void refuse(std::initializer_list<std::string_view> names, std::string_view why) override;
  void demand(bool holds, std::string_view key, std::string_view problem) override;
  void advise(bool holds, std::string_view key, std::string_view problem) override;
  int line() const override { return line_; }

 private:
  const YamlNode* find(std::string_view name);  // marks the name as known
  int line_of(std::string_view key);            // of the key, else of the block
  const YamlNode* scalar(Key key, std::string_view wanted);
  void mismatch(const YamlNode& found, std::string_view wanted);
  void read_texts(const YamlNode& found, std::vector<std::string>& values);

  const YamlNode* node_;
  int line_;
  std::string type_;
  YamlProblems& problems_;
  std::set<std::string, std::less<>> known_;
  std::set<std::string, std::less<>> wrong_;  // keys whose value is no word of theirs: no rule is asked of them
};

/// Decimal integer with an optional unit B K KB M MB ... E EB in any case, powers of 1024.
std::optional<std::uint64_t> parse_binary_size(std::string_view text);
/// The spellings of YAML 1.1.
std::optional<bool> parse_yaml_bool(std::string_view text);

}  // namespace kvasir::agent
