#include "common/yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <unordered_set>

#include "common/labels.h"
#include "common/number.h"
#include "common/utf8.h"

namespace kvasir {
namespace {

Error at_line(int line, const std::string& text) {
  return Error(ErrorCode::kParse, "yaml: line " + std::to_string(line) + ": " + text);
}

class Converter {
 public:
  Result<YamlNode> convert(const YAML::Node& from, int depth) {
    const int line = from.Mark().line + 1;
    if (depth > kYamlDepthMax) return fail(at_line(line, "nested too deeply"));
    if (++nodes_ > kYamlNodesMax) return fail(at_line(line, "too many values"));
    YamlNode to;
    to.line = line;
    if (from.IsScalar()) {
      to.plain = from.Tag() == "?";
      to.text = from.Scalar();
      to.kind = YamlNode::Kind::kScalar;
    } else if (from.IsSequence()) {
      to.kind = YamlNode::Kind::kSequence;
      for (const auto& item : from) {
        KVASIR_TRY(YamlNode child, convert(item, depth + 1));
        to.items.push_back(std::move(child));
      }
    } else if (from.IsMap()) {
      to.kind = YamlNode::Kind::kMap;
      KVASIR_CHECK_OK(fill_map(from, to, depth));
    }
    return to;
  }

 private:
  Result<void> fill_map(const YAML::Node& from, YamlNode& to, int depth) {
    std::unordered_set<std::string> seen;
    std::vector<YAML::Node> merges;
    for (const auto& pair : from) {
      const int line = pair.first.Mark().line + 1;
      if (!pair.first.IsScalar() && !pair.first.IsNull()) return fail(at_line(line, "a key must be a scalar"));
      std::string key = pair.first.IsNull() ? "null" : pair.first.Scalar();
      if (key == "<<" && pair.first.Tag() == "?") {
        merges.push_back(pair.second);
        continue;
      }
      if (!seen.insert(key).second) return fail(at_line(line, "key \"" + key + "\" already set in map"));
      KVASIR_TRY(YamlNode value, convert(pair.second, depth + 1));
      to.entries.push_back({std::move(key), line, std::move(value)});
    }
    for (const auto& merge : merges) KVASIR_CHECK_OK(merge_into(merge, to, depth));
    return {};
  }

  /// `<<: *anchor` and `<<: [*a, *b]`: keys that are there already stay.
  Result<void> merge_into(const YAML::Node& from, YamlNode& to, int depth) {
    if (from.IsSequence()) {
      for (const auto& item : from) KVASIR_CHECK_OK(merge_into(item, to, depth + 1));
      return {};
    }
    KVASIR_TRY(YamlNode merged, convert(from, depth + 1));
    if (!merged.is_map()) return fail(at_line(merged.line, "map merge requires map or sequence of maps as the value"));
    for (auto& entry : merged.entries) {
      if (to.find(entry.key) == nullptr) to.entries.push_back(std::move(entry));
    }
    return {};
  }

  std::size_t nodes_ = 0;
};

/// YAML is UTF-8 without control characters; the library below takes a NUL for the end of the text.
Result<void> check_characters(std::string_view text) {
  int line = 1;
  for (std::size_t at = 0; at < text.size();) {
    const Rune rune = decode_utf8(text.substr(at));
    if (!rune.valid) return fail(at_line(line, "not UTF-8"));
    const bool control = (rune.value < 0x20 && rune.value != '\t' && rune.value != '\n' && rune.value != '\r') ||
                         rune.value == 0x7f;
    if (control) return fail(at_line(line, "control characters are not allowed"));
    if (rune.value == '\n') ++line;
    at += rune.length;
  }
  return {};
}

Result<std::vector<YamlNode>> load(std::string_view text, bool all) {
  if (text.size() > kYamlBytesMax) return fail(ErrorCode::kLimitExceeded, "yaml: the document is too large");
  KVASIR_CHECK_OK(check_characters(text));
  std::vector<YamlNode> documents;
  try {
    std::vector<YAML::Node> nodes;
    if (all) {
      nodes = YAML::LoadAll(std::string(text));
    } else {
      nodes.push_back(YAML::Load(std::string(text)));
    }
    for (const auto& node : nodes) {
      Converter converter;
      KVASIR_TRY(YamlNode document, converter.convert(node, 0));
      documents.push_back(std::move(document));
    }
  } catch (const YAML::Exception& e) {
    return fail(at_line(e.mark.line + 1, e.msg));
  }
  return documents;
}

bool any_case_of(const std::string& text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  std::string upper(lower);
  std::string title(lower);
  for (char& c : upper) c = static_cast<char>(c - 32);
  title[0] = static_cast<char>(title[0] - 32);
  return text == lower || text == upper || text == title;
}

bool plain_is_safe(std::string_view text) {
  static constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-:";
  if (text.empty() || text.find_first_not_of(kAllowed) != std::string_view::npos) return false;
  if (text.front() == '-' || text.front() == ':' || text.back() == ':') return false;
  YamlNode probe;
  probe.kind = YamlNode::Kind::kScalar;
  probe.plain = true;
  probe.text = std::string(text);
  if (probe.as_bool() || parse_go_float(text)) return false;
  return text != "null" && text != "Null" && text != "NULL";
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key == key; });
  return found == entries.end() ? nullptr : &found->value;
}

std::optional<std::string> YamlNode::as_text() const {
  if (kind == Kind::kNull) return "";
  if (kind != Kind::kScalar) return std::nullopt;
  return text;
}

std::optional<bool> YamlNode::as_bool() const {
  if (kind != Kind::kScalar || !plain) return std::nullopt;
  for (const char* word : {"true", "yes", "on", "y"}) {
    if (any_case_of(text, word)) return true;
  }
  for (const char* word : {"false", "no", "off", "n"}) {
    if (any_case_of(text, word)) return false;
  }
  return std::nullopt;
}

std::optional<std::int64_t> YamlNode::as_integer() const {
  return kind == Kind::kScalar ? parse_int64(text) : std::nullopt;
}

Result<YamlNode> parse_yaml(std::string_view text) {
  KVASIR_TRY(auto documents, load(text, false));
  return documents.empty() ? YamlNode() : std::move(documents.front());
}

Result<std::vector<YamlNode>> parse_yaml_documents(std::string_view text) { return load(text, true); }

std::string yaml_scalar(std::string_view text) {
  if (plain_is_safe(text)) return std::string(text);
  std::string out;
  append_go_quoted(out, text);
  return out;
}

}  // namespace kvasir
