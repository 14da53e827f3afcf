#include "promtail-agent/config/yaml_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "common/number.h"

namespace kvasir::agent {

namespace {

std::string shown(const YamlNode& node) {
  if (node.is_map()) return "!!map";
  if (node.is_sequence()) return "!!seq";
  return fmt::format("!!str `{}`", node.text);
}

}  // namespace

void YamlProblems::add(int line, std::string_view text) {
  lines_.push_back(line > 0 ? fmt::format("line {}: {}", line, text) : std::string(text));
}

Error YamlProblems::to_error() const {
  std::string text = "yaml: unmarshal errors:";
  for (const auto& line : lines_) text += "\n  " + line;
  return Error(ErrorCode::kParse, std::move(text));
}

YamlFields::YamlFields(const YamlNode* node, std::string type, YamlProblems& problems)
    : node_(node), type_(std::move(type)), problems_(problems) {
  if (node_ == nullptr || node_->is_map()) return;
  if (!node_->is_null()) mismatch(*node_, type_);
  node_ = nullptr;
}

void YamlFields::mismatch(const YamlNode& found, std::string_view wanted) {
  problems_.add(found.line, fmt::format("cannot unmarshal {} into {}", shown(found), wanted));
}

const YamlNode* YamlFields::node(std::string_view key) {
  known_.emplace(key);
  const YamlNode* found = node_ == nullptr ? nullptr : node_->find(key);
  return found == nullptr || found->is_null() ? nullptr : found;
}

const YamlNode* YamlFields::scalar(std::string_view key, std::string_view wanted) {
  const YamlNode* found = node(key);
  if (found == nullptr || found->is_scalar()) return found;
  mismatch(*found, wanted);
  return nullptr;
}

void YamlFields::problem(std::string_view key, std::string_view text) {
  const YamlNode* found = node(key);
  problems_.add(found == nullptr ? line() : found->line, text);
}

void YamlFields::read(std::string_view key, std::string& out) {
  if (const YamlNode* found = scalar(key, "string")) out = found->text;
}

void YamlFields::read(std::string_view key, bool& out) {
  const YamlNode* found = scalar(key, "bool");
  if (found == nullptr) return;
  const auto value = parse_yaml_bool(found->text);
  if (!value) return mismatch(*found, "bool");
  out = *value;
}

void YamlFields::read(std::string_view key, std::int64_t& out) {
  const YamlNode* found = scalar(key, "int");
  if (found == nullptr) return;
  const auto value = found->as_integer();
  if (!value) return mismatch(*found, "int");
  out = *value;
}

void YamlFields::read(std::string_view key, int& out) {
  std::int64_t wide = out;
  read(key, wide);
  if (wide > INT32_MAX || wide < INT32_MIN) return problem(key, fmt::format("{} is out of range", key));
  out = static_cast<int>(wide);
}

void YamlFields::read(std::string_view key, double& out) {
  const YamlNode* found = scalar(key, "float64");
  if (found == nullptr) return;
  const auto value = parse_go_float(found->text);
  if (!value) return mismatch(*found, "float64");
  out = *value;
}

void YamlFields::read(std::string_view key, std::vector<std::string>& out) {
  const YamlNode* found = node(key);
  if (found == nullptr) return;
  if (found->is_scalar()) return out.assign(1, found->text);
  if (!found->is_sequence()) return mismatch(*found, "[]string");
  out.clear();
  for (const YamlNode& item : found->items) {
    if (const auto text = item.as_text()) {
      out.push_back(*text);
    } else {
      mismatch(item, "string");
    }
  }
}

void YamlFields::read(std::string_view key, std::map<std::string, std::string>& out) {
  const YamlNode* found = node(key);
  if (found == nullptr) return;
  if (!found->is_map()) return mismatch(*found, "map[string]string");
  for (const auto& entry : found->entries) {
    if (const auto text = entry.value.as_text()) {
      out[entry.key] = *text;
    } else {
      mismatch(entry.value, "string");
    }
  }
}

void YamlFields::read_duration(std::string_view key, Duration& out) {
  const YamlNode* found = scalar(key, "time.Duration");
  if (found == nullptr) return;
  if (const auto bare = parse_int64(found->text)) {
    out = Duration(*bare);
    return;
  }
  const auto value = parse_go_duration(found->text);
  if (!value) return mismatch(*found, "time.Duration");
  out = *value;
}

void YamlFields::read_long_duration(std::string_view key, Duration& out) {
  const YamlNode* found = scalar(key, "model.Duration");
  if (found == nullptr) return;
  const auto value = parse_duration(found->text);
  if (!value) return problems_.add(found->line, fmt::format("not a valid duration string: \"{}\"", found->text));
  out = *value;
}

void YamlFields::read_bytes(std::string_view key, std::uint64_t& out) {
  const YamlNode* found = scalar(key, "flagext.ByteSize");
  if (found == nullptr) return;
  const auto value = parse_binary_size(found->text);
  if (!value) return problems_.add(found->line, fmt::format("unrecognized size \"{}\"", found->text));
  out = *value;
}

void YamlFields::read_word(std::string_view key, const std::vector<std::string_view>& words, std::string& out) {
  const YamlNode* found = scalar(key, "string");
  if (found == nullptr) return;
  if (std::find(words.begin(), words.end(), found->text) == words.end()) {
    return problems_.add(found->line, fmt::format("unrecognized {} \"{}\"", key, found->text));
  }
  out = found->text;
}

void YamlFields::ignore(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) known_.emplace(key);
}

void YamlFields::each(std::string_view key, const std::function<void(const YamlNode&)>& f) {
  const YamlNode* found = node(key);
  if (found == nullptr) return;
  if (!found->is_sequence()) return mismatch(*found, fmt::format("list of {}", key));
  for (const YamlNode& item : found->items) f(item);
}

void YamlFields::finish() {
  if (node_ == nullptr) return;
  for (const auto& entry : node_->entries) {
    if (known_.contains(entry.key)) continue;
    problems_.add(entry.line, fmt::format("field {} not found in type {}", entry.key, type_));
  }
}

std::optional<std::uint64_t> parse_binary_size(std::string_view text) {
  std::size_t digits = 0;
  while (digits < text.size() && std::isdigit(static_cast<unsigned char>(text[digits])) != 0) ++digits;
  const auto number = parse_uint64(text.substr(0, digits));
  if (!number) return std::nullopt;
  std::string unit;
  for (const char c : text.substr(digits)) {
    if (c != ' ') unit += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  if (unit.size() == 2 && unit[1] == 'B') unit.pop_back();
  if (unit.empty() || unit == "B") return number;
  const std::size_t power = unit.size() == 1 ? std::string_view("KMGTPE").find(unit[0]) : std::string_view::npos;
  if (power == std::string_view::npos) return std::nullopt;
  const int shift = 10 * (static_cast<int>(power) + 1);
  if (*number > (UINT64_MAX >> shift)) return std::nullopt;
  return *number << shift;
}

std::optional<bool> parse_yaml_bool(std::string_view text) {
  static constexpr std::array<std::string_view, 11> kTrue = {"y",    "Y",    "yes",  "Yes", "YES", "true",
                                                             "True", "TRUE", "on",   "On",  "ON"};
  static constexpr std::array<std::string_view, 11> kFalse = {"n",     "N",     "no",    "No",  "NO", "false",
                                                              "False", "FALSE", "off",   "Off", "OFF"};
  if (std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), text) != kFalse.end()) return false;
  return std::nullopt;
}

}  // namespace kvasir::agent
