#include "promtail-agent/stages/stage_options.h"

#include <algorithm>

#include "common/nearest_word.h"
#include "common/number.h"

namespace kvasir::agent {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string describe(const YamlNode& node) {
  if (node.is_scalar()) return "value: '" + node.text + "'";
  return node.is_map() ? "a map" : node.is_sequence() ? "a list" : "null";
}

std::optional<bool> lenient_bool(const YamlNode& node) {
  YamlNode probe = node;
  probe.plain = true;
  if (const auto value = probe.as_bool()) return value;
  if (node.is_scalar() && node.text == "1") return true;
  if (node.is_scalar() && node.text == "0") return false;
  return std::nullopt;
}

Error type_error(std::string_view name, std::string_view wanted, const YamlNode& got) {
  return Error(ErrorCode::kInvalidArgument,
               "'" + std::string(name) + "' expected type '" + std::string(wanted) + "', got " + describe(got));
}

}  // namespace

StageOptions::StageOptions(const YamlNode& node, StagePlace place, Diagnostics& diagnostics)
    : node_(node), place_(std::move(place)), diagnostics_(diagnostics) {
  if (!node.is_null() && !node.is_map()) wrong_type("", "map", node);
}

void StageOptions::wrong_type(std::string_view name, std::string_view wanted, const YamlNode& got) {
  fault(name, type_error(name, wanted, got).message());
}

void StageOptions::fault(std::string_view option, const std::string& reason) {
  int line = 0;
  for (const auto& entry : node_.entries)
    if (same_word(entry.key, option)) line = entry.line;
  add_fault(place_, line, reason, diagnostics_);
  if (!error_) error_ = Error(ErrorCode::kInvalidArgument, reason);
}

void StageOptions::warn(const std::string& text) { diagnostics_.warnings.push_back(place_.text() + ": " + text); }

const YamlNode* StageOptions::find(std::string_view name) {
  known_.emplace_back(name);
  for (const auto& entry : node_.entries)
    if (same_word(entry.key, name) && !entry.value.is_null()) return &entry.value;
  return nullptr;
}

bool StageOptions::has(std::string_view name) { return find(name) != nullptr; }

std::optional<std::string> StageOptions::text(std::string_view name) {
  const YamlNode* node = find(name);
  if (node == nullptr) return std::nullopt;
  if (!node->is_scalar()) return wrong_type(name, "string", *node), std::nullopt;
  return node->text;
}

bool StageOptions::flag(std::string_view name, bool fallback) {
  const YamlNode* node = find(name);
  if (node == nullptr) return fallback;
  const auto value = lenient_bool(*node);
  if (!value) wrong_type(name, "bool", *node);
  return value.value_or(fallback);
}

std::int64_t StageOptions::integer(std::string_view name, std::int64_t fallback) {
  const YamlNode* node = find(name);
  if (node == nullptr) return fallback;
  const auto value = node->as_integer();
  if (!value) wrong_type(name, "int", *node);
  return value.value_or(fallback);
}

std::optional<double> StageOptions::number(std::string_view name) {
  const YamlNode* node = find(name);
  if (node == nullptr) return std::nullopt;
  const auto value = node->is_scalar() ? parse_go_float(node->text) : std::nullopt;
  if (!value) wrong_type(name, "float64", *node);
  return value.value_or(0);
}

std::vector<std::string> StageOptions::texts(std::string_view name) {
  const YamlNode* node = find(name);
  if (node == nullptr) return {};
  auto texts = read_texts(*node);
  if (texts) return std::move(*texts);
  wrong_type(name, "list of strings", *node);
  return {};
}

std::vector<TextPair> StageOptions::pairs(std::string_view name) {
  const YamlNode* node = find(name);
  if (node == nullptr) return {};
  auto pairs = read_pairs(*node);
  if (pairs) return std::move(*pairs);
  wrong_type(name, "map of strings", *node);
  return {};
}

Result<void> StageOptions::finish() {
  for (const auto& entry : node_.entries) {
    const bool known =
        std::any_of(known_.begin(), known_.end(), [&](const auto& name) { return same_word(name, entry.key); });
    if (known) continue;
    const auto near = nearest_word(entry.key, known_);
    warn("option \"" + entry.key + "\" is not known and has no effect" +
         (near ? ", did you mean \"" + *near + "\"?" : std::string()));
  }
  if (error_) return fail(*error_);
  return {};
}

Result<std::vector<TextPair>> read_pairs(const YamlNode& node) {
  std::vector<TextPair> out;
  if (!node.is_null() && !node.is_map()) return fail(type_error("", "map", node));
  for (const auto& entry : node.entries) {
    const auto text = entry.value.as_text();
    if (!text) return fail(type_error(entry.key, "string", entry.value));
    out.push_back({entry.key, *text, entry.value.is_null()});
  }
  return out;
}

Result<std::vector<TextPair>> read_named_pairs(const YamlNode& node, BuildContext& context,
                                               bool (*is_name)(std::string_view)) {
  if (!node.is_null() && !node.is_map()) return fail(type_error("", "map", node));
  std::vector<TextPair> out;
  std::optional<Error> first;
  const auto fault = [&](int line, const Error& error) {
    add_fault(context.place, line, error.message(), context.diagnostics);
    if (!first) first = error;
  };
  for (const auto& entry : node.entries) {
    const auto text = entry.value.as_text();
    if (!text) fault(entry.line, type_error(entry.key, "string", entry.value));
    if (!is_name(entry.key)) fault(entry.line, Error(ErrorCode::kInvalidArgument, "invalid label name: " + entry.key));
    out.push_back({entry.key, text.value_or(""), entry.value.is_null()});
  }
  if (first) return fail(*first);
  return out;
}

Result<std::vector<std::string>> read_texts(const YamlNode& node) {
  std::vector<std::string> out;
  if (node.is_null()) return out;
  if (node.is_scalar()) return std::vector<std::string>{node.text};
  if (!node.is_sequence()) return fail(type_error("", "list", node));
  for (const YamlNode& item : node.items) {
    const auto text = item.as_text();
    if (!text) return fail(type_error("", "string", item));
    out.push_back(*text);
  }
  return out;
}

std::optional<std::uint64_t> parse_base2_size(std::string_view text) {
  const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_uint64(text.substr(0, end));
  if (!number) return std::nullopt;
  std::string unit;
  for (const char c : text.substr(end))
    if (c != ' ') unit += lower(c);
  if (unit.empty() || unit == "b") return number;
  if (unit.size() > 1 && unit.back() == 'b') unit.pop_back();
  if (unit.size() == 2 && unit[1] == 'i') unit.pop_back();
  const std::size_t power = std::string_view("kmgtpe").find(unit[0]);
  std::uint64_t bytes = 0;
  if (unit.size() != 1 || power == std::string_view::npos) return std::nullopt;
  if (__builtin_mul_overflow(*number, std::uint64_t{1} << (10 * (power + 1)), &bytes)) return std::nullopt;
  return bytes;
}

bool is_label_name(std::string_view name) {
  const auto starts = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto goes_on = [&](char c) { return starts(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && starts(name.front()) && std::all_of(name.begin(), name.end(), goes_on);
}

}  // namespace kvasir::agent
