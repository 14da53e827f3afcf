#include "logql/pipeline/template/function_groups.h"

#include "common/utf8.h"
#include "logql/pipeline/template/escaping.h"
#include "logql/pipeline/template/regex_functions.h"
#include "logql/pipeline/template/template.h"
#include "logql/pipeline/unicode_text.h"

namespace kvasir::gotemplate {

namespace {

Unexpected refuse(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

// ---- trimming

bool in_cutset(std::string_view cutset, std::string_view character) {
  while (!cutset.empty()) {
    const std::size_t length = decode_utf8(cutset).length;
    if (cutset.substr(0, length) == character) return true;
    cutset.remove_prefix(length);
  }
  return false;
}

std::string_view trim_left(std::string_view text, std::string_view cutset) {
  while (!text.empty()) {
    const std::size_t length = decode_utf8(text).length;
    if (!in_cutset(cutset, text.substr(0, length))) break;
    text.remove_prefix(length);
  }
  return text;
}

std::string_view trim_right(std::string_view text, std::string_view cutset) {
  while (!text.empty()) {
    std::size_t start = text.size() - 1;
    while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xc0) == 0x80) --start;
    if (!in_cutset(cutset, text.substr(start))) break;
    text = text.substr(0, start);
  }
  return text;
}

std::string_view trim_both(std::string_view text, std::string_view cutset) {
  return trim_right(trim_left(text, cutset), cutset);
}

std::string_view without_prefix(std::string_view text, std::string_view prefix) {
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  return text;
}

std::string_view without_suffix(std::string_view text, std::string_view suffix) {
  if (text.ends_with(suffix)) text.remove_suffix(suffix.size());
  return text;
}

// ---- replacing, repeating

std::string replace_text(std::string_view text, std::string_view old, std::string_view fresh, std::int64_t limit) {
  std::string out;
  std::size_t at = 0;
  for (bool first = true; limit != 0; --limit, first = false) {
    std::size_t found = text.find(old, at);
    if (old.empty()) {  // before every character, and at the end
      if (!first && at >= text.size()) break;
      found = first ? 0 : at + decode_utf8(text.substr(at)).length;
    }
    if (found == std::string_view::npos) break;
    out += text.substr(at, found - at);
    out += fresh;
    at = found + old.size();
  }
  return out += text.substr(std::min(at, text.size()));
}

Result<Value> repeat(const Call& call) {
  const std::int64_t count = call.integer(0);
  const std::string_view text = call.text(1);
  if (count < 0) return refuse("strings: negative Repeat count");
  if (!text.empty() && static_cast<std::uint64_t>(count) > kOutputBytesMax / text.size()) {
    return refuse("strings: Repeat output length overflow");
  }
  std::string out;
  for (std::int64_t i = 0; i < count && !text.empty(); ++i) out += text;
  return call.string(out);
}

// ---- parts of a text

Unexpected out_of_bounds(const std::string& bounds) {
  return refuse("runtime error: slice bounds out of range " + bounds);
}

Result<Value> substr(const Call& call) {
  const std::int64_t start = call.integer(0), end = call.integer(1);
  const std::string_view text = call.text(2);
  const auto size = static_cast<std::int64_t>(text.size());
  const auto range = [](std::int64_t from, std::int64_t to) {
    return "[" + std::to_string(from) + ":" + std::to_string(to) + "]";
  };
  if (start < 0) {
    if (end < 0) return out_of_bounds("[:" + std::to_string(end) + "]");
    if (end > size) return out_of_bounds("[:" + std::to_string(end) + "] with length " + std::to_string(size));
    return Value::string(text.substr(0, static_cast<std::size_t>(end)));
  }
  if (end < 0 || end > size) {
    if (start > size) return out_of_bounds(range(start, size));
    return Value::string(text.substr(static_cast<std::size_t>(start)));
  }
  if (start > end) return out_of_bounds(range(start, end));
  return Value::string(text.substr(static_cast<std::size_t>(start), static_cast<std::size_t>(end - start)));
}

Result<Value> trunc(const Call& call) {
  const std::int64_t count = call.integer(0);
  const std::string_view text = call.text(1);
  const auto size = static_cast<std::int64_t>(text.size());
  if (count < 0 && size + count > 0) return Value::string(text.substr(static_cast<std::size_t>(size + count)));
  if (count >= 0 && size > count) return Value::string(text.substr(0, static_cast<std::size_t>(count)));
  return call[1];
}

std::size_t count_runes(std::string_view text) {
  std::size_t runes = 0;
  for (; !text.empty(); ++runes) text.remove_prefix(decode_utf8(text).length);
  return runes;
}

std::size_t rune_offset(std::string_view text, std::size_t runes) {
  std::size_t at = 0;
  for (; runes > 0; --runes) at += decode_utf8(text.substr(at)).length;
  return at;
}

Result<Value> align(const Call& call, bool left) {
  const std::int64_t wanted = call.integer(0);
  const std::string_view text = call.text(1);
  if (wanted < 0) return call[1];
  if (static_cast<std::uint64_t>(wanted) > kOutputBytesMax) return refuse("alignment is too wide");
  const auto width = static_cast<std::size_t>(wanted);
  const std::size_t runes = count_runes(text);
  if (runes >= width) {
    return Value::string(left ? text.substr(0, rune_offset(text, width))
                              : text.substr(rune_offset(text, runes - width)));
  }
  const std::string padding(width - runes, ' ');
  return call.string(left ? std::string(text) + padding : padding + std::string(text));
}

Result<std::string> indented(const Call& call) {
  const std::int64_t count = call.integer(0);
  if (count < 0) return refuse("strings: negative Repeat count");
  if (static_cast<std::uint64_t>(count) > kOutputBytesMax / (call.text(1).size() + 1))
    return refuse("indent is too wide");
  const std::string padding(static_cast<std::size_t>(count), ' ');
  return padding + replace_text(call.text(1), "\n", "\n" + padding, -1);
}

Result<Value> indent(const Call& call) {
  KVASIR_TRY(const std::string text, indented(call));
  return call.string(text);
}

Result<Value> nindent(const Call& call) {
  KVASIR_TRY(const std::string text, indented(call));
  return call.string("\n" + text);
}

bool is_title_separator(const Rune& rune) {
  const char32_t c = rune.value;
  if (c < 0x80) return !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_');
  if (logql::is_unicode_letter(c) || logql::is_unicode_digit(c)) return false;
  return logql::is_unicode_space(c);
}

Result<Value> title(const Call& call) {
  std::string out;
  bool at_start = true;
  for (std::string_view text = call.text(0); !text.empty();) {
    const Rune rune = decode_utf8(text);
    if (at_start && rune.valid) append_utf8(out, logql::to_upper(rune.value));
    else out += text.substr(0, rune.length);
    at_start = is_title_separator(rune);
    text.remove_prefix(rune.length);
  }
  return call.string(out);
}

// ---- encodings

// A bad text gives the words of the error as the value.
Result<Value> b64dec(const Call& call) {
  const auto decoded = decode_base64(call.text(0));
  return call.string(decoded ? *decoded : decoded.error().message());
}

Result<Value> urldecode(const Call& call) {
  KVASIR_TRY(const std::string decoded, unescape_query(call.text(0)));
  return call.string(decoded);
}

// ---- regular expressions

Result<Value> regex_replace(const Call& call) {
  KVASIR_TRY(const auto regex, call.environment.regexes.get(call.text(0)));
  return call.string(regex_replace_all(*regex, call.text(1), call.text(2)));
}

Result<Value> regex_replace_literal(const Call& call) {
  KVASIR_TRY(const auto regex, call.environment.regexes.get(call.text(0)));
  return call.string(regex_replace_all_literal(*regex, call.text(1), call.text(2)));
}

Result<Value> count(const Call& call) {
  KVASIR_TRY(const auto regex, call.environment.regexes.get(call.text(0)));
  return Value::integer(regex_count(*regex, call.text(1)));
}

FunctionSet make_shared() {
  FunctionSet set;
  set.add("ToLower", "s", [](const Call& c) -> Result<Value> { return c.string(logql::to_lower(c.text(0))); });
  set.add("ToUpper", "s", [](const Call& c) -> Result<Value> { return c.string(logql::to_upper(c.text(0))); });
  set.add("Replace", "sssi", [](const Call& c) -> Result<Value> {
    return c.string(replace_text(c.text(0), c.text(1), c.text(2), c.integer(3)));
  });
  set.add("Trim", "ss", [](const Call& c) -> Result<Value> { return Value::string(trim_both(c.text(0), c.text(1))); });
  set.add("TrimLeft", "ss",
          [](const Call& c) -> Result<Value> { return Value::string(trim_left(c.text(0), c.text(1))); });
  set.add("TrimRight", "ss",
          [](const Call& c) -> Result<Value> { return Value::string(trim_right(c.text(0), c.text(1))); });
  set.add("TrimPrefix", "ss",
          [](const Call& c) -> Result<Value> { return Value::string(without_prefix(c.text(0), c.text(1))); });
  set.add("TrimSuffix", "ss",
          [](const Call& c) -> Result<Value> { return Value::string(without_suffix(c.text(0), c.text(1))); });
  set.add("TrimSpace", "s",
          [](const Call& c) -> Result<Value> { return Value::string(logql::trim_unicode_space(c.text(0))); });
  set.add("regexReplaceAll", "sss", regex_replace);
  set.add("regexReplaceAllLiteral", "sss", regex_replace_literal);
  return set;
}

}  // namespace

const FunctionSet& shared_functions() {
  static const FunctionSet set = make_shared();
  return set;
}

void add_text_functions(FunctionSet& set) {
  set.add("lower", "s", [](const Call& c) -> Result<Value> { return c.string(logql::to_lower(c.text(0))); });
  set.add("upper", "s", [](const Call& c) -> Result<Value> { return c.string(logql::to_upper(c.text(0))); });
  set.add("title", "s", title);
  set.add("trim", "s",
          [](const Call& c) -> Result<Value> { return Value::string(logql::trim_unicode_space(c.text(0))); });
  set.add("trimAll", "ss",
          [](const Call& c) -> Result<Value> { return Value::string(trim_both(c.text(1), c.text(0))); });
  set.add("trimPrefix", "ss",
          [](const Call& c) -> Result<Value> { return Value::string(without_prefix(c.text(1), c.text(0))); });
  set.add("trimSuffix", "ss",
          [](const Call& c) -> Result<Value> { return Value::string(without_suffix(c.text(1), c.text(0))); });
  set.add("replace", "sss", [](const Call& c) -> Result<Value> {
    return c.string(replace_text(c.text(2), c.text(0), c.text(1), -1));
  });
  set.add("contains", "ss", [](const Call& c) -> Result<Value> {
    return Value::boolean(c.text(1).find(c.text(0)) != std::string_view::npos);
  });
  set.add("hasPrefix", "ss",
          [](const Call& c) -> Result<Value> { return Value::boolean(c.text(1).starts_with(c.text(0))); });
  set.add("hasSuffix", "ss",
          [](const Call& c) -> Result<Value> { return Value::boolean(c.text(1).ends_with(c.text(0))); });
  set.add("repeat", "is", repeat).add("substr", "iis", substr).add("trunc", "is", trunc);
  set.add("indent", "is", indent).add("nindent", "is", nindent);
  set.add("alignLeft", "is", [](const Call& c) { return align(c, true); });
  set.add("alignRight", "is", [](const Call& c) { return align(c, false); });
  set.add("b64enc", "s", [](const Call& c) -> Result<Value> { return c.string(encode_base64(c.text(0))); });
  set.add("b64dec", "s", b64dec);
  set.add("urlencode", "s", [](const Call& c) -> Result<Value> { return c.string(escape_query(c.text(0))); });
  set.add("urldecode", "s", urldecode);
  set.add("count", "ss", count);
}

}  // namespace kvasir::gotemplate
