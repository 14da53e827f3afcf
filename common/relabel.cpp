#include "common/relabel.h"

#include <algorithm>
#include <array>
#include <map>

#include <openssl/evp.h>
#include <utf8proc.h>

#include "common/regex.h"
#include "common/utf8.h"

namespace kvasir {
namespace {

using Values = std::map<std::string, std::string, std::less<>>;

constexpr std::pair<std::string_view, RelabelAction> kActions[] = {
    {"replace", RelabelAction::kReplace},       {"keep", RelabelAction::kKeep},
    {"drop", RelabelAction::kDrop},             {"keepequal", RelabelAction::kKeepEqual},
    {"dropequal", RelabelAction::kDropEqual},   {"hashmod", RelabelAction::kHashMod},
    {"labelmap", RelabelAction::kLabelMap},     {"labeldrop", RelabelAction::kLabelDrop},
    {"labelkeep", RelabelAction::kLabelKeep},   {"lowercase", RelabelAction::kLowercase},
    {"uppercase", RelabelAction::kUppercase},
};

std::string ascii_lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

bool name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// A replacement text, cut into literals and groups once.
class Expansion {
 public:
  Expansion(std::string_view text, const re2::RE2& regex) {
    while (!text.empty()) {
      const std::size_t dollar = text.find('$');
      if (dollar > 0) parts_.push_back({std::string(text.substr(0, dollar)), -1});
      if (dollar == std::string_view::npos) return;
      text.remove_prefix(dollar + 1);
      text.remove_prefix(group(text, regex));
    }
  }

  bool constant() const {
    return std::all_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.group < 0; });
  }

  std::string expand(const std::vector<re2::StringPiece>& groups) const {
    std::string out;
    for (const Part& part : parts_) {
      if (part.group < 0) out += part.literal;
      else if (static_cast<std::size_t>(part.group) < groups.size())
        out.append(groups[static_cast<std::size_t>(part.group)].data(),
                   groups[static_cast<std::size_t>(part.group)].size());
    }
    return out;
  }

 private:
  struct Part {
    std::string literal;
    int group;  // -1: the literal
  };

  // What follows a dollar sign; returns its length.
  std::size_t group(std::string_view text, const re2::RE2& regex) {
    if (text.starts_with('$')) return parts_.push_back({"$", -1}), 1;
    const bool braced = text.starts_with('{');
    std::size_t end = braced ? 1 : 0;
    while (end < text.size() && name_byte(text[end])) ++end;
    const std::string name(text.substr(braced, end - braced));
    const bool closed = !braced || (end < text.size() && text[end] == '}');
    if (name.empty() || !closed) return parts_.push_back({"$", -1}), 0;
    const bool number = name.find_first_not_of("0123456789") == std::string::npos && name.size() < 9;
    int index = number ? std::stoi(name) : -1;
    const auto& names = regex.NamedCapturingGroups();
    if (const auto found = names.find(name); !number && found != names.end()) index = found->second;
    if (index >= 0 && index <= regex.NumberOfCapturingGroups()) parts_.push_back({{}, index});
    return end + braced;
  }

  std::vector<Part> parts_;
};

std::uint64_t last_bytes_of_md5(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_md5(), nullptr);
  std::uint64_t out = 0;
  for (unsigned i = 8; i < 16; ++i) out = out << 8 | digest[i];
  return out;
}

std::string mapped_case(std::string_view text, bool upper) {
  std::string out;
  while (!text.empty()) {
    const Rune rune = decode_utf8(text);
    if (!rune.valid) {
      out += text.front();
    } else {
      const auto code = static_cast<utf8proc_int32_t>(rune.value);
      append_utf8(out, static_cast<char32_t>(upper ? utf8proc_toupper(code) : utf8proc_tolower(code)));
    }
    text.remove_prefix(rune.length);
  }
  return out;
}

void set_or_erase(Values& values, const std::string& name, std::string value) {
  if (value.empty()) values.erase(name);
  else values[name] = std::move(value);
}

}  // namespace

struct Relabeler::Compiled {
  RelabelRule rule;
  RelabelAction action = RelabelAction::kReplace;
  std::shared_ptr<const re2::RE2> regex;
  std::optional<Expansion> target;
  std::optional<Expansion> replacement;

  bool match(std::string_view text, std::vector<re2::StringPiece>& groups) const {
    groups.resize(static_cast<std::size_t>(regex->NumberOfCapturingGroups()) + 1);
    return regex->Match({text.data(), text.size()}, 0, text.size(), re2::RE2::ANCHOR_BOTH, groups.data(),
                        static_cast<int>(groups.size()));
  }
  bool match(std::string_view text) const {
    return regex->Match({text.data(), text.size()}, 0, text.size(), re2::RE2::ANCHOR_BOTH, nullptr, 0);
  }
  /// False: the target is dropped.
  bool apply(Values& values) const;
  void replace(Values& values, const std::string& value) const;
  void map_names(Values& values) const;
};

void Relabeler::Compiled::replace(Values& values, const std::string& value) const {
  std::vector<re2::StringPiece> groups;
  if (!match(value, groups)) return;
  const std::string name = target->expand(groups);
  if (!name.empty() && is_valid_utf8(name)) set_or_erase(values, name, replacement->expand(groups));
}

void Relabeler::Compiled::map_names(Values& values) const {
  const Values before = values;
  std::vector<re2::StringPiece> groups;
  for (const auto& [name, value] : before) {
    if (!match(name, groups)) continue;
    const std::string mapped = replacement->expand(groups);
    if (!mapped.empty()) values[mapped] = value;
  }
}

bool Relabeler::Compiled::apply(Values& values) const {
  const auto get = [&values](const std::string& name) {
    const auto found = values.find(name);
    return found == values.end() ? std::string() : found->second;
  };
  std::string value;
  for (std::size_t i = 0; i < rule.source_labels.size(); ++i) {
    if (i > 0) value += rule.separator;
    value += get(rule.source_labels[i]);
  }
  switch (action) {
    case RelabelAction::kReplace: replace(values, value); return true;
    case RelabelAction::kKeep: return match(value);
    case RelabelAction::kDrop: return !match(value);
    case RelabelAction::kKeepEqual: return value == get(rule.target_label);
    case RelabelAction::kDropEqual: return value != get(rule.target_label);
    case RelabelAction::kHashMod:
      values[rule.target_label] = std::to_string(last_bytes_of_md5(value) % rule.modulus);
      return true;
    case RelabelAction::kLabelMap: map_names(values); return true;
    case RelabelAction::kLabelDrop:
      std::erase_if(values, [this](const auto& item) { return match(item.first); });
      return true;
    case RelabelAction::kLabelKeep:
      std::erase_if(values, [this](const auto& item) { return !match(item.first); });
      return true;
    case RelabelAction::kLowercase: set_or_erase(values, rule.target_label, mapped_case(value, false)); return true;
    case RelabelAction::kUppercase: set_or_erase(values, rule.target_label, mapped_case(value, true)); return true;
  }
  return true;
}

namespace {

Result<RelabelAction> read_action(const std::string& text) {
  const std::string word = ascii_lower(text);
  if (word.empty()) return fail(ErrorCode::kInvalidArgument, "relabel action cannot be empty");
  for (const auto& [name, action] : kActions)
    if (name == word) return action;
  return fail(ErrorCode::kInvalidArgument, "unknown relabel action \"" + text + "\"");
}

bool is_one_of(RelabelAction action, std::initializer_list<RelabelAction> actions) {
  return std::find(actions.begin(), actions.end(), action) != actions.end();
}

// The rules that Prometheus checks, in its order.
Result<void> check(const RelabelRule& rule, RelabelAction action, const re2::RE2& regex) {
  using A = RelabelAction;
  const RelabelRule plain;
  const std::string word = ascii_lower(rule.action);
  const auto bad = [](std::string text) { return fail(ErrorCode::kInvalidArgument, std::move(text)); };
  if (rule.modulus == 0 && action == A::kHashMod)
    return bad("relabel configuration for hashmod requires non-zero modulus");
  const bool needs_target =
      is_one_of(action, {A::kReplace, A::kHashMod, A::kLowercase, A::kUppercase, A::kKeepEqual, A::kDropEqual});
  if (needs_target && rule.target_label.empty())
    return bad("relabel configuration for " + word + " action requires 'target_label' value");
  if (needs_target && !is_valid_utf8(rule.target_label))
    return bad("\"" + rule.target_label + "\" is invalid 'target_label' for " + word + " action");
  const bool fixed_target =
      is_one_of(action, {A::kHashMod, A::kLowercase, A::kUppercase, A::kKeepEqual, A::kDropEqual});
  if (fixed_target && !Expansion(rule.target_label, regex).constant())
    return bad("\"" + rule.target_label + "\" is invalid 'target_label' for " + word + " action");
  const bool no_replacement = is_one_of(action, {A::kLowercase, A::kUppercase, A::kKeepEqual, A::kDropEqual});
  if (no_replacement && rule.replacement != plain.replacement)
    return bad("'replacement' can not be set for " + word + " action");
  if (action == A::kLabelMap && (rule.replacement.empty() || !is_valid_utf8(rule.replacement)))
    return bad("\"" + rule.replacement + "\" is invalid 'replacement' for labelmap action");
  const bool extras = rule.modulus != plain.modulus || rule.replacement != plain.replacement;
  if (is_one_of(action, {A::kKeepEqual, A::kDropEqual}) &&
      (extras || rule.regex != plain.regex || rule.separator != plain.separator))
    return bad(word + " action requires only 'source_labels' and `target_label`, and no other fields");
  if (is_one_of(action, {A::kLabelDrop, A::kLabelKeep}) &&
      (extras || !rule.source_labels.empty() || !rule.target_label.empty() || rule.separator != plain.separator))
    return bad(word + " action requires only 'regex', and no other fields");
  return {};
}

Result<RelabelRule> read_rule(const YamlNode& node) {
  RelabelRule rule;
  if (!node.is_map()) return fail(ErrorCode::kInvalidArgument, "a rule must be a map");
  for (const auto& [key, line, value] : node.entries) {
    if (value.is_null()) continue;
    if (key == "source_labels") {
      if (!value.is_sequence()) return fail(ErrorCode::kInvalidArgument, "'source_labels' must be a list");
      for (const YamlNode& item : value.items) rule.source_labels.push_back(item.text);
      continue;
    }
    if (!value.is_scalar()) return fail(ErrorCode::kInvalidArgument, "'" + key + "' must be text");
    if (key == "separator") rule.separator = value.text;
    else if (key == "regex") rule.regex = value.text;
    else if (key == "target_label") rule.target_label = value.text;
    else if (key == "replacement") rule.replacement = value.text;
    else if (key == "action") rule.action = value.text;
    else if (key == "modulus") {
      const auto modulus = value.as_integer();
      if (!modulus || *modulus < 0) return fail(ErrorCode::kInvalidArgument, "'modulus' must be a number");
      rule.modulus = static_cast<std::uint64_t>(*modulus);
    } else {
      return fail(ErrorCode::kInvalidArgument,
                  "line " + std::to_string(line) + ": field " + key + " not found in type relabel.plain");
    }
  }
  return rule;
}

Error in_rule(std::size_t index, const Error& error) {
  return error.with_context("RelabelConfigs[" + std::to_string(index) + "]");
}

}  // namespace

Result<Relabeler> Relabeler::create(const std::vector<RelabelRule>& rules) {
  Relabeler out;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    auto compiled = std::make_shared<Compiled>();
    compiled->rule = rules[i];
    auto action = read_action(rules[i].action);
    if (!action) return fail(in_rule(i, action.error()));
    compiled->action = *action;
    auto regex = compile_regex(rules[i].regex, {.dot_matches_newline = true});
    if (!regex) return fail(in_rule(i, regex.error()));
    compiled->regex = std::move(*regex);
    if (const auto valid = check(rules[i], *action, *compiled->regex); !valid) return fail(in_rule(i, valid.error()));
    compiled->target.emplace(rules[i].target_label, *compiled->regex);
    compiled->replacement.emplace(rules[i].replacement, *compiled->regex);
    out.rules_.push_back(std::move(compiled));
  }
  return out;
}

Result<Relabeler> Relabeler::parse(const YamlNode& node) {
  if (node.is_null()) return Relabeler();
  if (!node.is_sequence()) return fail(ErrorCode::kInvalidArgument, "relabel_configs must be a list");
  std::vector<RelabelRule> rules;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    auto rule = read_rule(node.items[i]);
    if (!rule) return fail(in_rule(i, rule.error()));
    rules.push_back(std::move(*rule));
  }
  return create(rules);
}

std::optional<Labels> Relabeler::apply(const Labels& labels) const {
  Values values;
  for (const Label& label : labels)
    if (!label.value.empty()) values.emplace(label.name, label.value);
  for (const auto& rule : rules_)
    if (!rule->apply(values)) return std::nullopt;
  std::vector<Label> out;
  for (auto& [name, value] : values) out.push_back({name, std::move(value)});
  return Labels::from_sorted(std::move(out));
}

}  // namespace kvasir
