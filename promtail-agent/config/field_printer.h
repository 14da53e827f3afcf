// field_printer.h -- a block's values as YAML.
//
// Shape:    empty texts, lists and maps are left out, and blocks that say nothing; everything else stands there with
//           the value in force.
#pragma once

#include "promtail-agent/config/fields.h"

namespace kvasir::agent {

enum class Secrets { kHidden, kShown };  // kHidden: `<secret>`, and URLs without user and password

class FieldPrinter final : public Fields {
 public:
  explicit FieldPrinter(Secrets secrets, int depth = 0) : secrets_(secrets), depth_(depth) {}
  const std::string& yaml_text() const { return out_; }

  using Fields::duration;
  using Fields::integer;
  void text(Key key, std::string& value) override;
  void secret(Key key, std::string& value) override;
  void url(Key key, std::string& value) override;
  void flag(Key key, bool& value) override;
  void integer(Key key, std::int64_t& value) override;
  void number(Key key, double& value) override;
  void bytes(Key key, std::uint64_t& value) override;
  void duration(Key key, Duration& value, DurationForm form) override;
  void word(Key key, std::string& value, std::span<const std::string_view> words) override;
  void texts(Key key, std::vector<std::string>& values) override;
  void secret_texts(Key key, std::vector<std::string>& values) override;
  void pairs(Key key, std::map<std::string, std::string>& values) override;
  void secrets(Key key, std::map<std::string, std::vector<std::string>>& values) override;
  void yaml(Key key, YamlNode& node) override;
  void block(Key key, std::string_view type, bool* given, const Inside& inside) override;
  void list(Key key, std::string_view type, std::size_t count, const Item& item) override;
  void named(Key key, std::string_view type, const std::vector<std::string>& names, const NamedItem& item) override;
  void shared(std::string_view, const Inside& inside) override { inside(*this); }
  void accept(std::initializer_list<std::string_view>, std::string_view) override {}
  void refuse(std::initializer_list<std::string_view>, std::string_view) override {}
  void demand(bool, std::string_view, std::string_view) override {}

 private:
  void line(std::string_view text);
  void pair(std::string_view name, std::string_view value);
  /// What `inside` prints one level deeper, below the key; nothing if it prints nothing.
  void nested(std::string_view name, const Inside& inside);
  void node(const YamlNode& value);
  std::string flow_list(const std::vector<std::string>& values, bool secret) const;

  const Secrets secrets_;
  int depth_;
  std::string out_;
};

}  // namespace kvasir::agent
