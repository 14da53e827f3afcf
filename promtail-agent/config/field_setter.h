// field_setter.h -- one field, found by its path (`server.http_listen_port`), as flags name it.
//
// Shape:    make one for a path, walk it over a block, then look at type(): kNone if the block has no such field.
#pragma once

#include <optional>

#include "promtail-agent/config/fields.h"

namespace kvasir::agent {

enum class FieldType { kNone, kText, kFlag, kInteger, kNumber, kBytes, kDuration };

class FieldSetter final : public Fields {
 public:
  /// Without a text the field is only looked at.
  FieldSetter(std::string_view path, std::optional<std::string> text) : path_(path), text_(std::move(text)) {}

  FieldType type() const { return type_; }
  std::string_view meaning() const { return meaning_; }
  /// The value before it was set.
  const std::string& value() const { return value_; }
  /// False: the text does not suit the field, whose value is as before.
  bool fits() const { return fits_; }

  using Fields::duration;
  using Fields::integer;
  void text(Key key, std::string& value) override;
  void secret(Key key, std::string& value) override { text(key, value); }
  void url(Key key, std::string& value) override { text(key, value); }
  void flag(Key key, bool& value) override;
  void integer(Key key, std::int64_t& value) override;
  void number(Key key, double& value) override;
  void bytes(Key key, std::uint64_t& value) override;
  void duration(Key key, Duration& value, DurationForm form) override;
  void word(Key key, std::string& value, std::span<const std::string_view> words) override;
  void block(Key key, std::string_view type, bool* given, const Inside& inside) override;
  void shared(std::string_view, const Inside& inside) override { inside(*this); }
  void demand(bool holds, std::string_view key, std::string_view problem) override;
  // No flag names these.
  void texts(Key, std::vector<std::string>&) override {}
  void secret_texts(Key, std::vector<std::string>&) override {}
  void pairs(Key, std::map<std::string, std::string>&) override {}
  void secrets(Key, std::map<std::string, std::vector<std::string>>&) override {}
  void yaml(Key, YamlNode&) override {}
  void list(Key, std::string_view, std::size_t, const Item&) override {}
  void named(Key, std::string_view, const std::vector<std::string>&, const NamedItem&) override {}
  void accept(std::initializer_list<std::string_view>, std::string_view) override {}
  void refuse(std::initializer_list<std::string_view>, std::string_view) override {}

 private:
  /// Whether this is the field; notes what it is like.
  bool found(Key key, FieldType type, std::string value);
  template <class Value>
  void set(const std::optional<Value>& read, Value& value) {
    fits_ = read.has_value();
    if (read) value = *read;
  }

  std::string_view path_;  // what is left of it
  std::optional<std::string> text_;
  FieldType type_ = FieldType::kNone;
  std::string_view meaning_;
  std::string value_;
  bool fits_ = true;
};

/// Go's strconv.ParseBool.
std::optional<bool> parse_go_bool(std::string_view text);

}  // namespace kvasir::agent
