#include "promtail-agent/stages/json_tree.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/json_writer.h"

namespace kvasir::agent {
namespace {

const JsonNode* build(JsonScanner& scanner, JsonPool& pool, int depth);

const JsonNode* build_object(JsonScanner& scanner, JsonPool& pool, int depth) {
  JsonNode* node = pool.make(JsonType::kObject);
  const bool good = scanner.object([&](const JsonSpan& key, JsonScanner& inner) {
    const JsonNode* value = build(inner, pool, depth + 1);
    if (value != nullptr) node->members.push_back({decode_json_string(key, pool.arena()), value});
    return value != nullptr;
  });
  if (!good) return nullptr;
  normalise_members(node->members);
  return node;
}

const JsonNode* build_array(JsonScanner& scanner, JsonPool& pool, int depth) {
  JsonNode* node = pool.make(JsonType::kArray);
  const bool good = scanner.array([&](JsonScanner& inner) {
    const JsonNode* value = build(inner, pool, depth + 1);
    if (value != nullptr) node->items.push_back(value);
    return value != nullptr;
  });
  return good ? node : nullptr;
}

const JsonNode* build(JsonScanner& scanner, JsonPool& pool, int depth) {
  if (depth > kJsonDepthMax) return nullptr;
  if (scanner.at('{')) return build_object(scanner, pool, depth);
  if (scanner.at('[')) return build_array(scanner, pool, depth);
  JsonSpan span;
  if (!scanner.value_at(span, depth)) return nullptr;
  JsonNode* node = pool.make(span.type);
  node->boolean = span.text == "true";
  if (span.type == JsonType::kString) node->text = decode_json_string(span, pool.arena());
  if (span.type == JsonType::kNumber) {
    node->number = decode_json_number(span.text);
    if (span.integer) node->text = span.text;
  }
  return node;
}

}  // namespace

const JsonNode* JsonNode::find(std::string_view key) const {
  const auto at = std::lower_bound(members.begin(), members.end(), key,
                                   [](const JsonMember& member, std::string_view name) { return member.key < name; });
  return at != members.end() && at->key == key ? at->value : nullptr;
}

JsonNode* JsonPool::make(JsonType type) {
  if (used_ == nodes_.size()) nodes_.emplace_back();
  JsonNode& node = nodes_[used_++];
  node.type = type;
  node.boolean = false;
  node.number = 0;
  node.text = {};
  node.items.clear();
  node.members.clear();
  return &node;
}

const JsonNode* JsonPool::of(bool value) {
  JsonNode* node = make(JsonType::kBool);
  node->boolean = value;
  return node;
}

const JsonNode* JsonPool::of(double value) {
  JsonNode* node = make(JsonType::kNumber);
  node->number = value;
  return node;
}

const JsonNode* JsonPool::of(std::string_view text) {
  JsonNode* node = make(JsonType::kString);
  node->text = text;
  return node;
}

const JsonNode* parse_json(std::string_view text, JsonPool& pool) {
  JsonScanner scanner(text);
  scanner.skip_space();
  const JsonNode* node = build(scanner, pool, 0);
  scanner.skip_space();
  return scanner.at_end() ? node : nullptr;
}

void normalise_members(std::vector<JsonMember>& members) {
  std::stable_sort(members.begin(), members.end(),
                   [](const JsonMember& a, const JsonMember& b) { return a.key < b.key; });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (i + 1 < members.size() && members[i + 1].key == members[i].key) continue;
    members[kept++] = members[i];
  }
  members.resize(kept);
}

void append_json_number(std::string& out, double value) {
  char text[64];
  const double size = std::fabs(value);
  const bool exponent = size != 0 && (size < 1e-6 || size >= 1e21);
  const auto format = exponent ? std::chars_format::scientific : std::chars_format::fixed;
  const auto [end, error] = std::to_chars(text, text + sizeof text, value, format);
  if (error != std::errc() || !std::isfinite(value)) return void(out += "null");
  std::string_view digits(text, static_cast<std::size_t>(end - text));
  // Go writes e-7 where to_chars writes e-07.
  const std::size_t n = digits.size();
  const bool padded = exponent && n >= 4 && digits[n - 4] == 'e' && digits[n - 3] == '-' && digits[n - 2] == '0';
  if (!padded) return void(out += digits);
  out += digits.substr(0, n - 2);
  out += digits[n - 1];
}

void append_json(std::string& out, const JsonNode& node) {
  switch (node.type) {
    case JsonType::kNull: out += "null"; return;
    case JsonType::kBool: out += node.boolean ? "true" : "false"; return;
    case JsonType::kString: append_json_string(out, node.text); return;
    case JsonType::kNumber:
      if (node.text.empty()) return append_json_number(out, node.number);
      out += node.text;
      return;
    case JsonType::kArray:
      out += '[';
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        if (i != 0) out += ',';
        append_json(out, *node.items[i]);
      }
      out += ']';
      return;
    case JsonType::kObject:
      out += '{';
      for (std::size_t i = 0; i < node.members.size(); ++i) {
        if (i != 0) out += ',';
        append_json_string(out, node.members[i].key);
        out += ':';
        append_json(out, *node.members[i].value);
      }
      out += '}';
      return;
  }
}

bool json_equal(const JsonNode& a, const JsonNode& b) {
  if (a.type != b.type) return false;
  switch (a.type) {
    case JsonType::kNull: return true;
    case JsonType::kBool: return a.boolean == b.boolean;
    case JsonType::kNumber: return a.number == b.number;
    case JsonType::kString: return a.text == b.text;
    case JsonType::kArray:
      return std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(),
                        [](const JsonNode* x, const JsonNode* y) { return json_equal(*x, *y); });
    case JsonType::kObject:
      return std::equal(
          a.members.begin(), a.members.end(), b.members.begin(), b.members.end(),
          [](const JsonMember& x, const JsonMember& y) { return x.key == y.key && json_equal(*x.value, *y.value); });
  }
  return false;
}

}  // namespace kvasir::agent
