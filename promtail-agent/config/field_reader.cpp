#include "promtail-agent/config/field_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "common/nearest_word.h"
#include "common/net/http_client.h"
#include "common/number.h"
#include "promtail-agent/config/value_rules.h"

namespace kvasir::agent {

namespace {

std::string shown(const YamlNode& node) {
  if (node.is_map()) return "!!map";
  if (node.is_sequence()) return "!!seq";
  return fmt::format("!!str `{}`", node.text);
}

}  // namespace

void YamlProblems::add(int line, std::string_view text) { problems_.emplace_back(line, text); }

Error YamlProblems::to_error() const {
  auto sorted = problems_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text = "yaml: unmarshal errors:";
  for (const auto& [line, problem] : sorted) {
    text += "\n  ";
    if (line > 0) text += fmt::format("line {}: ", line);
    text += problem;
  }
  return Error(ErrorCode::kParse, std::move(text));
}

FieldReader::FieldReader(const YamlNode* node, std::string_view type, YamlProblems& problems)
    : node_(node), line_(node == nullptr ? 0 : node->line), type_(type), problems_(problems) {
  if (node_ == nullptr || node_->is_map()) return;
  if (!node_->is_null()) mismatch(*node_, type_);
  node_ = nullptr;
}

void FieldReader::finish() {
  if (node_ == nullptr) return;
  const std::vector<std::string> known(known_.begin(), known_.end());
  for (const auto& entry : node_->entries) {
    if (known_.contains(entry.key)) continue;
    std::string text = fmt::format("field {} not found in type {}", entry.key, type_);
    if (const auto near = nearest_word(entry.key, known)) text += fmt::format(", did you mean \"{}\"?", *near);
    problems_.add(entry.line, text);
  }
}

void FieldReader::mismatch(const YamlNode& found, std::string_view wanted) {
  problems_.add(found.line, fmt::format("cannot unmarshal {} into {}", shown(found), wanted));
}

const YamlNode* FieldReader::find(std::string_view name) {
  known_.emplace(name);
  const YamlNode* found = node_ == nullptr ? nullptr : node_->find(name);
  return found == nullptr || found->is_null() ? nullptr : found;
}

const YamlNode* FieldReader::scalar(Key key, std::string_view wanted) {
  const YamlNode* found = find(key.name);
  if (found == nullptr || found->is_scalar()) return found;
  mismatch(*found, wanted);
  return nullptr;
}

void FieldReader::text(Key key, std::string& value) {
  if (const YamlNode* found = scalar(key, "string")) value = found->text;
}

void FieldReader::url(Key key, std::string& value) {
  text(key, value);
  if (value.empty() || value.starts_with("unix://") || value.starts_with("tcp://")) return;
  const auto parsed = net::parse_url(value);
  if (!parsed) demand(false, key.name, fmt::format("parse \"{}\": {}", value, parsed.error().message()));
}

void FieldReader::flag(Key key, bool& value) {
  const YamlNode* found = scalar(key, "bool");
  if (found == nullptr) return;
  const auto read = parse_yaml_bool(found->text);
  if (!read) return mismatch(*found, "bool");
  value = *read;
}

void FieldReader::integer(Key key, std::int64_t& value) {
  const YamlNode* found = scalar(key, "int");
  if (found == nullptr) return;
  const auto read = found->as_integer();
  if (!read) return mismatch(*found, "int");
  value = *read;
}

void FieldReader::number(Key key, double& value) {
  const YamlNode* found = scalar(key, "float64");
  if (found == nullptr) return;
  const auto read = parse_go_float(found->text);
  if (!read) return mismatch(*found, "float64");
  value = *read;
}

void FieldReader::bytes(Key key, std::uint64_t& value) {
  const YamlNode* found = scalar(key, "flagext.ByteSize");
  if (found == nullptr) return;
  const auto read = parse_binary_size(found->text);
  if (!read) return problems_.add(found->line, fmt::format("unrecognized size \"{}\"", found->text));
  value = *read;
}

void FieldReader::duration(Key key, Duration& value, DurationForm form) {
  const bool go = form == DurationForm::kGo;
  const YamlNode* found = scalar(key, go ? "time.Duration" : "model.Duration");
  if (found == nullptr) return;
  const auto bare = go ? parse_int64(found->text) : std::nullopt;
  const auto read = bare ? Duration(*bare) : go ? parse_go_duration(found->text) : parse_duration(found->text);
  if (read && *read < Duration(0)) {
    problems_.add(found->line, fmt::format("{} {}: must not be negative", key.name, found->text));
  } else if (read) {
    value = *read;
  } else if (go) {
    mismatch(*found, "time.Duration");
  } else {
    problems_.add(found->line, fmt::format("not a valid duration string: \"{}\"", found->text));
  }
}

void FieldReader::word(Key key, std::string& value, std::span<const std::string_view> words) {
  const YamlNode* found = scalar(key, "string");
  if (found == nullptr) return;
  if (std::find(words.begin(), words.end(), found->text) == words.end()) {
    wrong_.emplace(key.name);
    return problems_.add(found->line, fmt::format("unrecognized {} \"{}\"", key.name, found->text));
  }
  value = found->text;
}

void FieldReader::read_texts(const YamlNode& found, std::vector<std::string>& values) {
  if (found.is_scalar()) return values.assign(1, found.text);
  if (!found.is_sequence()) return mismatch(found, "[]string");
  values.clear();
  for (const YamlNode& item : found.items) {
    if (const auto text = item.as_text()) {
      values.push_back(*text);
    } else {
      mismatch(item, "string");
    }
  }
}

void FieldReader::texts(Key key, std::vector<std::string>& values) {
  if (const YamlNode* found = find(key.name)) read_texts(*found, values);
}

void FieldReader::pairs(Key key, std::map<std::string, std::string>& values) {
  const YamlNode* found = find(key.name);
  if (found == nullptr) return;
  if (!found->is_map()) return mismatch(*found, "map[string]string");
  for (const auto& entry : found->entries) {
    if (const auto text = entry.value.as_text()) {
      values[entry.key] = *text;
    } else {
      mismatch(entry.value, "string");
    }
  }
}

void FieldReader::labels(Key key, std::map<std::string, std::string>& values) {
  pairs(key, values);
  const YamlNode* found = find(key.name);
  if (found == nullptr || !found->is_map()) return;
  for (const auto& entry : found->entries) {
    if (const std::string problem = find_label_name_problem(entry.key); !problem.empty()) {
      problems_.add(entry.line, fmt::format("{} \"{}\": {}", key.name, entry.key, problem));
    } else if (!is_plain_label_name(entry.key)) {
      problems_.advise(entry.line, fmt::format("{} \"{}\": servers take no such name of a label and refuse the lines; "
                                               "allowed are letters, digits and _, no digit first",
                                               key.name, entry.key));
    }
  }
}

void FieldReader::secrets(Key key, std::map<std::string, std::vector<std::string>>& values) {
  const YamlNode* found = find(key.name);
  if (found == nullptr) return;
  if (!found->is_map()) return mismatch(*found, "map[string][]string");
  for (const auto& entry : found->entries) read_texts(entry.value, values[entry.key]);
}

void FieldReader::yaml(Key key, YamlNode& node) {
  if (const YamlNode* found = find(key.name)) node = *found;
}

void FieldReader::block(Key key, std::string_view type, bool* given, const Inside& inside) {
  const YamlNode* found = find(key.name);
  if (found == nullptr) return;
  if (given != nullptr) *given = true;
  FieldReader fields(found, type, problems_);
  inside(fields);
  fields.finish();
}

void FieldReader::list(Key key, std::string_view type, std::size_t count, const Item& item) {
  const YamlNode* found = find(key.name);
  if (found == nullptr) return;
  if (!found->is_sequence()) return mismatch(*found, fmt::format("list of {}", key.name));
  for (const YamlNode& node : found->items) {
    FieldReader fields(&node, type, problems_);
    item(fields, count++);
    fields.finish();
  }
}

void FieldReader::named(Key key, std::string_view type, const std::vector<std::string>&, const NamedItem& item) {
  const YamlNode* found = find(key.name);
  if (found == nullptr) return;
  if (!found->is_map()) return mismatch(*found, fmt::format("map of {}", key.name));
  for (const auto& entry : found->entries) {
    FieldReader fields(&entry.value, type, problems_);
    item(fields, entry.key);
    fields.finish();
  }
}

void FieldReader::accept(std::initializer_list<std::string_view> names, std::string_view) {
  for (const std::string_view name : names) known_.emplace(name);
}

void FieldReader::refuse(std::initializer_list<std::string_view> names, std::string_view why) {
  for (const std::string_view name : names) {
    if (const YamlNode* found = find(name)) problems_.add(found->line, fmt::format("{}: {}", name, why));
  }
}

int FieldReader::line_of(std::string_view key) {
  const YamlNode* found = find(key);
  return found != nullptr ? found->line : node_ != nullptr ? node_->line : 0;
}

void FieldReader::demand(bool holds, std::string_view key, std::string_view problem) {
  if (!holds && !wrong_.contains(key)) problems_.add(line_of(key), problem);
}

void FieldReader::advise(bool holds, std::string_view key, std::string_view problem) {
  if (!holds && !wrong_.contains(key)) problems_.advise(line_of(key), problem);
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
