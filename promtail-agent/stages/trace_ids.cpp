#include "promtail-agent/stages/trace_ids.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/number.h"

namespace kvasir::agent {
namespace {

constexpr std::size_t kKeyMax = 32;    // longer words are no keys of ours
constexpr std::size_t kValueMax = 80;  // longer values are no ids

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool joins_words(char c) { return c == '_' || c == '-' || c == '.'; }
bool all_hex(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_hex); }

enum class KeyKind { kNone, kTrace, kSpan, kDecimalTrace, kDecimalSpan, kTraceparent, kB3, kJaeger };

struct Key {
  std::string_view word;  // lower case, without _ - .
  KeyKind kind;
};

constexpr std::array<Key, 19> kKeys{{
    {"traceid", KeyKind::kTrace},          {"spanid", KeyKind::kSpan},
    {"xb3traceid", KeyKind::kTrace},       {"xb3spanid", KeyKind::kSpan},
    {"b3traceid", KeyKind::kTrace},        {"b3spanid", KeyKind::kSpan},
    {"oteltraceid", KeyKind::kTrace},      {"otelspanid", KeyKind::kSpan},
    {"contexttraceid", KeyKind::kTrace},   {"contextspanid", KeyKind::kSpan},
    {"ddtraceid", KeyKind::kDecimalTrace}, {"ddspanid", KeyKind::kDecimalSpan},
    {"traceparent", KeyKind::kTraceparent}, {"b3", KeyKind::kB3},
    {"ubertraceid", KeyKind::kJaeger},     {"jaegertraceid", KeyKind::kJaeger},
    {"httptraceparent", KeyKind::kTraceparent}, {"loggingtraceid", KeyKind::kTrace},
    {"httpxb3traceid", KeyKind::kTrace},
}};

KeyKind kind_of(std::string_view word) {
  // Every key ends in `id`, in `parent` or in b3: most words are done with here.
  const char last = lower(word.back());
  if (word.size() > kKeyMax || word.size() < 2 || (last != 'd' && last != 't' && last != '3')) return KeyKind::kNone;
  char plain[kKeyMax];
  std::size_t size = 0;
  for (const char c : word)
    if (!joins_words(c)) plain[size++] = lower(c);
  for (const Key& key : kKeys)
    if (key.word == std::string_view(plain, size)) return key.kind;
  return KeyKind::kNone;
}

// Between a key and its value: quotes (escaped too), white space and one of : and =.
bool skip_to_value(std::string_view text, std::size_t& at) {
  bool divided = false;
  while (at < text.size()) {
    const char c = text[at];
    const bool divider = c == ':' || c == '=';
    if (divider && divided) return false;
    divided = divided || divider;
    if (!divider && c != '"' && c != '\\' && c != '\'' && c != ' ' && c != '[') break;
    ++at;
  }
  return divided && at < text.size();
}

std::string_view value_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && (is_hex(text[end]) || text[end] == '-' || text[end] == ':')) ++end;
  // A value that goes on with other letters is a word, not an id.
  const bool word = end < text.size() && (is_letter(text[end]) || text[end] == '_');
  return word || end - at > kValueMax ? std::string_view() : text.substr(at, end - at);
}

void take(KeyKind kind, std::string_view value, TraceIds& ids) {
  const auto keep = [](HexId& to, const HexId& id) {
    if (to.empty()) to = id;
  };
  TraceIds pair;
  switch (kind) {
    case KeyKind::kTrace: return keep(ids.trace, HexId::from_hex(value));
    case KeyKind::kSpan: {
      const HexId span = HexId::from_hex(value);
      return keep(ids.span, span.size() == 16 ? span : HexId());
    }
    case KeyKind::kDecimalTrace: return keep(ids.trace, HexId::from_decimal(value));
    case KeyKind::kDecimalSpan: return keep(ids.span, HexId::from_decimal(value));
    case KeyKind::kTraceparent: pair = parse_traceparent(value); break;
    case KeyKind::kB3: pair = parse_b3(value); break;
    case KeyKind::kJaeger: pair = parse_jaeger(value); break;
    case KeyKind::kNone: return;
  }
  keep(ids.trace, pair.trace);
  keep(ids.span, pair.span);
}

std::string_view next_part(std::string_view& rest, char divider) {
  const std::size_t end = std::min(rest.find(divider), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

}  // namespace

void HexId::pad_to(std::size_t size) {
  const std::size_t missing = size - size_;
  std::memmove(digits_ + missing, digits_, size_);
  std::memset(digits_, '0', missing);
  size_ = size;
}

HexId HexId::from_hex(std::string_view text) {
  HexId id;
  bool zeros = true;
  std::size_t digits = 0;
  for (const char c : text) {
    if (c == '-') continue;
    if (!is_hex(c) || digits == sizeof id.digits_) return {};
    id.digits_[digits++] = lower(c);
    zeros = zeros && c == '0';
  }
  // Fewer than eight digits are a counter, not an id.
  if (zeros || digits < 8) return {};
  id.size_ = digits;
  id.pad_to(digits <= 16 ? 16 : 32);
  return id;
}

HexId HexId::from_decimal(std::string_view text) {
  const auto number = parse_uint64(text);
  if (!number) return from_hex(text);  // 128-bit ids are written in hex there too
  HexId id;
  if (*number == 0) return id;
  for (int shift = 60; shift >= 0; shift -= 4) id.digits_[id.size_++] = "0123456789abcdef"[*number >> shift & 15];
  return id;
}

TraceIds parse_traceparent(std::string_view text) {
  const std::string_view version = next_part(text, '-');
  const std::string_view trace = next_part(text, '-');
  const std::string_view span = next_part(text, '-');
  const std::string_view flags = next_part(text, '-');
  const bool good = version.size() == 2 && all_hex(version) && version != "ff" && trace.size() == 32 &&
                    span.size() == 16 && flags.size() == 2 && all_hex(flags);
  const TraceIds ids{HexId::from_hex(trace), HexId::from_hex(span)};
  return good && !ids.trace.empty() && !ids.span.empty() ? ids : TraceIds();
}

TraceIds parse_b3(std::string_view text) {
  const std::string_view trace = next_part(text, '-');
  const std::string_view span = next_part(text, '-');
  const bool good = (trace.size() == 32 || trace.size() == 16) && span.size() == 16;
  return good ? TraceIds{HexId::from_hex(trace), HexId::from_hex(span)} : TraceIds();
}

TraceIds parse_jaeger(std::string_view text) {
  const std::size_t parts = static_cast<std::size_t>(std::count(text.begin(), text.end(), ':')) + 1;
  if (parts != 4) return parts == 1 ? TraceIds{HexId::from_hex(text), {}} : TraceIds();
  const std::string_view trace = next_part(text, ':');
  const std::string_view span = next_part(text, ':');
  // Leading zeros may be missing here: pad before the length is judged.
  char padded[16];
  std::memset(padded, '0', sizeof padded);
  if (span.size() > sizeof padded || span.empty()) return {};
  std::memcpy(padded + sizeof padded - span.size(), span.data(), span.size());
  return {HexId::from_hex(trace), HexId::from_hex({padded, sizeof padded})};
}

TraceIds find_trace_ids(std::string_view text) {
  TraceIds ids;
  std::size_t at = 0;
  while (at < text.size() && (ids.trace.empty() || ids.span.empty())) {
    if (!is_letter(text[at])) {
      // Numbers and their kin are skipped whole: a key does not start inside them.
      const bool word = is_digit(text[at]);
      ++at;
      while (word && at < text.size() && (is_letter(text[at]) || is_digit(text[at]))) ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && (is_letter(text[end]) || is_digit(text[end]) || joins_words(text[end]))) ++end;
    // After an escaped letter (`\ntrace_id`) the word begins one later; such keys are rare enough to be missed.
    const KeyKind kind = kind_of(text.substr(at, end - at));
    std::size_t value = end;
    if (kind != KeyKind::kNone && skip_to_value(text, value)) {
      const std::string_view found = value_at(text, value);
      take(kind, found, ids);
      end = value + found.size();
    }
    at = end;
  }
  return ids;
}

}  // namespace kvasir::agent
