#include "promtail-agent/config/field_setter.h"

#include <algorithm>
#include <array>

#include "common/number.h"
#include "promtail-agent/config/field_reader.h"

namespace kvasir::agent {

bool FieldSetter::found(Key key, FieldType type, std::string value) {
  if (key.name != path_) return false;
  type_ = type;
  meaning_ = key.meaning;
  value_ = std::move(value);
  return text_.has_value();
}

void FieldSetter::text(Key key, std::string& value) {
  if (found(key, FieldType::kText, value)) value = *text_;
}

void FieldSetter::flag(Key key, bool& value) {
  if (found(key, FieldType::kFlag, value ? "true" : "false")) set(parse_go_bool(*text_), value);
}

void FieldSetter::integer(Key key, std::int64_t& value) {
  if (found(key, FieldType::kInteger, std::to_string(value))) set(parse_int64(*text_), value);
}

void FieldSetter::number(Key key, double& value) {
  if (found(key, FieldType::kNumber, format_go_float(value))) set(parse_go_float(*text_), value);
}

void FieldSetter::bytes(Key key, std::uint64_t& value) {
  if (found(key, FieldType::kBytes, std::to_string(value))) set(parse_binary_size(*text_), value);
}

void FieldSetter::duration(Key key, Duration& value, DurationForm) {
  if (found(key, FieldType::kDuration, format_go_duration(value))) set(parse_go_duration(*text_), value);
}

void FieldSetter::word(Key key, std::string& value, std::span<const std::string_view> words) {
  if (!found(key, FieldType::kText, value)) return;
  fits_ = text_->empty() || std::find(words.begin(), words.end(), *text_) != words.end();
  if (fits_) value = *text_;
}

void FieldSetter::block(Key key, std::string_view, bool*, const Inside& inside) {
  const std::size_t length = key.name.size();
  if (!path_.starts_with(key.name) || path_.size() <= length || path_[length] != '.') return;
  const std::string_view whole = path_;
  path_.remove_prefix(length + 1);
  inside(*this);
  path_ = whole;
}

void FieldSetter::demand(bool holds, std::string_view key, std::string_view) {
  if (!holds && key == path_ && text_) fits_ = false;
}

std::optional<bool> parse_go_bool(std::string_view text) {
  static constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "true", "TRUE", "True"};
  static constexpr std::array<std::string_view, 6> kFalse = {"0", "f", "F", "false", "FALSE", "False"};
  if (std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), text) != kFalse.end()) return false;
  return std::nullopt;
}

}  // namespace kvasir::agent
