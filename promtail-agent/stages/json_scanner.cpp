#include "promtail-agent/stages/json_scanner.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "common/escapes.h"
#include "promtail-agent/stages/arena.h"

namespace kvasir::agent {
namespace {

bool ends_plain_run(char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }

// The first byte that is a quote, a backslash or a control byte.
const char* skip_plain(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i last_control = _mm_set1_epi8(0x1f);
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    const __m128i found =
        _mm_or_si128(control, _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
    const int mask = _mm_movemask_epi8(found);
    if (mask != 0) return at + __builtin_ctz(static_cast<unsigned>(mask));
  }
#endif
  while (at < end && !ends_plain_run(*at)) ++at;
  return at;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

bool JsonScanner::word(std::string_view text) {
  if (static_cast<std::size_t>(end_ - at_) < text.size() || std::memcmp(at_, text.data(), text.size()) != 0)
    return false;
  at_ += text.size();
  return true;
}

bool JsonScanner::escape() {
  ++at_;  // the backslash
  if (at_ == end_) return false;
  if (*at_ != 'u') {
    if (std::strchr("\"\\/bfnrt", *at_) == nullptr || *at_ == '\0') return false;
    ++at_;
    return true;
  }
  if (end_ - at_ < 5) return false;
  for (int i = 1; i <= 4; ++i)
    if (hex_digit(at_[i]) < 0) return false;
  at_ += 5;
  return true;
}

bool JsonScanner::string(JsonSpan& span) {
  if (!take('"')) return false;
  const char* begin = at_;
  span.type = JsonType::kString;
  span.escaped = false;
  while (true) {
    at_ = skip_plain(at_, end_);
    if (at_ == end_) return false;
    if (*at_ == '"') break;
    if (*at_ != '\\' || !escape()) return false;
    span.escaped = true;
  }
  span.text = std::string_view(begin, static_cast<std::size_t>(at_ - begin));
  ++at_;
  return true;
}

bool JsonScanner::number(JsonSpan& span) {
  const char* begin = at_;
  const auto digits = [this] {
    const char* from = at_;
    while (at_ < end_ && is_digit(*at_)) ++at_;
    return at_ > from;
  };
  take('-');
  if (!take('0') && !digits()) return false;
  span.integer = true;
  if (take('.')) {
    span.integer = false;
    if (!digits()) return false;
  }
  bool exponent = false;
  if (at('e') || at('E')) {
    span.integer = false;
    exponent = true;
    ++at_;
    if (!take('+')) take('-');
    if (!digits()) return false;
  }
  span.type = JsonType::kNumber;
  span.text = std::string_view(begin, static_cast<std::size_t>(at_ - begin));
  // Only these can be too large for a double.
  const bool may_overflow = exponent || span.text.size() > 300;
  return !may_overflow || std::isfinite(decode_json_number(span.text));
}

bool JsonScanner::value_at(JsonSpan& span, int depth) {
  if (at_ == end_ || depth > kJsonDepthMax) return false;
  const char* begin = at_;
  switch (*at_) {
    case '"': return string(span);
    case 't':
    case 'f':
      span.type = JsonType::kBool;
      if (!word(*at_ == 't' ? "true" : "false")) return false;
      break;
    case 'n':
      span.type = JsonType::kNull;
      if (!word("null")) return false;
      break;
    case '{': {
      const auto member = [depth](const JsonSpan&, JsonScanner& inner) {
        JsonSpan skipped;
        return inner.value_at(skipped, depth + 1);
      };
      if (!object(member)) return false;
      span.type = JsonType::kObject;
      break;
    }
    case '[': {
      const auto item = [depth](JsonScanner& inner) {
        JsonSpan skipped;
        return inner.value_at(skipped, depth + 1);
      };
      if (!array(item)) return false;
      span.type = JsonType::kArray;
      break;
    }
    default: return number(span);
  }
  span.text = std::string_view(begin, static_cast<std::size_t>(at_ - begin));
  return true;
}

std::string_view decode_json_string(const JsonSpan& span, Arena& arena) {
  if (!span.escaped) return span.text;
  // An escape is never shorter than what it stands for.
  char* const begin = arena.allocate(span.text.size());
  char* out = begin;
  std::string_view rest = span.text;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c != '\\') {
      *out++ = c;
      continue;
    }
    // The scanner has seen that every escape is whole.
    const char kind = rest.front();
    rest.remove_prefix(1);
    if (kind == 'u') out = write_utf8(out, take_json_unicode(rest)->value);
    else *out++ = kind == '\'' ? kind : json_short_escape(kind);  // \' comes from logfmt
  }
  const auto used = static_cast<std::size_t>(out - begin);
  arena.shrink(span.text.size(), used);
  return {begin, used};
}

double decode_json_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc()) return value;
  // Out of range either way: strtod tells zero from infinity.
  return std::strtod(std::string(text).c_str(), nullptr);
}

}  // namespace kvasir::agent
