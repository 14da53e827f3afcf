#include "server/field_mask.h"

#include <simdjson.h>

#include <algorithm>

namespace kvasir::server {
namespace {

constexpr std::size_t kNone = std::string_view::npos;
constexpr std::size_t kGapMax = 8;  // quotes, backslashes and spaces between a name and its `=` or `:`

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool word_byte(char c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || c == '_'; }

bool is_quote_or_space(char c) { return c == '"' || c == '\'' || c == '\\' || c == ' ' || c == '\t'; }

bool starts_with_name(std::string_view text, std::string_view name) {
  return text.size() >= name.size() &&
         std::equal(name.begin(), name.end(), text.begin(), [](char n, char t) { return n == lower(t); });
}

bool is_json(std::string_view line) {
  thread_local simdjson::dom::parser parser;
  const simdjson::padded_string padded(line);
  simdjson::dom::element root;
  return parser.parse(padded).get(root) == simdjson::SUCCESS && (root.is_object() || root.is_array());
}

/// Past the closing quote of the JSON text that begins at `at`.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') ++i;
    else if (text[i] == '"') return i + 1;
  }
  return text.size();
}

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(" \t\r\n", at), text.size());
}

/// Past the JSON value that begins at `at`. REQUIRES: valid JSON.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  for (std::size_t i = at; i < text.size();) {
    const char c = text[i];
    if (c == '"') {
      i = end_of_string(text, i);
    } else if (c == '{' || c == '[') {
      ++depth, ++i;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth, ++i;
    } else {
      i = std::min(text.find_first_of(",:{}[]\" \t\r\n", i + (depth > 0 ? 1 : 0)), text.size());
      if (i == at) return at;  // not reached in valid JSON
    }
    if (depth == 0) return i;
  }
  return text.size();
}

/// The text between the quotes of a JSON string, without its escapes.
std::string unescaped(std::string_view quoted) {
  if (quoted.find('\\') == kNone) return std::string(quoted.substr(1, quoted.size() - 2));
  thread_local simdjson::dom::parser parser;
  std::string_view value;
  const simdjson::padded_string padded(quoted);
  return parser.parse(padded).get(value) == simdjson::SUCCESS ? std::string(value) : std::string();
}

/// Where the value that follows a name at `at` begins; kNone when no `=` or `:` follows.
std::size_t value_begin(std::string_view text, std::size_t at) {
  const std::size_t last = std::min(text.size(), at + kGapMax);
  while (at < last && is_quote_or_space(text[at])) ++at;
  if (at >= text.size() || (text[at] != '=' && text[at] != ':')) return kNone;
  ++at;
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  return at;
}

/// Past a value in free text: to its closing quote (a backslash in front of both belongs to them), or to the next space
/// or comma.
std::size_t value_end(std::string_view text, std::size_t at) {
  const std::size_t quote = text.find_first_not_of('\\', at);
  if (quote == kNone || (text[quote] != '"' && text[quote] != '\''))
    return std::min(text.find_first_of(" \t,;&", at), text.size());
  const std::string closing(text.substr(at, quote + 1 - at));
  if (closing.size() > 1) {
    const std::size_t end = text.find(closing, quote + 1);
    return end == kNone ? text.size() : end + closing.size();
  }
  for (std::size_t i = quote + 1; i < text.size(); ++i) {
    if (text[i] == '\\') ++i;
    else if (text[i] == text[quote]) return i + 1;
  }
  return text.size();
}

}  // namespace

FieldMask::FieldMask(std::vector<std::string> names) : names_(std::move(names)) {
  for (auto& name : names_) std::transform(name.begin(), name.end(), name.begin(), lower);
  std::erase(names_, "");
}

bool FieldMask::hides(std::string_view name) const {
  return std::any_of(names_.begin(), names_.end(), [name](const std::string& own) {
    return own.size() == name.size() && starts_with_name(name, own);
  });
}

/// Length of a name that stands at `at` as a whole word; 0: none.
std::size_t FieldMask::name_at(std::string_view text, std::size_t at) const {
  if (at > 0 && word_byte(text[at - 1])) return 0;
  for (const auto& name : names_) {
    const std::size_t end = at + name.size();
    if (starts_with_name(text.substr(at), name) && (end == text.size() || !word_byte(text[end]))) return name.size();
  }
  return 0;
}

bool FieldMask::any_in(std::string_view text) const {
  return std::any_of(names_.begin(), names_.end(), [text](const std::string& name) {
    return std::search(text.begin(), text.end(), name.begin(), name.end(),
                       [](char t, char n) { return lower(t) == n; }) != text.end();
  });
}

std::string_view FieldMask::apply(std::string_view line, std::string& storage) const {
  const std::size_t first = line.find_first_not_of(" \t\r\n");
  const bool begins_as_json = first != kNone && (line[first] == '{' || line[first] == '[');
  const bool escapes = begins_as_json && line.find('\\') != kNone;  // a name may be written in escapes
  if (names_.empty() || (!escapes && !any_in(line))) return line;
  storage.clear();
  if (begins_as_json && is_json(line)) {
    mask_json(line, storage);
  } else {
    mask_text(line, begins_as_json, storage);
  }
  return storage;
}

// Copies token by token. A string is a key when a colon follows; a string value may hold names too, of JSON within
// JSON, say.
void FieldMask::mask_json(std::string_view line, std::string& out) const {
  for (std::size_t at = 0; at < line.size();) {
    if (line[at] != '"') {
      out += line[at++];
      continue;
    }
    const std::size_t end = end_of_string(line, at);
    const std::string_view text = line.substr(at, end - at);
    const std::size_t colon = skip_spaces(line, end);
    const bool key = colon < line.size() && line[colon] == ':';
    at = end;
    if (!key && any_in(text)) {
      out += '"';
      mask_text(text.substr(1, text.size() - 2), false, out);
      out += '"';
      continue;
    }
    out += text;
    if (!key || !hides(unescaped(text))) continue;
    const std::size_t value = skip_spaces(line, colon + 1);
    out.append(line.substr(end, value - end)).append("\"").append(kMasked).append("\"");
    at = end_of_value(line, value);
  }
}

void FieldMask::mask_text(std::string_view text, bool to_the_end, std::string& out) const {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = name_at(text, at);
    const std::size_t value = length == 0 ? kNone : value_begin(text, at + length);
    if (value == kNone) {
      out += text[at++];
      continue;
    }
    out.append(text.substr(at, value - at)).append(kMasked);
    if (to_the_end) return;
    at = value_end(text, value);
  }
}

}  // namespace kvasir::server
