#include "server/field_mask.h"

#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "common/json_writer.h"
#include "server/escaped_text.h"

namespace kvasir::server {
namespace {

constexpr std::size_t kNone = std::string_view::npos;
constexpr std::size_t kGapMax = 64;        // bytes between a name and its `=` or `:`
constexpr std::size_t kPathMax = 1024;     // bytes of what may follow a name, `[key]` and `.more`; then all is hidden
constexpr std::size_t kEscapedByteMax = 8;  // bytes that one byte of a key is written with

bool letter_or_digit(char c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z'); }

bool word_byte(char c) { return letter_or_digit(c) || c == '_'; }

/// What a byte is in a name: stages and the store write every byte that may not stand in a label as `_`.
char name_byte(char c) { return word_byte(c) ? lower(c) : '_'; }

/// Past `name` that stands at `at`; kNone if it does not.
std::size_t past_name(std::string_view text, std::size_t at, std::string_view name) {
  for (const char n : name) {
    if (at >= text.size()) return kNone;
    const Unit unit = unit_at(text, at);
    if (name_byte(unit.byte) != n) return kNone;
    at = unit.next;
  }
  return at;
}

/// Where the first `{` stands, also in escapes: behind it keys of a path may stand apart; kNone: nowhere.
std::size_t find_object(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    at = text.find_first_of("{%\\", at);
    if (at == kNone) break;
    const Unit unit = unit_at(text, at);
    if (unit.byte == '{') return at;
    at = unit.next;
  }
  return kNone;
}

bool holds_name(std::string_view text, std::string_view name) {
  return std::search(text.begin(), text.end(), name.begin(), name.end(),
                     [](char t, char n) { return n == name_byte(t); }) != text.end();
}

/// Whether what follows a name within a longer one are keys below it: `.b`, or brackets, also as a label writes them:
/// `[]` and `__`, `[0]` and `_0_`, `[a].b` and `_a__b`, `%5Ba%5D` and `_5Ba_5D`.
bool keys_below(std::string_view rest) {
  if (rest.empty() || rest[0] == '.') return true;
  if (name_byte(rest[0]) != '_') return false;
  if (rest.size() > kPathMax) return true;
  std::string name(rest);
  std::transform(name.begin(), name.end(), name.begin(), name_byte);
  return name.back() == '_' || name.find("__") != kNone || name.starts_with("_5b") || name.starts_with("_255b");
}

/// `user_email` -> `email`: the last key of a path that a JSON stage joins to that name.
std::string_view last_part(std::string_view name) { return name.substr(name.rfind('_') + 1); }

/// Past the colour sequence (ESC [ digits m) that begins at `at`; `at` itself if none does.
std::size_t past_colour(std::string_view text, std::size_t at) {
  const Unit escape = unit_at(text, at);
  if (escape.byte != '\x1b' || escape.next >= text.size() || text[escape.next] != '[') return at;
  const std::size_t end = text.find_first_not_of("0123456789;", escape.next + 1);
  return end != kNone && text[end] == 'm' ? end + 1 : at;
}

bool ends_in_colour(std::string_view text) {
  if (text.size() < 2 || text.back() != 'm') return false;
  const std::size_t bracket = text.find_last_not_of("0123456789;", text.size() - 2);
  return bracket != kNone && text[bracket] == '[';
}

/// `%5B`, `\u005b`, `\n`: their last byte looks like one of a word.
bool ends_in_escape(std::string_view text) {
  for (const std::size_t length : {2u, 3u, 4u, 5u, 6u, 7u}) {
    if (text.size() < length) break;
    const std::size_t at = text.size() - length;
    if (text[at] != '%' && text[at] != '\\') continue;
    const Unit unit = unit_at(text, at);
    if (unit.next == text.size() && !word_byte(unit.byte)) return true;
  }
  return false;
}

/// Whether a word may begin after this text; underscores in front belong to it.
bool word_begins_after(std::string_view text) {
  if (text.empty() || !word_byte(text.back()) || ends_in_colour(text) || ends_in_escape(text)) return true;
  const std::size_t last = text.find_last_not_of('_');
  return last == kNone || (last + 1 < text.size() && !word_byte(text[last]));
}

/// Past all that `takes`, and colours, from `at` on, no further than `last`.
template <class Takes>
std::size_t skip(std::string_view text, std::size_t at, std::size_t last, const Takes& takes) {
  while (at < last) {
    const std::size_t colour = past_colour(text, at);
    const Unit unit = unit_at(text, at);
    if (colour == at && !takes(unit.byte)) break;
    at = colour != at ? colour : unit.next;
  }
  return at;
}

bool separates(char c) { return c == '=' || c == ':'; }

/// Past the `[key]` that begins at `at`; at the `=` or `:` when it is not closed. No further than `last`.
std::size_t past_brackets(std::string_view text, std::size_t at, std::size_t last) {
  const auto to = [&](auto stops) { return skip(text, at, last, [&](char c) { return !stops(c); }); };
  const std::size_t closed = to([](char c) { return c == ']'; });
  return closed < last ? unit_at(text, closed).next : to(separates);
}

enum class Beginning { kText, kBracket, kJson };

/// Whether a line is meant to be read as JSON (kJson), or only may be: `[INFO]` and `{name}` begin with a bracket too.
/// Some that write JSON put a byte order mark in front.
Beginning beginning_of(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const std::size_t first = text.find_first_not_of(kSpaces);
  if (first == kNone || (text[first] != '{' && text[first] != '[')) return Beginning::kText;
  const std::size_t second = text.find_first_not_of(kSpaces, first + 1);
  const std::string_view expected = text[first] == '{' ? "\"}" : "{[\"";
  return second != kNone && expected.find(text[second]) != kNone ? Beginning::kJson : Beginning::kBracket;
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

/// Past the JSON value that begins at `at`; the end where brackets or quotes are not closed.
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

struct ValuePlace {
  std::size_t begin = kNone;  // kNone: no value follows
  bool endless = false;       // it was looked for in vain in kPathMax bytes
};

/// Whether `key=value` stands at `at`. `c2VjcmV0=` is no key: such text ends so.
bool pair_at(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at, kGapMax);
  const auto in_key = [](char c) { return word_byte(c) || c == '.' || c == '-'; };
  std::size_t length = 0;
  while (length < rest.size() && in_key(rest[length])) ++length;
  return length > 0 && length + 1 < rest.size() && rest[length] == '=' &&
         std::string_view("= \t\r\n").find(rest[length + 1]) == kNone;
}

/// Where the value that follows a name at `at` begins: behind `=` or `:`. Between them may stand bytes that are none
/// of a word, `[keys]`, and `.more` of a path.
ValuePlace value_place(std::string_view text, std::size_t at) {
  const std::size_t name_end = at;
  const std::size_t end = std::min(text.size(), at + kPathMax);
  if (at < end && word_byte(text[at])) return {at, true};  // a word too long to be looked at
  bool path = at + 1 < end && text[at] == '.' && word_byte(text[at + 1]);
  const auto between = [&path](char c) {
    return path ? !separates(c) && c != ' ' && c != '[' && c != '\n' : !word_byte(c) && !separates(c) && c != '[';
  };
  while (at < end) {
    at = skip(text, at, path ? end : std::min(end, at + kGapMax), between);
    if (at >= end || unit_at(text, at).byte != '[') break;
    at = past_brackets(text, at, end);
    path = at < text.size() && (unit_at(text, at).byte == '.' || unit_at(text, at).byte == '-');
  }
  if (path) at = skip(text, at, end, [](char c) { return c == ' '; });
  if (at >= end && end < text.size()) return {end, true};
  if (at >= text.size() || !separates(unit_at(text, at).byte)) return {};
  const std::size_t begin =
      skip(text, at, text.size(), [](char c) { return std::string_view("=:> \t\r\n").find(c) != kNone; });
  const bool gap = at == name_end && text[at] == '=' && skip_spaces(text, at + 1) == begin && begin > at + 1;
  return {gap && pair_at(text, begin) ? at + 1 : begin};  // `name= other=1`: an empty one
}

bool is_quote(char c) { return c == '"' || c == '\''; }

/// Whether a value may end in front of `at`.
bool may_end(std::string_view text, std::size_t at) {
  if (at >= text.size()) return true;
  const char byte = unit_at(text, at).byte;
  return is_quote(byte) || std::string_view(" \t\r\n,;:)}]&|>").find(byte) != kNone;
}

/// How the quote at `at` is written: `"`, with backslashes in front, `%22`, `\x22`, `\u0022`; empty: there is none.
std::string_view quote_at(std::string_view text, std::size_t at) {
  const std::size_t plain = text.find_first_not_of('\\', at);
  if (plain == kNone) return {};
  if (is_quote(text[plain])) return text.substr(at, plain + 1 - at);
  const Unit unit = unit_at(text, at);
  return is_quote(unit.byte) ? text.substr(at, unit.next - at) : std::string_view();
}

/// Past the next `quote` that no backslash takes its meaning from; the end of the text if there is none. A text in
/// quotes that was escaped N times has N' = 2^N - 1 backslashes before its quotes, and N' + 1 for each of its own.
std::size_t past_closing(std::string_view text, std::size_t at, std::string_view quote) {
  const bool plain = is_quote(quote.back());
  for (std::size_t run = 0; plain && at < text.size(); ++at) {
    const bool closes = text[at] == quote.back() && run + 1 >= quote.size();
    if (closes && (run + 1 - quote.size()) % (2 * quote.size()) == 0) return at + 1;
    run = text[at] == '\\' ? run + 1 : 0;
  }
  while (at < text.size()) {
    if (text.substr(at).starts_with(quote)) return at + quote.size();
    const Unit unit = unit_at(text, at);
    const bool takes_next = unit.byte == '\\' && unit.next > at + 1 && unit.next < text.size();
    at = takes_next ? unit_at(text, unit.next).next : unit.next;
  }
  return text.size();
}

/// Past what stands at `at` in quotes; also in doubled ones, as CSV writes those within a cell, or in tripled ones.
std::size_t past_quoted(std::string_view text, std::size_t at, std::string_view quote) {
  std::size_t begin = at + quote.size();
  while (text.substr(begin).starts_with(quote)) begin += quote.size();
  const std::size_t quotes = (begin - at) / quote.size();
  if (quotes == 1) return past_closing(text, begin, quote);
  if (quotes % 2 == 0 && may_end(text, begin)) return begin;
  const std::string_view closing = text.substr(at, std::min<std::size_t>(quotes, 3) * quote.size());
  const std::size_t end = text.find(closing, begin);
  return end == kNone ? text.size() : end + closing.size();
}

/// Where the quote of `b"text"`, `$'text'` or `Some("text")` stands; kNone: the word at `at` is none of these.
std::size_t prefixed_quote(std::string_view text, std::size_t at) {
  const std::size_t end = std::min(text.size(), at + kGapMax);
  for (std::size_t i = at; i < end && std::string_view(" \t\r\n").find(text[i]) == kNone; ++i) {
    if (i > at && text[i - 1] == '\\') continue;
    const std::string_view quote = quote_at(text, i);
    if (quote.empty()) continue;
    const std::string_view prefix = text.substr(at, i - at);
    if (prefix.ends_with('(')) return i;
    const bool letters = prefix.size() <= 2 && std::all_of(prefix.begin(), prefix.end(), letter_or_digit);
    const bool sign = std::string_view("$@#&*").find(prefix.back()) != kNone;
    return (letters || sign) && !may_end(text, i + quote.size()) ? i : kNone;
  }
  return kNone;
}

/// Past a value in free text: to its closing quote or bracket, or to the next space: commas and the like may be part
/// of it. What follows on a closing quote belongs to it if it is a word or another quote.
std::size_t value_end(std::string_view text, std::size_t at) {
  if (at < text.size() && (text[at] == '{' || text[at] == '[')) return end_of_value(text, at);
  std::string_view quote = quote_at(text, at);
  if (quote.empty()) {
    const std::size_t prefixed = prefixed_quote(text, at);
    if (prefixed != kNone) at = past_quoted(text, prefixed, quote_at(text, prefixed));
    return std::min(text.find_first_of(" \t\r\n", at), text.size());
  }
  while (!quote.empty()) {
    at = past_quoted(text, at, quote);
    while (at < text.size() && word_byte(text[at])) ++at;
    const std::string_view next = quote_at(text, at);
    const std::size_t content = at + next.size();
    const bool belongs = next == quote || (content < text.size() && word_byte(text[content]));
    quote = belongs ? next : std::string_view();
  }
  return at;
}

}  // namespace

FieldMask::FieldMask(std::vector<std::string> names) : names_(std::move(names)) {
  for (auto& name : names_) std::transform(name.begin(), name.end(), name.begin(), name_byte);
  std::erase(names_, "");
  for (const auto& name : names_) {
    levels_max_ = std::max<std::size_t>(levels_max_, std::count(name.begin(), name.end(), '_'));
    key_bytes_max_ = std::max(key_bytes_max_, name.size() * kEscapedByteMax);
  }
}

bool FieldMask::hides(std::string_view name) const {
  const std::size_t first = std::min(name.find_first_not_of('_'), name.size());
  const bool closed = !name.empty() && !letter_or_digit(name.back());  // `user[email]`, `user_email_`
  for (std::size_t at = first; at < name.size(); ++at) {
    const bool begins = at == first || (closed ? !letter_or_digit(name[at - 1]) : !word_byte(name[at - 1]));
    if (!begins) continue;
    const bool hidden = std::any_of(names_.begin(), names_.end(), [&](const std::string& own) {
      const std::size_t end = past_name(name, at, own);
      return end != kNone && keys_below(name.substr(end));
    });
    if (hidden) return true;
  }
  return false;
}

/// Length of a name that stands at `at` as a whole word; 0: none. `parts`: the last part of a name is enough. Of a word
/// that goes on for long no more than kPathMax bytes are looked at.
std::size_t FieldMask::name_at(std::string_view text, std::size_t at, bool parts) const {
  std::size_t length = 0;
  const auto stands = [&](std::string_view name) {
    std::size_t end = name.empty() ? kNone : past_name(text, at, name);
    if (end == kNone) return false;
    const std::size_t begin = end;
    const std::size_t last = std::min(text.size(), begin + kPathMax + 1);
    if (begin < last && text[begin] != '_' && word_byte(text[begin])) return false;
    while (end < last && word_byte(text[end])) ++end;
    length = end - at;
    return keys_below(text.substr(begin, end - begin));
  };
  const bool found = std::any_of(names_.begin(), names_.end(), [&](const std::string& name) {
    return stands(name) || (parts && stands(last_part(name)));
  });
  return found && word_begins_after(text.substr(0, at)) ? length : 0;
}

/// False: nothing in it is to be hidden.
bool FieldMask::may_hold_name(std::string_view text) const {
  if (text.find_first_of("\\%") != kNone) return true;  // it may be written in escapes
  const bool parts = text.find('{') != kNone;
  return std::any_of(names_.begin(), names_.end(), [text, parts](const std::string& name) {
    return holds_name(text, parts ? last_part(name) : std::string_view(name));
  });
}

/// Whether a key is hidden by its own name or by what a stage would join it to with the keys above it. `above` has no
/// empty keys. A name of so many parts can only be joined of so many keys, none of them longer than it.
bool FieldMask::hides_key(const Keys& above, std::string name) const {
  if (hides(name)) return true;
  const std::size_t levels = std::min(above.size(), levels_max_);
  for (std::size_t i = 1; i <= levels && above[above.size() - i].size() <= key_bytes_max_; ++i) {
    name = above[above.size() - i] + "_" + name;
    if (hides(name)) return true;
  }
  return false;
}

std::string_view FieldMask::apply(std::string_view line, std::string& storage) const {
  if (names_.empty() || !may_hold_name(line)) return line;
  storage.clear();
  const Beginning beginning = beginning_of(line);
  if (beginning != Beginning::kText && is_json(line)) {
    mask_json(line, {}, storage);
  } else {
    mask_text(line, beginning == Beginning::kJson ? Rest::kHidden : Rest::kRead, storage);
  }
  return storage;
}

/// Those of the keys that may be joined in front of another, for the JSON within a string: `key` is the string's own.
FieldMask::Keys FieldMask::nearest(const Keys& above, const std::string& key) const {
  Keys out;
  if (!key.empty() && key.size() > key_bytes_max_) return out;
  for (std::size_t i = above.size(); i > 0 && out.size() < levels_max_ && above[i - 1].size() <= key_bytes_max_; --i)
    out.push_back(above[i - 1]);
  std::reverse(out.begin(), out.end());
  if (!key.empty()) out.push_back(key);
  return out;
}

/// A string value: JSON within JSON, or text that may hold names.
void FieldMask::mask_json_string(std::string_view quoted, const Keys& above, const std::string& key,
                                 std::string& out) const {
  const std::string text = unescaped(quoted);
  if (beginning_of(text) != Beginning::kText && is_json(text)) {
    std::string shown;
    mask_json(text, nearest(above, key), shown);
    append_json_string(out, shown);
  } else if (may_hold_name(quoted)) {
    out += '"';
    mask_text(quoted.substr(1, quoted.size() - 2), Rest::kRead, out);
    out += '"';
  } else {
    out += quoted;
  }
}

// Copies token by token. A string is a key when a colon follows. `above`: the keys of objects and arrays that are open,
// but for those without one.
void FieldMask::mask_json(std::string_view line, Keys above, std::string& out) const {
  std::vector<bool> has_key;         // of each object and array that is open
  std::string key;
  for (std::size_t at = 0; at < line.size();) {
    if (line[at] != '"') {
      if (line[at] == '{' || line[at] == '[') {
        has_key.push_back(!key.empty());
        if (!key.empty()) above.push_back(std::exchange(key, {}));
      } else if ((line[at] == '}' || line[at] == ']') && !has_key.empty()) {
        if (has_key.back()) above.pop_back();
        has_key.pop_back();
      }
      if (line[at] == ',') key.clear();
      out += line[at++];
      continue;
    }
    const std::size_t end = end_of_string(line, at);
    const std::string_view text = line.substr(at, end - at);
    const std::size_t colon = skip_spaces(line, end);
    at = end;
    if (colon >= line.size() || line[colon] != ':') {
      mask_json_string(text, above, key, out);
      continue;
    }
    mask_json_string(text, {}, {}, out);  // keys that hold text
    key = unescaped(text);
    if (!hides_key(above, key)) continue;
    const std::size_t value = skip_spaces(line, colon + 1);
    out.append(line.substr(end, value - end)).append("\"").append(kMasked).append("\"");
    at = end_of_value(line, value);
  }
}

void FieldMask::mask_text(std::string_view text, Rest rest, std::string& out) const {
  const std::size_t object = find_object(text);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = name_at(text, at, object < at);
    const ValuePlace value = length == 0 ? ValuePlace{} : value_place(text, at + length);
    if (value.begin == kNone) {
      out += text[at++];
      continue;
    }
    out.append(text.substr(at, value.begin - at)).append(kMasked);
    if (rest == Rest::kHidden || value.endless) return;
    at = value_end(text, value.begin);
  }
}

}  // namespace kvasir::server
