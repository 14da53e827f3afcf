#include "logql/pipeline/json_scan.h"

#include <bit>
#include <algorithm>
#include <cstring>
#include <emmintrin.h>

#include "common/escapes.h"
#include "logql/pipeline/unicode_text.h"

namespace kvasir::logql::json {

namespace {

// First byte at or after `at` that is one of three; text.size() if there is none.
template <char A, char B, char C>
std::size_t find_any(std::string_view text, std::size_t at) {
  const __m128i a = _mm_set1_epi8(A), b = _mm_set1_epi8(B), c = _mm_set1_epi8(C);
  for (; at + 16 <= text.size(); at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
    const __m128i hit =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, a), _mm_cmpeq_epi8(bytes, b)), _mm_cmpeq_epi8(bytes, c));
    if (const auto mask = static_cast<std::uint32_t>(_mm_movemask_epi8(hit)); mask != 0)
      return at + std::countr_zero(mask);
  }
  while (at < text.size() && text[at] != A && text[at] != B && text[at] != C) ++at;
  return at;
}

// Position of the quote that closes a string whose body starts at `at`, or npos.
std::size_t closing_quote(std::string_view text, std::size_t at, bool& escaped) {
  escaped = false;
  for (;;) {
    at = find_any<'"', '\\', '"'>(text, at);
    if (at >= text.size()) return std::string_view::npos;
    if (text[at] == '"') return at;
    escaped = true;
    at += 2;  // the backslash and what it escapes
  }
}

// One past the bracket that closes a block whose opening bracket is at `at`, or npos. Only this kind of bracket counts,
// and strings are passed over.
template <char Open, char Close>
std::size_t block_end(std::string_view text, std::size_t at) {
  int depth = 0;
  for (;;) {
    at = find_any<Open, Close, '"'>(text, at);
    if (at >= text.size()) return std::string_view::npos;
    if (text[at] == Open) {
      ++depth;
    } else if (text[at] == Close) {
      if (--depth == 0) return at + 1;
    } else {
      bool escaped = false;
      at = closing_quote(text, at + 1, escaped);
      if (at == std::string_view::npos) return at;
    }
    ++at;
  }
}

bool ends_token(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == ',' || c == '}' || c == ']'; }

}  // namespace

std::optional<ScannedValue> Scanner::take_string_body() {
  ScannedValue value{ValueKind::kString, false, {}};
  const std::size_t end = closing_quote(text_, at_, value.escaped);
  if (end == std::string_view::npos) {
    error_ = kStringError;
    return std::nullopt;
  }
  value.text = text_.substr(at_, end - at_);
  at_ = end + 1;
  return value;
}

std::optional<ScannedValue> Scanner::take_value() {
  skip_space();
  if (at_end()) {
    error_ = kMalformedError;
    return std::nullopt;
  }
  switch (text_[at_]) {
    case '"': ++at_; return take_string_body();
    case '{': return take_block('{', '}', ValueKind::kObject);
    case '[': return take_block('[', ']', ValueKind::kArray);
    default: return take_token();
  }
}

std::optional<ScannedValue> Scanner::take_block(char open, char, ValueKind kind) {
  const std::size_t end = open == '{' ? block_end<'{', '}'>(text_, at_) : block_end<'[', ']'>(text_, at_);
  if (end == std::string_view::npos) {
    error_ = kind == ValueKind::kObject ? kObjectError : kArrayError;
    return std::nullopt;
  }
  const auto text = text_.substr(at_, end - at_);
  at_ = end;
  return ScannedValue{kind, false, text};
}

std::optional<ScannedValue> Scanner::take_token() {
  const std::size_t begin = at_;
  std::size_t end = begin;
  while (end < text_.size() && !ends_token(text_[end])) ++end;
  const auto token = text_.substr(begin, end - begin);
  at_ = end;
  const char first = token.empty() ? '\0' : token[0];
  if ((first >= '0' && first <= '9') || first == '-') return ScannedValue{ValueKind::kNumber, false, token};
  if (token == "true" || token == "false") return ScannedValue{ValueKind::kBoolean, false, token};
  if (token == "null") return ScannedValue{ValueKind::kNull, false, token};
  error_ = kUnknownValueError;
  return std::nullopt;
}

bool open_object(Scanner& scanner) {
  scanner.skip_space();
  if (scanner.at_end() || scanner.peek() != '{') return scanner.fail(kObjectError);
  scanner.advance();
  return true;
}

namespace {

// From behind a value to the next key. False: the object ended, or an error was set.
bool to_next_key(Scanner& scanner) {
  scanner.skip_space();
  if (scanner.at_end()) return scanner.fail(kArrayError);
  const char c = scanner.peek();
  scanner.advance();
  if (c == '}') return false;
  if (c != ',') return scanner.fail(kObjectError);
  scanner.skip_space();
  return !scanner.at_end() || scanner.fail(kArrayError);
}

// The key with its colon.
bool take_key(Scanner& scanner, Arena& arena, std::string_view& key) {
  const auto text = scanner.take_string_body();
  if (!text) return scanner.fail(kMalformedError);
  key = text->text;
  if (text->escaped) {
    const auto plain = unescape(text->text, arena);
    if (!plain) return scanner.fail(kEscapeError);
    key = *plain;
  }
  scanner.skip_space();
  if (scanner.at_end() || scanner.peek() != ':') return scanner.fail(kMalformedError);
  scanner.advance();
  return true;
}

}  // namespace

MemberStep next_member(Scanner& scanner, bool& first, Arena& arena, Member& member) {
  if (first) {
    first = false;
    scanner.skip_space();
    if (scanner.at_end()) return scanner.fail(kMalformedError), MemberStep::kError;
  } else if (!to_next_key(scanner)) {
    return scanner.error().empty() ? MemberStep::kEnd : MemberStep::kError;
  }
  const char c = scanner.peek();
  scanner.advance();
  if (c == '}') return MemberStep::kEnd;  // an empty object, or a comma before the end
  if (c != '"') return scanner.fail(kObjectError), MemberStep::kError;
  if (!take_key(scanner, arena, member.key)) return MemberStep::kError;
  const auto value = scanner.take_value();
  if (!value) return MemberStep::kValueError;
  member.value = *value;
  return MemberStep::kMember;
}

std::optional<std::string_view> unescape(std::string_view text, Arena& arena, Escapes escapes) {
  char* const begin = arena.allocate(text.size());  // an escape is never shorter than what it stands for
  char* out = begin;
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('\\'), text.size());
    std::memcpy(out, text.data(), plain);
    out += plain;
    text.remove_prefix(plain);
    if (text.empty()) break;
    if (text.size() >= 2 && text[1] == 'u') {
      text.remove_prefix(2);
      const auto rune = take_json_unicode(text);
      if (!rune || (rune->lone_surrogate && escapes == Escapes::kJson)) return std::nullopt;
      out = write_utf8(out, rune->value);
      continue;
    }
    char c = text.size() < 2 ? '\0' : json_short_escape(text[1]);
    if (text.size() >= 2 && text[1] == '\'' && escapes == Escapes::kLogfmt) c = '\'';
    if (c == 0) return std::nullopt;
    *out++ = c;
    text.remove_prefix(2);
  }
  arena.shrink_last(out);
  return std::string_view(begin, static_cast<std::size_t>(out - begin));
}

std::string_view label_text(const ScannedValue& value, Arena& arena) {
  std::string_view text = value.text;
  if (value.kind != ValueKind::kString) return text;
  if (value.escaped) text = unescape(text, arena).value_or(std::string_view());
  return spaces_for_bad_utf8(text, arena);
}

}  // namespace kvasir::logql::json
