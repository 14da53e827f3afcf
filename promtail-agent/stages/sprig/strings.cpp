// Sprig's text functions. The subject comes last, so that it can be piped.
#include <algorithm>

#include <utf8proc.h>

#include "common/labels.h"
#include "common/utf8.h"
#include "promtail-agent/stages/sprig/conversions.h"

namespace kvasir::agent::sprig {
namespace {

constexpr std::string_view kSpace = " \t\n\v\f\r";

bool is_space(char c) { return kSpace.find(c) != std::string_view::npos; }

char32_t upper_rune(char32_t c) { return static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))); }
char32_t lower_rune(char32_t c) { return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))); }

// f(rune, is the first of a word) for each character; bad bytes stay.
template <class F>
std::string map_runes(std::string_view text, F f) {
  std::string out;
  bool first = true;
  while (!text.empty()) {
    const Rune rune = decode_utf8(text);
    if (rune.valid) append_utf8(out, f(rune.value, first));
    else out += text.front();
    first = is_space(text.front());
    text.remove_prefix(rune.length);
  }
  return out;
}

Answer untitle(const Call& call) {
  return call.string(map_runes(call.text(0), [](char32_t c, bool first) { return first ? lower_rune(c) : c; }));
}
Answer swapcase(const Call& call) {
  return call.string(
      map_runes(call.text(0), [](char32_t c, bool) { return upper_rune(c) == c ? lower_rune(c) : upper_rune(c); }));
}

Answer nospace(const Call& call) {
  std::string out(call.text(0));
  std::erase_if(out, is_space);
  return call.string(out);
}

Answer initials(const Call& call) {
  std::string out;
  bool first = true;
  for (const char c : call.text(0)) {
    if (first && !is_space(c)) out += c;
    first = is_space(c);
  }
  return call.string(out);
}

Answer abbrev(const Call& call) {
  const std::string_view text = call.text(1);
  const std::int64_t width = call.integer(0);
  if (width < 4 || static_cast<std::int64_t>(text.size()) <= width) return call.string(text);
  return call.string(std::string(text.substr(0, static_cast<std::size_t>(width - 3))) + "...");
}

Answer quote(const Call& call) {
  std::string out;
  for (const Value& value : call.arguments) {
    if (value.is_nil()) continue;
    if (!out.empty()) out += ' ';
    append_go_quoted(out, to_text(value));
  }
  return call.string(out);
}

Answer squote(const Call& call) {
  std::string out;
  for (const Value& value : call.arguments) {
    if (value.is_nil()) continue;
    if (!out.empty()) out += ' ';
    out += "'" + to_text(value) + "'";
  }
  return call.string(out);
}

Answer cat(const Call& call) {
  std::string out;
  for (const Value& value : call.arguments) {
    if (value.is_nil()) continue;
    if (!out.empty()) out += ' ';
    out += to_text(value);
  }
  return call.string(out);
}

Answer plural(const Call& call) { return call.string(call.integer(2) == 1 ? call.text(0) : call.text(1)); }

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

// Words end at separators and where the case says so: HTTPServer is http server.
std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  const auto finish = [&] {
    if (!word.empty()) out.push_back(std::exchange(word, {}));
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_space(c) || c == '_' || c == '-' || c == '.') {
      finish();
      continue;
    }
    const char before = i > 0 ? text[i - 1] : '\0';
    const char after = i + 1 < text.size() ? text[i + 1] : '\0';
    if (is_upper(c) && ((before != '\0' && !is_upper(before)) || is_lower(after))) finish();
    word += is_upper(c) ? static_cast<char>(c + 32) : c;
  }
  finish();
  return out;
}

std::string joined(const std::vector<std::string>& parts, char divider) {
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += divider;
    out += part;
  }
  return out;
}

Answer snakecase(const Call& call) { return call.string(joined(words(call.text(0)), '_')); }
Answer kebabcase(const Call& call) { return call.string(joined(words(call.text(0)), '-')); }
Answer camelcase(const Call& call) {
  std::string out;
  for (std::string& word : words(call.text(0))) {
    if (is_lower(word[0])) word[0] = static_cast<char>(word[0] - 32);
    out += word;
  }
  return call.string(out);
}

Answer wrap(const Call& call) {
  const auto width = static_cast<std::size_t>(std::max<std::int64_t>(call.integer(0), 1));
  std::string out;
  std::size_t line = 0;
  std::string_view rest = call.text(1);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (line > 0) {
      const bool breaks = line + 1 + end > width;
      out += breaks ? '\n' : ' ';
      line = breaks ? 0 : line + 1;
    }
    out += rest.substr(0, end);
    line += end;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return call.string(out);
}

Answer to_string(const Call& call) { return call.string(to_text(call[0])); }

}  // namespace

void add_string_functions(FunctionSet& set) {
  set.add("untitle", "s", untitle)
      .add("swapcase", "s", swapcase)
      .add("nospace", "s", nospace)
      .add("initials", "s", initials);
  set.add("abbrev", "is", abbrev)
      .add("quote", "a*", quote)
      .add("squote", "a*", squote)
      .add("cat", "a*", cat)
      .add("plural", "ssi", plural);
  set.add("snakecase", "s", snakecase).add("kebabcase", "s", kebabcase).add("camelcase", "s", camelcase);
  set.add("wrap", "is", wrap).add("toString", "a", to_string);
}

}  // namespace kvasir::agent::sprig
