#include "ingest/wire/json_text.h"

#include <cstring>

#include "common/labels.h"
#include "common/utf8.h"

namespace kvasir::ingest {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 32);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// The four digits at the front of `text`, or -1.
std::int32_t hex4(std::string_view text) {
  if (text.size() < 4) return -1;
  std::int32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const int digit = hex_digit(text[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

char* put_rune(char* out, char32_t rune) {
  std::string text;
  append_utf8(text, rune);
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

/// `rest` starts after `\u`. Gives false for bad digits.
bool take_unicode(std::string_view& rest, char*& out) {
  const std::int32_t first = hex4(rest);
  if (first < 0) return false;
  rest.remove_prefix(4);
  char32_t rune = static_cast<char32_t>(first);
  const bool high = rune >= 0xd800 && rune < 0xdc00;
  if (high && rest.starts_with("\\u")) {
    const std::int32_t second = hex4(rest.substr(2));
    if (second >= 0xdc00 && second < 0xe000) {
      rest.remove_prefix(6);
      out = put_rune(out, 0x10000 + ((rune - 0xd800) << 10) + (static_cast<char32_t>(second) - 0xdc00));
      return true;
    }
  }
  if (rune >= 0xd800 && rune < 0xe000) rune = 0xfffd;
  out = put_rune(out, rune);
  return true;
}

char simple_escape(char kind) {
  switch (kind) {
    case '"': return '"';
    case '\\': return '\\';
    case '/': return '/';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
  }
}

}  // namespace

std::optional<std::string_view> json_string(std::string_view token, TextArena& arena) {
  while (!token.empty() && is_blank(token.back())) token.remove_suffix(1);
  while (!token.empty() && is_blank(token.front())) token.remove_prefix(1);
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') return std::nullopt;
  std::string_view rest = token.substr(1, token.size() - 2);
  const void* slash = std::memchr(rest.data(), '\\', rest.size());
  if (slash == nullptr) return rest;
  char* const begin = arena.allocate(rest.size());  // the text never grows: \uXXXX gives at most three bytes
  char* out = begin;
  while (slash != nullptr) {
    const auto plain = static_cast<std::size_t>(static_cast<const char*>(slash) - rest.data());
    std::memcpy(out, rest.data(), plain);
    out += plain;
    if (plain + 1 >= rest.size()) return std::nullopt;
    const char kind = rest[plain + 1];
    rest.remove_prefix(plain + 2);
    if (kind == 'u') {
      if (!take_unicode(rest, out)) return std::nullopt;
    } else {
      const char c = simple_escape(kind);
      if (c == 0) return std::nullopt;
      *out++ = c;
    }
    slash = rest.empty() ? nullptr : std::memchr(rest.data(), '\\', rest.size());
  }
  if (!rest.empty()) std::memcpy(out, rest.data(), rest.size());
  out += rest.size();
  const auto size = static_cast<std::size_t>(out - begin);
  arena.shrink(token.size() - 2 - size);
  return std::string_view(begin, size);
}

void LabelTextBuilder::add(std::string_view name, std::string_view value) {
  if (text_.size() > 1) text_ += ", ";
  text_ += name;
  text_ += '=';
  append_go_quoted(text_, value);
}

std::string_view LabelTextBuilder::finish(TextArena& arena) {
  text_ += '}';
  const std::string_view kept = arena.copy(text_);
  text_ = "{";
  return kept;
}

}  // namespace kvasir::ingest
