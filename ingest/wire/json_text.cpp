#include "ingest/wire/json_text.h"

#include <cstring>

#include "common/escapes.h"
#include "common/labels.h"

namespace kvasir::ingest {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

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
      const auto rune = take_json_unicode(rest);
      if (!rune) return std::nullopt;
      out = write_utf8(out, rune->value);
    } else {
      const char c = json_short_escape(kind);
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
