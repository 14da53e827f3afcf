#include "server/field_mask.h"

#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "common/json_writer.h"

namespace kvasir::server {
namespace {

constexpr std::size_t kNone = std::string_view::npos;
constexpr std::size_t kGapMax = 64;  // quotes, backslashes, brackets and spaces between a name and its `=` or `:`

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool word_byte(char c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || c == '_'; }

/// What a byte is in a name: stages and the store write every byte that may not stand in a label as `_`.
char name_byte(char c) { return word_byte(c) ? lower(c) : '_'; }

bool same_in_name(char n, char t) { return n == name_byte(t); }

bool starts_with_name(std::string_view text, std::string_view name) {
  return text.size() >= name.size() && std::equal(name.begin(), name.end(), text.begin(), same_in_name);
}

bool holds_name(std::string_view text, std::string_view name) {
  return std::search(text.begin(), text.end(), name.begin(), name.end(),
                     [](char t, char n) { return same_in_name(n, t); }) != text.end();
}

/// `user_email` -> `email`: the last key of a path that a JSON stage joins to that name.
std::string_view last_part(std::string_view name) { return name.substr(name.rfind('_') + 1); }

/// Past the colour sequence (ESC [ digits m) that begins at `at`; `at` itself if none does.
std::size_t past_colour(std::string_view text, std::size_t at) {
  if (at + 1 >= text.size() || text[at] != '\x1b' || text[at + 1] != '[') return at;
  const std::size_t end = text.find_first_not_of("0123456789;", at + 2);
  return end != kNone && text[end] == 'm' ? end + 1 : at;
}

bool ends_in_colour(std::string_view text) {
  const std::size_t escape = text.rfind('\x1b');
  return escape != kNone && past_colour(text, escape) == text.size();
}

/// Past all of `bytes` and colours from `at` on, no further than `last`.
std::size_t skip(std::string_view text, std::size_t at, std::string_view bytes, std::size_t last) {
  while (at < last) {
    const std::size_t next = bytes.find(text[at]) != kNone ? at + 1 : past_colour(text, at);
    if (next == at) break;
    at = next;
  }
  return at;
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
  at = skip(text, at, "\"'\\ \t])", std::min(text.size(), at + kGapMax));
  if (at >= text.size() || (text[at] != '=' && text[at] != ':')) return kNone;
  return skip(text, at, "=:> \t\r\n", text.size());
}

/// Past a value in free text: to its closing quote (a backslash in front of both belongs to them), or to the next
/// space: commas and the like may be part of it.
std::size_t value_end(std::string_view text, std::size_t at) {
  const std::size_t quote = text.find_first_not_of('\\', at);
  if (quote == kNone || (text[quote] != '"' && text[quote] != '\''))
    return std::min(text.find_first_of(" \t\r\n", at), text.size());
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
  for (auto& name : names_) std::transform(name.begin(), name.end(), name.begin(), name_byte);
  std::erase(names_, "");
}

bool FieldMask::hides(std::string_view name) const {
  return std::any_of(names_.begin(), names_.end(), [name](const std::string& own) {
    return own.size() == name.size() && starts_with_name(name, own);
  });
}

/// Length of a name that stands at `at` as a whole word; 0: none. `parts`: the last part of a name is enough.
std::size_t FieldMask::name_at(std::string_view text, std::size_t at, bool parts) const {
  if (at > 0 && word_byte(text[at - 1]) && !ends_in_colour(text.substr(0, at))) return 0;
  const auto stands = [&](std::string_view name) {
    const std::size_t end = at + name.size();
    return !name.empty() && starts_with_name(text.substr(at), name) && (end == text.size() || !word_byte(text[end]));
  };
  for (const auto& name : names_) {
    if (stands(name)) return name.size();
    if (parts && stands(last_part(name))) return last_part(name).size();
  }
  return 0;
}

bool FieldMask::any_in(std::string_view text, bool parts) const {
  return std::any_of(names_.begin(), names_.end(), [text, parts](const std::string& name) {
    return holds_name(text, parts ? last_part(name) : std::string_view(name));
  });
}

/// Whether a key is hidden by its own name or by what a stage would join it to with the keys above it.
bool FieldMask::hides_key(const std::vector<std::string>& above, std::string name) const {
  if (hides(name)) return true;
  for (auto key = above.rbegin(); key != above.rend(); ++key) {
    if (key->empty()) continue;  // an array, or the whole
    name = *key + "_" + name;
    if (hides(name)) return true;
  }
  return false;
}

std::string_view FieldMask::apply(std::string_view line, std::string& storage) const {
  const std::size_t first = line.find_first_not_of(" \t\r\n");
  const bool begins_as_json = first != kNone && (line[first] == '{' || line[first] == '[');
  const bool escapes = begins_as_json && line.find('\\') != kNone;  // a name may be written in escapes
  if (names_.empty() || (!escapes && !any_in(line, begins_as_json))) return line;
  storage.clear();
  if (begins_as_json && is_json(line)) {
    mask_json(line, storage);
  } else {
    mask_text(line, begins_as_json ? Rest::kHidden : Rest::kRead, storage);
  }
  return storage;
}

/// A string value: JSON within JSON, or text that may hold names.
void FieldMask::mask_json_string(std::string_view quoted, std::string& out) const {
  const std::string text = unescaped(quoted);
  if (text.starts_with('{') && is_json(text)) {
    std::string shown;
    mask_json(text, shown);
    append_json_string(out, shown);
  } else if (any_in(quoted, false)) {
    out += '"';
    mask_text(quoted.substr(1, quoted.size() - 2), Rest::kRead, out);
    out += '"';
  } else {
    out += quoted;
  }
}

// Copies token by token. A string is a key when a colon follows.
void FieldMask::mask_json(std::string_view line, std::string& out) const {
  std::vector<std::string> above;  // the key of every object and array that is open
  std::string key;
  for (std::size_t at = 0; at < line.size();) {
    if (line[at] != '"') {
      if (line[at] == '{' || line[at] == '[') above.push_back(std::exchange(key, {}));
      if ((line[at] == '}' || line[at] == ']') && !above.empty()) above.pop_back();
      if (line[at] == ',') key.clear();
      out += line[at++];
      continue;
    }
    const std::size_t end = end_of_string(line, at);
    const std::string_view text = line.substr(at, end - at);
    const std::size_t colon = skip_spaces(line, end);
    at = end;
    if (colon >= line.size() || line[colon] != ':') {
      mask_json_string(text, out);
      continue;
    }
    out += text;
    key = unescaped(text);
    if (!hides_key(above, key)) continue;
    const std::size_t value = skip_spaces(line, colon + 1);
    out.append(line.substr(end, value - end)).append("\"").append(kMasked).append("\"");
    at = end_of_value(line, value);
  }
}

void FieldMask::mask_text(std::string_view text, Rest rest, std::string& out) const {
  const bool broken_object = rest == Rest::kHidden && text.find_first_not_of(" \t\r\n") == text.find('{');
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = name_at(text, at, broken_object);
    const std::size_t value = length == 0 ? kNone : value_begin(text, at + length);
    if (value == kNone) {
      out += text[at++];
      continue;
    }
    out.append(text.substr(at, value - at)).append(kMasked);
    if (rest == Rest::kHidden) return;
    at = value_end(text, value);
  }
}

}  // namespace kvasir::server
